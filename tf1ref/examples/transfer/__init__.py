"""Uses what a network has learned from other pictures for new ones."""
