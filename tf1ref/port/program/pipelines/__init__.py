"""The input pipelines of programs: graph-mode tf.data becomes a function that makes the same dataset."""

from tf1ref.port.program.pipelines.finding import found

__all__ = ["found"]
