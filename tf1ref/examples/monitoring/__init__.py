"""Event files, summaries and traces: what a running graph shows of itself."""
