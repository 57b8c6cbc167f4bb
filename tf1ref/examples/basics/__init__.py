"""Graphs, sessions, variables: what TF1 is made of."""
