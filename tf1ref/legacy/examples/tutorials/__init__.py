"""The tutorials by their subject."""
