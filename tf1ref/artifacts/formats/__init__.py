"""Readers of the files that models are kept in: checkpoints (V1, V2), messages, event streams, tables, npz."""
