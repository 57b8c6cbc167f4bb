"""What the programs of this chapter share to show that something is an error."""


def raises(call, *errors):
    """True when `call` fails with one of `errors`; any other error is not caught."""
    try:
        call()
    except errors:
        return True
    return False


def error_of(call, *arguments):
    """The class name of the error that `call` raises, or "" when it returns."""
    try:
        call(*arguments)
    except Exception as e:
        return type(e).__name__
    return ""
