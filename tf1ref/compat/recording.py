"""Records what a TF1 program computes: each session.run, and the variables before and after the training.

The recording does not change the program: it adds no op to a graph, skips no run, and prints nothing in between.
"""

import hashlib
import io
import json
import os
import threading
import weakref
import zipfile

import numpy as np

from tf1ref import console, files
from tf1ref.compat.recorded_graphs import Apart, Gradients, called, given, uncollected, values_of, writes_of
from tf1ref.errors import InputError
from tf1ref.parity.recorded import FORMAT, INDEX

STEPS = 20
MOST_BYTES = 1 << 29  # bytes of arrays; the recording says that later ones are left out


class Recorder:
    """Keeps what sessions compute until `steps` of them have trained, then writes `path`.

    stop: ends the program then. own_line(op): returns the (file, line, function) that made an op, or None.
    Raises InputError when `path` cannot be written.
    """

    def __init__(self, path, program, arguments, own_line, steps=STEPS, stop=False):
        self.path = files.target(path, force=True)
        self.program, self.arguments, self.own_line = program, list(arguments), own_line
        self.steps, self.stop = steps, stop
        self.arrays, self.bytes, self.left_out = {}, 0, {}
        self.graphs, self.runs, self.trained = [], [], 0
        self.initial, self.final, self.trainable = {}, {}, []
        self.kinds, self.sources, self.done, self.inside = {}, {}, False, False
        self.trained_graph, self.last, self.unwritten = 0, None, False
        self.apart, self.gradients, self.sessions = Apart(), Gradients(), weakref.WeakKeyDictionary()
        self.threads, self.parallel, self.called = set(), False, {}

    def install(self):
        """Records every session from now on."""
        from tensorflow.python.client import session

        self.gradients.install()
        # Here feeds and fetches arrive as tensors and arrays, whatever form the program gave them.
        plain = session.BaseSession._do_run

        def do_run(sess, handle, targets, fetches, feeds, options, metadata):
            def run(feeds=feeds, fetches=fetches, sess=sess):
                return plain(sess, handle, targets, fetches, feeds, options, metadata)

            if self.done or self.inside or handle is not None:
                return run()
            return self._run(run, sess, targets, fetches, feeds)

        session.BaseSession._do_run = do_run
        if self.stop:
            _as_written(session.BaseSession)
        plain_close = session.BaseSession.close

        def close(sess):
            if self.trained and not self.done and not sess._closed and sess.graph is self.graphs[self.trained_graph]:
                self.final = self._variables(sess)
            plain_close(sess)

        session.BaseSession.close = close

    def finish(self):
        """Writes the recording, once."""
        if self.done:
            return
        if self.last is not None and not self.last._closed and not self.final:
            self.final = self._variables(self.last)
        self.done = True
        graphs = [self._graph(graph) for graph in self.graphs]
        index = {
            "format": FORMAT,
            "program": os.path.basename(self.program),
            "arguments": self.arguments,
            "graphs": [about for _, about in graphs],
            "runs": self.runs,
            "initial": self.initial,
            "final": self.final,
            "trainable": self.trainable,
            "left_out": [f"{what}: {count}" for what, count in self.left_out.items()],
            "parallel": self.parallel,
        }
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:  # weights hardly get smaller
            z.writestr(INDEX, json.dumps(index))
            for i, (data, _) in enumerate(graphs):
                z.writestr(f"graphs/{i}.pb", data)
            for key, data in self.arrays.items():
                z.writestr(f"arrays/{key}.npy", data)
        try:
            files.write(self.path, packed.getvalue())
        # The program continues.
        except InputError as e:
            console.error(f"exec --record {e}")
            self.unwritten = True

    def _run(self, run, sess, targets, fetches, feeds):
        trains = self._trains(sess.graph, targets, fetches)
        if trains:
            self._note_thread()
        if trains and not self.trained:
            self.initial = self._variables(sess)
            # A function's variables are there while it runs.
            self.called = {id(sess.graph): called(sess.graph)}
        taken = [t for t in self._taken(sess, targets, fetches) if t.ref() not in feeds] if trains else []
        if self.stop and fetches and not trains:
            results = self._evaluated(run, sess, targets, fetches, feeds)
        else:
            results = run(feeds, [*fetches, *taken])
        results, found = results[: len(fetches)], results[len(fetches) :]
        if sess.graph not in self.graphs:
            self.graphs.append(sess.graph)
        self.runs.append(
            {
                "graph": self.graphs.index(sess.graph),
                "trains": trains,
                "session": self.sessions.setdefault(sess, len(self.sessions)),
                "targets": [op.name for op in targets],
                "feeds": self._kept({t.deref().name: value for t, value in feeds.items()})
                | self._kept({t.name: value for t, value in zip(taken, found)}),
                "fetches": self._kept({t.name: value for t, value in zip(fetches, results)}),
            }
        )
        if trains:
            self.trained, self.trained_graph, self.last = self.trained + 1, self.graphs.index(sess.graph), sess
            if self.trained >= self.steps:
                self.final = self._variables(sess)
                self.finish()
                if self.stop:
                    raise Stopped
        return results

    def _note_thread(self):
        """Notes whether another thread that trained is still there: the main one may only wait for this one."""
        here = threading.current_thread()
        others = self.threads - {here, threading.main_thread()}
        self.parallel = self.parallel or any(thread.is_alive() for thread in others)
        self.threads.add(here)

    def _evaluated(self, *args):
        self.inside = True
        try:
            return self.apart.results(*args)
        finally:
            self.inside = False

    def _taken(self, sess, targets, fetches):
        """The tensors by which a run takes examples from queues and iterators."""
        key = id(sess.graph), sess.graph.version, tuple(op.name for op in targets), tuple(t.name for t in fetches)
        if key not in self.sources:
            self.sources[key] = given([*targets, *(t.op for t in fetches)], sess.graph)
        return self.sources[key]

    def _trains(self, graph, targets, fetches):
        """Returns whether a run updates variables: by an optimizer, or by assignments that initialize nothing."""
        key = id(graph), graph.version, tuple(op.name for op in targets), tuple(t.name for t in fetches)
        if key not in self.kinds:
            self.kinds[key] = bool(writes_of([*targets, *(t.op for t in fetches)], graph))
        return self.kinds[key]

    def _variables(self, sess):
        """Returns {name: hash} of the variables of the session's graph that have a value."""
        import tensorflow.compat.v1 as v1

        variables = [v for kind in ("variables", "local_variables") for v in sess.graph.get_collection(kind)]
        self.trainable = [v.op.name for v in sess.graph.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES)]
        named = {v.op.name: v for v in variables}
        named.update(uncollected(sess.graph, named))
        self.inside = True
        try:
            found = values_of(sess, named)
        finally:
            self.inside = False
        for _ in named.keys() - found.keys():
            self._leave_out("variables without a value")
        return self._kept(found)

    def _kept(self, named):
        found = {}
        for name, value in named.items():
            array = np.array(value, object) if isinstance(value, (bytes, str)) else np.asarray(value)
            if array.dtype.kind in "OSU":
                array = _text(array)
            if array is None or array.dtype.hasobject or array.dtype.names or array.dtype.isbuiltin == 2:
                self._leave_out("values that are no arrays, bfloat16 and its like, or texts in a row that end in zeros")
                continue
            key = hashlib.blake2b(
                array.tobytes() + str((array.dtype, array.shape)).encode(), digest_size=16
            ).hexdigest()
            if key not in self.arrays:
                if self.bytes + array.nbytes > MOST_BYTES:
                    self._leave_out(f"arrays after the first {MOST_BYTES >> 20} MB")
                    continue
                self.bytes += array.nbytes
                packed = io.BytesIO()
                np.lib.format.write_array(packed, array, allow_pickle=False)
                self.arrays[key] = packed.getvalue()
            found[name] = key
        return found

    def _leave_out(self, what):
        self.left_out[what] = self.left_out.get(what, 0) + 1

    def _graph(self, graph):
        import tensorflow.compat.v1 as v1

        lines = {}
        for op in graph.get_operations():
            line = self.own_line(op)
            if line:
                lines[op.name] = list(line)
        with graph.as_default():
            # The graph keeps the shapes that the program's calls have set: an import does not find all of them.
            graph_def = graph.as_graph_def(add_shapes=True)
            data = v1.train.export_meta_graph(graph_def=graph_def, graph=graph).SerializeToString()
        gradients = self.gradients.calls.get(id(graph), [])
        names = {**self.called.get(id(graph), {}), **called(graph)}
        return data, {"seed": graph.seed, "lines": lines, "gradients": gradients, "names": names}


