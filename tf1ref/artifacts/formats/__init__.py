"""Reads the files that hold models: checkpoints (V1, V2), messages, event streams, tables, npz."""
