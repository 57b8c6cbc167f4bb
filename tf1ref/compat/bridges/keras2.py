"""What Keras 2 of 2015 to 2021 had and its last version, tf_keras, has not."""

import functools
import inspect

# The old names of an optimizer's rate, and of metrics.
OTHER_NAMES = {"acc": "accuracy", "val_acc": "val_accuracy", "accuracy": "acc", "val_accuracy": "val_acc"}
_installed = []


class Histories(dict):
    """History.history, in which `acc` and `accuracy` both find the same values."""

    def __missing__(self, name):
        other = OTHER_NAMES.get(name)
        if other is None or other not in self.keys():
            raise KeyError(name)
        return self[other]


def install():
    """Changes tf_keras once, for this process."""
    if _installed:
        return
    _installed.append(True)
    from tf_keras.src import callbacks
    from tf_keras.src.engine import sequential, training, training_v1
    from tf_keras.src.optimizers import optimizer

    _take_old_rates(optimizer.Optimizer)
    plain = callbacks.History.__init__

    @functools.wraps(plain)
    def init(self):
        plain(self)
        self.history = Histories()

    callbacks.History.__init__ = init
    for model in (sequential.Sequential, training.Model, training_v1.Model):
        model.predict_classes, model.predict_proba = predict_classes, predict_proba


def _take_old_rates(optimizer):
    """Lets every optimizer take `lr`, the learning rate, and `decay`, which divides it by 1 + decay * steps."""
    for kind in optimizer.__subclasses__():
        _take_old_rates(kind)
        if "__init__" in vars(kind):
            kind.__init__ = _with_old_rates(kind.__init__)
    if "lr" not in vars(optimizer) and optimizer.__name__ == "Optimizer":
        optimizer.lr = property(
            lambda self: self.learning_rate, lambda self, rate: setattr(self, "learning_rate", rate)
        )


def _with_old_rates(init):
    @functools.wraps(init)
    def changed(self, *args, **kwargs):
        if "lr" in kwargs:
            kwargs["learning_rate"] = kwargs.pop("lr")
        if decay := kwargs.pop("decay", 0):
            from tf_keras.src.optimizers.schedules import learning_rate_schedule as schedules

            given = inspect.signature(init).bind(self, *args, **kwargs)
            given.apply_defaults()
            rate = schedules.InverseTimeDecay(given.arguments["learning_rate"], 1, decay)
            args, kwargs = (rate, *args[1:]), {k: v for k, v in kwargs.items() if k != "learning_rate"}
        init(self, *args, **kwargs)

    return changed


def predict_classes(model, x, batch_size=32, verbose=0):
    """Sequential.predict_classes: the most likely class of each row. With one output: whether it is above 0.5."""
    found = model.predict(x, batch_size=batch_size, verbose=verbose)
    return found.argmax(axis=-1) if found.shape[-1] > 1 else (found > 0.5).astype("int32")


def predict_proba(model, x, batch_size=32, verbose=0):
    """Sequential.predict_proba: the same as predict."""
    return model.predict(x, batch_size=batch_size, verbose=verbose)
