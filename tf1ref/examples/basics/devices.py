"""Devices: where an op is asked to run, and where it runs

Source: S0 1943-1987, S2 123-129, S3 295-306, 381-410, 505-510
TF1: tf.test and device_lib say what there is. v1.device asks for a device; the session places all nodes of its graph,
    and with soft placement takes what there is.
Now: tf.config lists the devices. tf.device asks for one. Soft placement is on for the whole process unless tf.config
    switches it off. v1.device also takes a function that chooses for every op; tf.device refuses one (RuntimeError).
    Two CPUs: ConfigProto(device_count={"CPU": 2}) a session; tf.config.set_logical_device_configuration before the
    first op of the process, which an example that shares a process cannot do.
Errata: S2 and S0 ask for a GPU without soft placement. Without a GPU the session refuses every run.
    S2 initializes before it has built the net that holds the variable. Only initialized_value() makes that work.
See: https://www.tensorflow.org/guide/gpu
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.client import device_lib

from tf1ref.catalog.figures import exactly
from tf1ref.examples.basics._errors import error_of

CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
# No machine has this device, so that every machine shows what happens without a GPU.
NO_SUCH_GPU = "/gpu:99"
NO_SUCH_JOB = "/job:nobody"
ONE = 1.0
TWO = 2.0
THREE = 3.0
FOUR = 4.0
PAIR = (1.0, 2.0)
SIX = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
CPUS = 2

EXPECTED = {
    "forward/sum": exactly(3),
    "devices/sum": exactly(CPU),
    "forward/c": exactly(3.0),
    "forward/f": exactly(7.0),
    "devices/f": exactly(CPU),
    "forward/result": exactly([2.0, 4.0]),
    "forward/product": exactly([[22.0, 28.0], [49.0, 64.0]]),
    "forward/unknown_job_is_error": exactly("InvalidArgumentError"),
    "forward/bad_device_is_error": exactly("ValueError"),
}


def build_graph():
    """Adds sums on the CPU and on a missing GPU to the default graph. Inner devices override outer ones."""
    pair = v1.placeholder(v1.float32, [2], name="pair")
    one = v1.placeholder(v1.int32, [], name="one")
    with v1.device("/cpu:0"):
        total = v1.add(one, 2, name="sum")
        c = v1.add(v1.constant(ONE), v1.constant(TWO), name="c")
    with v1.device(NO_SUCH_GPU):
        # There is neither a GPU nor a kernel for one. Soft placement moves the variable and the sum to the CPU.
        d = v1.Variable(THREE, name="d")
        f = v1.add(d.read_value(), FOUR, name="f")
        result = v1.add(pair, pair, name="result")
        a, b = v1.constant(SIX, shape=[2, 3], name="a"), v1.constant(SIX, shape=[3, 2], name="b")
        with v1.device("/cpu:0"):
            inner = v1.constant(ONE)
        with v1.device(None):
            anywhere = v1.constant(ONE)
    asked = [total.device, f.device, inner.device, anywhere.device]
    # S3 writes this outside of the block. Only its operands are on the GPU.
    product = v1.matmul(a, b, name="product")
    ends = {"sum": total, "c": c, "f": f, "result": result, "product": product}
    return {"pair": pair, "one": one, "asked": asked, **ends}


def joined_device():
    """Returns the device of a node under two scopes. Its graph never runs, because no session here has a job `ps`."""
    with v1.Graph().as_default(), v1.device("/job:ps"), v1.device("/cpu:0"):
        return v1.constant(ONE).device


def devices_graph():
    """Returns what S3 asks for before its first program. device_lib starts every device, which takes its memory."""
    return {
        "devices/built_with_cuda": v1.test.is_built_with_cuda(),
        "devices/gpu_available": v1.test.is_gpu_available(),
        "devices/types": sorted({device.device_type for device in device_lib.list_local_devices()}),
    }


def placed(metadata):
    """Returns {name: device} of the nodes of a run: the data that log_device_placement=True prints."""
    return {node.name: node.device for graph in metadata.partition_graphs for node in graph.node}


def run_on(device, soft=True):
    """Runs one sum on `device` in a session of two CPUs; returns the sum and where it ran."""
    config = v1.ConfigProto(device_count={"CPU": CPUS, "GPU": 0}, allow_soft_placement=soft)
    options, metadata = v1.RunOptions(output_partition_graphs=True), v1.RunMetadata()
    with v1.Graph().as_default(), v1.Session(config=config) as sess:
        x = v1.placeholder(v1.float32, [], name="x")
        with v1.device(device):
            total = v1.add(x, TWO, name="total")
        value = sess.run(total, {x: ONE}, options=options, run_metadata=metadata)
    return value, placed(metadata)["total"]


def run_graph():
    """One node that cannot be placed makes every run of its session fail: InvalidArgumentError."""
    config = v1.ConfigProto(allow_soft_placement=True, log_device_placement=False)
    options, metadata = v1.RunOptions(output_partition_graphs=True), v1.RunMetadata()
    with v1.Graph().as_default():
        g = build_graph()
        with v1.Session(config=config) as sess:
            sess.run(v1.global_variables_initializer())
            fetched = {key: g[key] for key in ("sum", "c", "f", "result", "product")}
            values = sess.run(fetched, {g["one"]: 1, g["pair"]: PAIR}, options=options, run_metadata=metadata)
    where = placed(metadata)
    trace = {f"forward/{key}": value for key, value in values.items()}
    trace |= {f"devices/{key}": where[key] for key in ("sum", "f", "result")}
    trace |= devices_graph()
    trace["devices/asked"] = [*g["asked"], joined_device()]
    trace["forward/second_cpu"], second = run_on("/cpu:1", soft=False)
    assert second == CPU[:-1] + "1"
    assert error_of(run_on, NO_SUCH_GPU, False) == "InvalidArgumentError"
    trace["forward/unknown_job_is_error"] = error_of(run_on, NO_SUCH_JOB)
    trace["forward/bad_device_is_error"] = error_of(lambda: v1.device("/nonsense:x").__enter__())
    return {key: np.array(value) for key, value in trace.items()}


class Net(tf.Module):
    """Sums on the CPU and on a GPU that does not exist; `asked` keeps the devices named in the trace."""

    def __init__(self):
        super().__init__()
        with tf.device(NO_SUCH_GPU):
            self.d = tf.Variable(THREE, name="d")
        self.asked = []

    @tf.function
    def on_cpu(self, one):
        """Returns an int32 and a float32 sum."""
        with tf.device("/cpu:0"):
            total = tf.add(one, 2)
            c = tf.add(tf.constant(ONE), tf.constant(TWO))
        self.asked.append(total.device)
        return total, c

    @tf.function
    def on_gpu(self, pair):
        """Returns 3 + 4, the doubled pair and S3's product; inner devices override outer ones, part by part."""
        with tf.device(NO_SUCH_GPU):
            f = tf.add(self.d.read_value(), FOUR)
            result = tf.add(pair, pair)
            a, b = tf.constant(SIX, shape=[2, 3]), tf.constant(SIX, shape=[3, 2])
            with tf.device("/cpu:0"):
                inner = tf.constant(ONE)
            with tf.device(None):
                anywhere = tf.constant(ONE)
        self.asked.extend([f.device, inner.device, anywhere.device])
        return f, result, tf.matmul(a, b)

    @tf.function
    def on_two(self):
        """Returns a node under two scopes. It is only traced, because no process here has a job `ps`."""
        with tf.device("/job:ps"), tf.device("/cpu:0"):
            self.asked.append(tf.constant(ONE).device)

    @tf.function
    def on(self, device, x):
        """Returns x + TWO on `device`, a string."""
        with tf.device(device):
            return tf.add(x, TWO)


