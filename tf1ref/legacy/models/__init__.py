"""tensorflow.models, as it was before 1.0."""
