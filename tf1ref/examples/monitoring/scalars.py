"""Scalars, histograms, a picture, a sound and the graph in an event file

Source: S0 199-240, S2 149-155, S3 4398-4411
TF1: a summary is an op that returns bytes; merge_all gathers them, a FileWriter puts what a run returned into a file.
Now: tf.summary writes where its line is reached, to the writer in scope, under the step given to it.
Errata: S0 runs the graph twice a step, once for y and once for the summaries; one run fetches both.
    S2 summarizes weight and bias of a layer under the same names, which the unnamed Mean, Max and Min ops have taken
    before (case does not count). Its tags are layer1/mean_2, max_1, min_1 for the weight, and mean_5, stddev_1, max_3,
    min_3 for the bias. Here each has a scope. S2 puts all 55,000 images through the net a hundred times and changes
    nothing, so its hundred records are equal. Here another picture comes at every step.
    S3's tf.train.SummaryWriter is older than TF 1.0; it is FileWriter now.
    The halves differ in two points. v1 keeps histograms in buckets that grow by a tenth (with their minimum and
    maximum), tf.summary in 30 of equal width. And v1 names a picture `input/picture/image` and a sound
    `input/tone/audio`, tf.summary `input/picture` and `input/tone`.
See: https://www.tensorflow.org/tensorboard/get_started
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

SEED = 7
STEPS = 100
SIDE = 4
UNITS = 3
SAMPLE_RATE = 8000  # samples in a second
SAMPLES = 80
K = 5.0
BIAS = 0.1

EXPECTED = {
    "steps/line/x": exactly([float(i) for i in range(100)]),
    "steps/line/y": exactly([5.0 * i for i in range(100)]),
}


def picture(step):
    """Returns one grey picture, uint8 (1, SIDE, SIDE, 1): a ramp that moves by one pixel in each step."""
    ramp = np.arange(SIDE * SIDE, dtype=np.uint8) * 16
    return np.roll(ramp, step).reshape(1, SIDE, SIDE, 1)


def tone(step):
    """Returns one sound of one channel, float32 (1, SAMPLES, 1) from -1 to 1: a tone that rises with the step."""
    time = np.arange(SAMPLES) / SAMPLE_RATE
    return np.sin(2 * np.pi * (400 + 10 * step) * time).astype(np.float32).reshape(1, SAMPLES, 1)


def as_trace(events, products):
    """Returns the trace of [(tag, step, value)], and the names of the products in the graph that was written.

    tags: in the order written. at/TAG: the steps. steps/TAG: the values, one row for each step.
    """
    values = {}
    for tag, step, value in events:
        values.setdefault(tag, []).append((step, value))
    trace = {"tags": np.array(list(values), dtype=bytes), "products": np.array(sorted(products), dtype=bytes)}
    for tag, rows in values.items():
        trace[f"at/{tag}"] = np.array([step for step, _ in rows])
        trace[f"steps/{tag}"] = np.array([value for _, value in rows])
    return trace


def add_statistics(tensor, name):
    """Adds the summaries of one tensor, under `name`: mean, standard deviation, extremes and histogram."""
    with v1.name_scope(name):
        # The tag of a summary is its op's name, which must be free. "Mean", reduce_mean's default, takes "mean".
        mean = v1.reduce_mean(tensor, name="average")
        variance = v1.reduce_mean(v1.square(tensor - mean), name="variance")
        v1.summary.scalar("mean", mean)
        v1.summary.scalar("stddev", v1.sqrt(variance))
        v1.summary.scalar("max", v1.reduce_max(tensor, name="greatest"))
        v1.summary.scalar("min", v1.reduce_min(tensor, name="least"))
        v1.summary.histogram("histogram", tensor)


def build_graph():
    """Adds the line, the layer and their summaries to the default graph. Each scope is a box in TensorBoard."""
    with v1.name_scope("input"):
        x = v1.placeholder(v1.float32, [1, 1], name="x")
        pixels = v1.placeholder(v1.uint8, [1, SIDE, SIDE, 1], name="pixels")
        v1.summary.image("picture", pixels, max_outputs=1)
        sound = v1.placeholder(v1.float32, [1, SAMPLES, 1], name="sound")
        v1.summary.audio("tone", sound, SAMPLE_RATE, max_outputs=1)
        flat = v1.reshape(v1.cast(pixels, v1.float32), [1, SIDE * SIDE], name="flat")
    with v1.variable_scope("line"):
        k = v1.get_variable("k", initializer=[[K]])
        y = v1.matmul(k, x, name="product")
        v1.summary.scalar("x", v1.reduce_mean(x))
        v1.summary.scalar("y", v1.reduce_mean(y))
    with v1.variable_scope("layer1"):
        start = v1.random_normal_initializer(seed=1)
        weight = v1.get_variable("weight", [SIDE * SIDE, UNITS], initializer=start)
        bias = v1.get_variable("bias", [UNITS], initializer=v1.constant_initializer(BIAS))
        # The name is not "weight": the variable's scope has that name, and a second one would become weight_1.
        add_statistics(weight, "weights")
        add_statistics(bias, "biases")
        layer = v1.add(v1.matmul(flat, weight, name="product"), bias, name="sum")
        v1.summary.histogram("out", layer)
    return {"x": x, "pixels": pixels, "sound": sound, "y": y, "layer": layer, "summary": v1.summary.merge_all()}


def read_graph_events(folder):
    """Returns [(tag, step, value)] of an event file, and the names of the products in its graph.

    The value of a histogram is the number of values, the least and the greatest. That of a picture is its pixels, and
    that of a sound its samples.
    """
    events, products = [], []
    (file,) = (os.path.join(folder, name) for name in os.listdir(folder) if "tfevents" in name)
    for record in v1.python_io.tf_record_iterator(file):
        event = v1.Event.FromString(record)
        if event.graph_def:
            nodes = v1.GraphDef.FromString(event.graph_def).node
            products = [node.name for node in nodes if node.op == "MatMul"]
        for value in event.summary.value:
            kind = value.WhichOneof("value")
            if kind == "histo":
                array = np.float32([value.histo.num, value.histo.min, value.histo.max])
            elif kind == "image":
                array = decode(v1.image.decode_png, value.image.encoded_image_string)
            elif kind == "audio":
                array = decode(v1.audio.decode_wav, value.audio.encoded_audio_string).audio
            else:
                array = np.float32(value.simple_value)
            events.append((value.tag.removesuffix("/image").removesuffix("/audio"), event.step, array))
    return events, products


def decode(op, encoded):
    """Runs a decoder in a graph of its own, and returns the result."""
    with v1.Graph().as_default(), v1.Session() as sess:
        return sess.run(op(encoded))


def run_graph(steps=STEPS, out=None):
    """One run in each step fetches y and the summaries. `out`: the event file's folder, or None for a temporary one."""
    with tempfile.TemporaryDirectory() as folder:
        folder = out or folder
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.set_random_seed(SEED)
            graph = build_graph()
            sess.run(v1.global_variables_initializer())
            writer = v1.summary.FileWriter(folder, sess.graph)
            layers = []
            for i in range(steps):
                feed = {graph["x"]: [[i]], graph["pixels"]: picture(i), graph["sound"]: tone(i)}
                summary, layer = sess.run([graph["summary"], graph["layer"]], feed)
                writer.add_summary(summary, i)
                layers.append(layer)
            writer.close()
        return {**as_trace(*read_graph_events(folder)), "steps/layer": np.array(layers)}


