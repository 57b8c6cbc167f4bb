"""Functions by which the programs of this chapter show that something is an error."""


def raises(call, *errors):
    """Returns True when `call` fails with one of `errors`. Any other error is not caught."""
    try:
        call()
    except errors:
        return True
    return False


def error_of(call, *arguments):
    """Returns the class name of the error that `call` raises, or "" when it returns."""
    try:
        call(*arguments)
    except Exception as e:
        return type(e).__name__
    return ""
