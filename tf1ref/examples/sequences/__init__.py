"""Recurrent networks: what a cell keeps from one step to the next, from letters to prices and a language."""
