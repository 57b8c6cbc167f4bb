"""The inside of one task of a ps/worker cluster, for people's own programs (see task.py)."""

from tf1ref.distributed.program import run, together
from tf1ref.distributed.task import Task

__all__ = ["Task", "run", "together"]
