"""tensorflow.models.rnn: the recurrent models."""
