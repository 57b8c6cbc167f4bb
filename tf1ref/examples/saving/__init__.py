"""Savers, meta graphs, frozen graphs."""
