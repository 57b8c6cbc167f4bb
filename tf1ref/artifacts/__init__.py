"""Checkpoints, meta graphs, GraphDefs: read, freeze, verify."""
