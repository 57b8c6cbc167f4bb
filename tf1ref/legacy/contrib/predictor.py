"""tf.contrib.predictor: a SavedModel or an Estimator as a function of arrays, with its own session."""

import tensorflow.compat.v1 as v1

__all__ = ["from_estimator", "from_saved_model"]


class Predictor:
    """A function from {name: array} to {name: array}. feed_tensors and fetch_tensors have the names."""

    def __init__(self, graph, session, feed_tensors, fetch_tensors):
        self._graph, self._session = graph, session
        self._feed_tensors, self._fetch_tensors = feed_tensors, fetch_tensors

    graph = property(lambda self: self._graph)
    session = property(lambda self: self._session)
    feed_tensors = property(lambda self: self._feed_tensors)
    fetch_tensors = property(lambda self: self._fetch_tensors)

    def __call__(self, input_dict):
        """Returns the outputs. Raises ValueError for inputs of other names than feed_tensors."""
        strange = set(input_dict) - set(self._feed_tensors)
        if strange:
            raise ValueError(f"Got unexpected keys in input_dict: {strange}\nexpected: {set(self._feed_tensors)}")
        feed = {self._feed_tensors[key]: value for key, value in input_dict.items()}
        return self._session.run(self._fetch_tensors, feed)


def from_saved_model(
    export_dir,
    signature_def_key=None,
    signature_def=None,
    input_names=None,
    output_names=None,
    tags=None,
    graph=None,
    config=None,
):
    """Returns a Predictor of a SavedModel's signature, or of tensors by name: {key: tensor name}.

    Raises ValueError when both a signature and tensors are given, and for a signature that does not exist.
    """
    if (signature_def_key or signature_def) and (input_names or output_names):
        raise ValueError("You can not specify both a signature and input_names or output_names.")
    tags = tags.split(",") if isinstance(tags, str) else tags or [v1.saved_model.tag_constants.SERVING]
    graph = graph or v1.Graph()
    with graph.as_default():
        session = v1.Session(config=config)
        meta = v1.saved_model.loader.load(session, tags, export_dir)
    if not (input_names and output_names):
        signature = signature_def or _signature(meta, signature_def_key)
        input_names = {key: info.name for key, info in signature.inputs.items()}
        output_names = {key: info.name for key, info in signature.outputs.items()}
    tensors = ({k: graph.get_tensor_by_name(n) for k, n in names.items()} for names in (input_names, output_names))
    return Predictor(graph, session, *tensors)


def _signature(meta, key):
    key = key or v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    if key not in meta.signature_def:
        raise ValueError(f"Got signature_def_key {key!r}. Available signatures are {sorted(meta.signature_def)}.")
    return meta.signature_def[key]


def from_estimator(estimator, serving_input_receiver_fn, output_key=None, graph=None, config=None):
    """Returns a Predictor of the last checkpoint of a tf.estimator.Estimator.

    output_key: one of the model's export outputs. Raises ValueError when the checkpoint or the output does not exist.
    """
    checkpoint = estimator.latest_checkpoint()
    if not checkpoint:
        raise ValueError(f"Estimator has not been trained yet: no checkpoint in {estimator.model_dir}")
    graph = graph or v1.Graph()
    with graph.as_default():
        v1.train.get_or_create_global_step()
        receiver = serving_input_receiver_fn()
        spec = estimator._call(receiver.features, None, "infer")
        feed = receiver.receiver_tensors
        feed = feed if isinstance(feed, dict) else {"input": feed}
        session = v1.train.MonitoredSession(
            v1.train.ChiefSessionCreator(config=config, checkpoint_filename_with_path=checkpoint)
        )
    outputs = spec.predictions
    if spec.export_outputs:
        key = output_key or v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        if output_key and output_key not in spec.export_outputs:
            raise ValueError(f"output_key must be one of {sorted(spec.export_outputs)}, not {output_key!r}")
        chosen = spec.export_outputs.get(key) or next(iter(spec.export_outputs.values()))
        outputs = getattr(chosen, "outputs", None) or outputs
    return Predictor(graph, session, feed, outputs if isinstance(outputs, dict) else {"output": outputs})
