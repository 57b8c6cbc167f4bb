"""Which names TensorFlow had, where each comes from today, and what to write instead. Reading them imports nothing."""
