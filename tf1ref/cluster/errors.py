"""What the launcher says when it cannot start, or ends a job that failed."""


class UsageError(Exception):
    """Bad usage or unreadable input: exit code 2. The message is one line: what, where, what to do."""
