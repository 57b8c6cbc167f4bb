"""What scikit-learn changed: the splitters of sklearn.cross_validation, and an argument of TSNE.

The splitters were iterated themselves. All else of that module is sklearn.model_selection's.
"""

import importlib
import numbers

import numpy as np

from tf1ref.compat.bridges import methods


def tsne(*arguments, **named):
    """Returns a sklearn.manifold.TSNE. Its argument n_iter is max_iter today."""
    made = importlib.import_module("sklearn.manifold").TSNE
    return made(*arguments, **methods.renaming(named, {"n_iter": "max_iter"}))


def __getattr__(name):
    return getattr(importlib.import_module("sklearn.model_selection"), name)


class _Folds:
    """Pairs of index arrays (train, test). It keeps them all, as its length is asked for as well.

    n: the number of samples, or their labels. The rest goes to today's class of the same name, which calls n_folds and
    n_iter n_splits.
    """

    def __init__(self, n, *arguments, **named):
        names = self.names
        named = {**dict(zip(names, self.defaults)), **dict(zip(names, arguments)), **named}
        labels = None if isinstance(n, numbers.Integral) else np.asarray(n)
        samples = np.zeros(n if labels is None else len(labels))
        given = methods.renaming(named, {"n_folds": "n_splits", "n_iter": "n_splits"})
        splitter = __getattr__(type(self).__name__)(**given)
        self._pairs = list(splitter.split(samples, labels))

    def __iter__(self):
        return iter(self._pairs)

    def __len__(self):
        return len(self._pairs)


def _folds(name, names="", *defaults):
    return type(name, (_Folds,), {"names": names.split(), "defaults": defaults, "__doc__": _Folds.__doc__})


# The names of the arguments after the first, in their old order, and the defaults where today's are others.
KFold = _folds("KFold", "n_folds shuffle random_state", 3)
StratifiedKFold = _folds("StratifiedKFold", "n_folds shuffle random_state", 3)
ShuffleSplit = _folds("ShuffleSplit", "n_iter test_size train_size random_state", 10, 0.1)
StratifiedShuffleSplit = _folds("StratifiedShuffleSplit", "n_iter test_size train_size random_state", 10, 0.1)
LeaveOneOut = _folds("LeaveOneOut")
