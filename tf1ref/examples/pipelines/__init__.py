"""Queues, readers and records inside the graph."""
