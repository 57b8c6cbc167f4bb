"""What the programs of this chapter share to show that something is an error."""


def raises(call, *errors):
    """True when `call` fails with one of `errors`; any other error is not caught."""
    try:
        call()
    except errors:
        return True
    return False
