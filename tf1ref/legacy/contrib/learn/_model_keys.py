"""tf.contrib.learn.ModeKeys."""


class ModeKeys:
    """What a model function is called for; the third is `infer`, not `predict`."""

    TRAIN, EVAL, INFER = "train", "eval", "infer"

    @classmethod
    def validate(cls, key):
        """Raises ValueError for what is none of the three."""
        if key not in (cls.TRAIN, cls.EVAL, cls.INFER):
            raise ValueError(f"Invalid mode {key}.")
