"""tf.contrib.learn.ModeKeys."""


class ModeKeys:
    """The modes in which a model function is called. The third one is `infer`, not `predict`."""

    TRAIN, EVAL, INFER = "train", "eval", "infer"

    @classmethod
    def validate(cls, key):
        """Raises ValueError for a key that is not one of the three."""
        if key not in (cls.TRAIN, cls.EVAL, cls.INFER):
            raise ValueError(f"Invalid mode {key}.")
