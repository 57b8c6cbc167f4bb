"""sklearn.cross_validation: the splitters that are iterated themselves. All else of it is sklearn.model_selection's."""

import numbers

import numpy as np
from sklearn import model_selection


def __getattr__(name):
    return getattr(model_selection, name)


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
        given = {("n_splits" if name in ("n_folds", "n_iter") else name): value for name, value in named.items()}
        splitter = getattr(model_selection, type(self).__name__)(**given)
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
