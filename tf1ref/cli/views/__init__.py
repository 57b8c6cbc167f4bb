"""What a report looks like on a terminal, or as JSON."""