def devices_function():
    """Returns the same lists. Listing physical devices starts none of them."""
    return {
        "devices/built_with_cuda": tf.test.is_built_with_cuda(),
        "devices/gpu_available": bool(tf.config.list_physical_devices("GPU")),
        "devices/types": sorted({device.device_type for device in tf.config.list_physical_devices()}),
    }


def run_function():
    """A result has a device: tensor.device. A second CPU is used only if there is one."""
    net = Net()
    total, c = net.on_cpu(tf.constant(1))
    f, result, product = net.on_gpu(tf.constant(PAIR))
    trace = {"forward/sum": total, "forward/c": c, "forward/f": f, "forward/result": result}
    trace["forward/product"] = product
    trace["forward/second_cpu"] = net.on("/cpu:1", tf.constant(ONE))
    trace = {key: value.numpy() for key, value in trace.items()}
    trace |= {"devices/sum": total.device, "devices/f": f.device, "devices/result": result.device}
    trace |= devices_function()
    net.on_two.get_concrete_function()
    trace["devices/asked"] = net.asked
    trace["forward/unknown_job_is_error"] = error_of(net.on, NO_SUCH_JOB, tf.constant(ONE))
    trace["forward/bad_device_is_error"] = error_of(lambda: tf.device("/nonsense:x").__enter__())
    return {key: np.array(value) for key, value in trace.items()}