class Model(tf.Module):
    """The same line and layer. The summaries are lines of the function."""

    def __init__(self):
        super().__init__()
        self.k = tf.Variable([[K]], name="line/k")
        self.weight = tf.Variable(tf.random.normal([SIDE * SIDE, UNITS], seed=1), name="layer1/weight")
        self.bias = tf.Variable(tf.fill([UNITS], BIAS), name="layer1/bias")

    def write_statistics(self, tensor, name, step):
        """Writes the five summaries of one tensor."""
        with tf.name_scope(name):
            mean = tf.reduce_mean(tensor)
            tf.summary.scalar("mean", mean, step)
            tf.summary.scalar("stddev", tf.sqrt(tf.reduce_mean(tf.square(tensor - mean))), step)
            tf.summary.scalar("max", tf.reduce_max(tensor), step)
            tf.summary.scalar("min", tf.reduce_min(tensor), step)
            tf.summary.histogram("histogram", tensor, step)

    @tf.function
    def run(self, x, pixels, sound, step):
        """Writes all summaries of one step (an int64 scalar); returns the layer (1, UNITS)."""
        with tf.name_scope("input"):
            tf.summary.image("picture", pixels, step)
            tf.summary.audio("tone", sound, SAMPLE_RATE, step, encoding="wav")
            flat = tf.reshape(tf.cast(pixels, tf.float32), [1, SIDE * SIDE], name="flat")
        with tf.name_scope("line"):
            y = tf.matmul(self.k, x, name="product")
            tf.summary.scalar("x", tf.reduce_mean(x), step)
            tf.summary.scalar("y", tf.reduce_mean(y), step)
        with tf.name_scope("layer1"):
            self.write_statistics(self.weight, "weights", step)
            self.write_statistics(self.bias, "biases", step)
            layer = tf.add(tf.matmul(flat, self.weight, name="product"), self.bias, name="sum")
            tf.summary.histogram("out", layer, step)
        return layer


def read_function_events(folder):
    """Returns what `read_graph_events` returns. Here every value is a tensor, and a plugin's name tells its kind."""
    events, products = [], []
    (file,) = (os.path.join(folder, name) for name in os.listdir(folder) if "tfevents" in name)
    for record in tf.data.TFRecordDataset(file):
        event = tf.compat.v1.Event.FromString(record.numpy())
        if event.graph_def:
            nodes = tf.compat.v1.GraphDef.FromString(event.graph_def).node
            products = [node.name for node in nodes if node.op == "MatMul"]
        for value in event.summary.value:
            array = tf.make_ndarray(value.tensor)
            kind = value.metadata.plugin_data.plugin_name
            if kind == "histograms":  # rows of (left edge, right edge, count)
                array = np.float32([array[:, 2].sum(), array[0, 0], array[-1, 1]])
            elif kind == "images":  # width, height, then a PNG each
                array = tf.io.decode_png(array[2]).numpy()
            elif kind == "audio":  # rows of (WAV, label)
                array = tf.audio.decode_wav(array[0, 0]).audio.numpy()
            events.append((value.tag, event.step, array))
    return events, products


def run_function(steps=STEPS, out=None):
    """The writer is a context. The graph of a traced function is written like any summary."""
    tf.random.set_seed(SEED)
    model = Model()
    layers = []
    with tempfile.TemporaryDirectory() as folder:
        folder = out or folder
        writer = tf.summary.create_file_writer(os.fspath(folder))
        with writer.as_default():
            for i in range(steps):
                inputs = tf.constant([[float(i)]]), tf.constant(picture(i)), tf.constant(tone(i))
                layers.append(model.run(*inputs, tf.constant(i, tf.int64)).numpy())
            tf.summary.graph(model.run.get_concrete_function(*inputs, tf.constant(0, tf.int64)).graph)
        writer.close()
        return {**as_trace(*read_function_events(folder)), "steps/layer": np.array(layers)}
