"""A running job: its tasks behind their keepers, what is watched, what is decided, and what is told."""
