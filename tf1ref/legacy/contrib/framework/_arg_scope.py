"""tf.contrib.framework.arg_scope: default arguments, within a context, for functions that take part.

Scopes nest. An argument of the call comes first, then the default of the inner scope, then that of the outer one.
"""

import contextlib
import functools
import inspect

_stack = [{}]


def current_arg_scope():
    """Returns {function: {argument: default}} of the current scope."""
    return _stack[-1]


def defaults_of(func):
    """Returns {argument: default} that the scopes give `func`, a function that takes part."""
    return current_arg_scope().get(arg_scope_func_key(func), {})


def has_arg_scope(func):
    """Returns whether `func` takes part."""
    return hasattr(func, "_arg_scope_names")


def arg_scoped_arguments(func):
    """Returns the names of `func`'s arguments that have defaults. Raises ValueError when it does not take part."""
    _check(func)
    return func._arg_scope_names


def _check(func):
    if not has_arg_scope(func):
        raise ValueError(f"{getattr(func, '__name__', func)} is not decorated with @add_arg_scope")


@contextlib.contextmanager
def arg_scope(list_ops_or_scope, **kwargs):
    """Gives each function of a list the defaults `kwargs`, or enters a scope that was kept (`with ... as scope`).

    Raises ValueError for a function that does not take part or lacks such an argument, and TypeError for another type
    of list_ops_or_scope.
    """
    if isinstance(list_ops_or_scope, dict):
        if kwargs:
            raise ValueError("a kept scope is entered as it is: arguments belong to a list of functions")
        entered = dict(list_ops_or_scope)
    elif not isinstance(list_ops_or_scope, (list, tuple)):
        raise TypeError(f"list_ops_or_scope must be a list, a tuple or a kept scope, not {list_ops_or_scope!r}")
    else:
        entered = dict(current_arg_scope())
        for func in list_ops_or_scope:
            _check(func)
            entered[arg_scope_func_key(func)] = {**entered.get(arg_scope_func_key(func), {}), **kwargs}
    _stack.append(entered)
    try:
        yield entered
    finally:
        _stack.pop()


def arg_scope_func_key(func):
    """Returns the key under which the scopes keep a function: the text of the function that was decorated."""
    return getattr(func, "_key_op", str(func))


def add_arg_scope(func):
    """Makes `func` take its defaults from the current arg_scope.

    >>> @add_arg_scope
    ... def layer(x, size=1):
    ...     return x, size
    >>> with arg_scope([layer], size=5):
    ...     print(layer("x"), layer("x", size=2))
    ('x', 5) ('x', 2)
    """

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [p for p in inspect.signature(func, follow_wrapped=False).parameters.values() if p.kind is kind]
    names = tuple(p.name for p in parameters)

    @functools.wraps(func)
    def with_defaults(*args, **kwargs):
        defaults = defaults_of(with_defaults)
        by_position = names[: len(args)]
        return func(*args, **{k: v for k, v in defaults.items() if k not in by_position} | kwargs)

    with_defaults._arg_scope_names = tuple(p.name for p in parameters if p.default is not p.empty)
    # The text has the function's address, so that functions of one name are told apart. TF1 has this attribute, too.
    with_defaults._key_op = arg_scope_func_key(func)
    return with_defaults
