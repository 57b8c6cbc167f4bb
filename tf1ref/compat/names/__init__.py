"""Which names TensorFlow had, where each comes from today, what to write instead. Nothing is imported to know."""
