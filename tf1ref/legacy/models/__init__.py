"""tensorflow.models: example models that TensorFlow contained before 1.0."""
