"""Ports of what a program without training computes: each graph, frozen when it ran, with what it was fed."""

import contextlib
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.client import session

from tf1ref.errors import InputError
from tf1ref.port import port

MOST = 6  # ports of one program


class Runs:
    """The graphs that ran. `groups`: {(graph, names that are fed): [frozen GraphDef, {output: None}, {name: array}]}.

    A group has the weights and the feeds of its last run that fetched something new.
    """

    def __init__(self):
        self.groups, self.inside = {}, False

    @contextlib.contextmanager
    def kept(self):
        """Keeps what runs within the body."""
        plain = session.BaseSession._do_run

        def do_run(sess, handle, targets, fetches, feeds, options, metadata):
            if not self.inside and handle is None and fetches:
                self.inside = True
                with contextlib.suppress(Exception):  # such as variables without a value
                    self.keep(sess, fetches, feeds)
                self.inside = False
            return plain(sess, handle, targets, fetches, feeds, options, metadata)

        session.BaseSession._do_run = do_run
        try:
            yield self
        finally:
            session.BaseSession._do_run = plain

    def keep(self, sess, fetches, feeds):
        """Freezes the graph of a run."""
        fed = {t.deref().name: np.asarray(value) for t, value in feeds.items()}
        key = id(sess.graph), tuple(sorted(fed))
        _, before, _ = self.groups.get(key, (None, {}, None))
        new = {t.name: None for t in fetches if t.name not in before and t.name not in fed}
        if new:
            outputs = {**before, **new}
            nodes = [name.partition(":")[0] for name in outputs]
            with sess.graph.as_default():
                frozen = v1.graph_util.convert_variables_to_constants(sess, sess.graph.as_graph_def(), nodes)
            self.groups[key] = frozen.SerializeToString(), outputs, fed

    def ported(self, folder):
        """Ports the groups into `folder`. Returns ([arrays that the ports compute], [reasons of what is no port]).

        An answer that is a weight is not among them.
        Raises CheckFailed when a port differs from its graph.
        """
        found, reasons = [], []
        for graph, outputs, fed in list(self.groups.values())[:MOST]:
            try:
                found += answers(Path(folder), graph, list(outputs), fed)
            except InputError as e:
                reasons.append(str(e))
                for output in list(outputs)[:MOST] if len(outputs) > 1 else ():
                    with contextlib.suppress(InputError):
                        found += answers(Path(folder), graph, [output], fed)
        return found, reasons


def answers(folder, graph, outputs, fed):
    """Ports a serialized frozen graph; returns the arrays that the port was proven to compute."""
    (folder / "graph.pb").write_bytes(graph)
    # numpy keeps an array of objects only as a pickle, and TensorFlow's texts are such arrays.
    np.savez(folder / "feeds.npz", **{k: a.astype("S") if a.dtype.hasobject else a for k, a in fed.items()})
    feeds = str(folder / "feeds.npz") if fed else ""
    report = port(str(folder / "graph.pb"), folder / "model", outputs, list(fed), feeds, trust=True, force=True)
    if report.not_compared:
        raise InputError(report.not_compared)
    with np.load(folder / "model" / "answers.npz") as arrays:
        found = [arrays[key] for key in arrays.files if "/outputs/" in key]
    weights = _constants(graph)
    return [a for a in found if (a.shape, a.tobytes()) not in weights]


def _constants(graph):
    """Returns {(shape, bytes)} of the constants of a serialized graph. To answer one of them proves nothing."""
    nodes = v1.GraphDef.FromString(graph).node
    arrays = [tf.make_ndarray(node.attr["value"].tensor) for node in nodes if node.op == "Const"]
    return {(a.shape, a.tobytes()) for a in arrays if a.dtype != object}
