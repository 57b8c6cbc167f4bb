"""What an event file holds, as TensorBoard's own loader reads it."""


def events_of(folder):
    """What TensorBoard loads: its server's accumulator, which turns v1's summaries into tensors, too."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def values(events, tag):
    """Returns (steps, values) of a tag."""
    from tensorboard.util.tensor_util import make_ndarray

    rows = events.Tensors(tag)
    return [row.step for row in rows], [make_ndarray(row.tensor_proto) for row in rows]


def nodes(events):
    """Returns the names in the graph."""
    from tensorflow.core.framework.graph_pb2 import GraphDef

    return {node.name for node in GraphDef.FromString(events.Graph().SerializeToString()).node}