class Stopped(BaseException):
    """Raised in a program whose steps are all recorded. No program catches it by accident."""


class Recorded:
    """A program that is recorded while it runs. `tf1ref.compat.__main__` calls run(scope)."""

    def __init__(self, program, recorder):
        self.program, self.recorder, self.world = program, recorder, program.world

    def run(self, scope):
        """Runs the program, then writes the recording, unless the program fails."""
        self.recorder.install()
        try:
            self.program.run(scope)
        except Stopped:
            return
        except SystemExit as e:
            if e.code not in (None, 0):
                self._failed()
            elif not self._end():
                raise SystemExit(1) from None
            raise
        except BaseException:
            self._failed()
            raise
        if not self._end():
            raise SystemExit(1)

    def _end(self):
        recorder = self.recorder
        if not recorder.done and not recorder.runs:
            console.error(f"exec --record {recorder.path}: {recorder.program} ran no session: nothing is recorded")
            return False
        recorder.finish()
        return not recorder.unwritten

    def _failed(self):
        if not self.recorder.done:
            console.error(f"exec --record {self.recorder.path}: the program did not end well: nothing is recorded")


def _as_written(base):
    """Makes sessions run graphs as they are: optimizers fold constants and fuse ops, which changes the last bits."""
    import tensorflow.compat.v1 as v1

    plain = base.__init__

    def init(self, target="", graph=None, config=None):
        written = v1.ConfigProto()
        written.CopyFrom(config or written)
        written.graph_options.rewrite_options.disable_meta_optimizer = True
        plain(self, target, graph, written)

    base.__init__ = init


def _text(array):
    """Returns texts as an array of bytes. Returns None for other objects, and where zeros at an end would be lost.

    NumPy takes zeros at the end of a text for padding. A text alone is as long as its type: `tobytes` has all of it.
    """
    if not all(isinstance(x, (bytes, str)) for x in array.flat):
        return None
    texts = [x.encode() if isinstance(x, str) else x for x in array.flat]
    if any(x.endswith(b"\0") for x in texts) and (len(texts) > 1 or texts == [b"\0"]):
        return None
    return np.array(texts, dtype="S").reshape(array.shape)
