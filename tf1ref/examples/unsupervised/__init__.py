"""Learning without labels: layers trained one by one to give back what they were shown."""
