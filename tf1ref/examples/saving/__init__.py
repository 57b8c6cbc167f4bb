"""Savers, meta graphs and frozen graphs."""
