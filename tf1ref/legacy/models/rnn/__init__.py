"""The recurrent models."""
