"""SavedModels of an Estimator: the inputs and outputs of serving, and the folder that is written."""

import os
import shutil
import time
from typing import NamedTuple

import tensorflow.compat.v1 as v1

from tf1ref.errors import InputError


class _Receiver(NamedTuple):
    features: object
    receiver_tensors: dict
    receiver_tensors_alternatives: dict


class ServingInputReceiver(_Receiver):
    """Features for the model, and the placeholders that serving feeds: {name: tensor} or one tensor.

    receiver_tensors_alternatives: {name of a signature: {name: tensor}}, tensors that may be fed instead. Raises
    ValueError for features or tensors that are missing or of another type, and for alternatives that are not a dict.
    """

    __slots__ = ()

    def __new__(cls, features, receiver_tensors, receiver_tensors_alternatives=None):
        features = _named(features, "feature", kinds=(str, int))
        alternatives = receiver_tensors_alternatives
        if alternatives is not None:
            if not isinstance(alternatives, dict):
                raise ValueError(f"receiver_tensors_alternatives must be a dict: {alternatives}.")
            alternatives = {key: _named(each, "receiver_tensor") for key, each in alternatives.items()}
        return super().__new__(cls, features, _named(receiver_tensors, "receiver_tensor", "input"), alternatives)


class TensorServingInputReceiver(_Receiver):
    """A ServingInputReceiver for a model whose features are one tensor."""

    __slots__ = ()

    def __new__(cls, features, receiver_tensors, receiver_tensors_alternatives=None):
        if features is None:
            raise ValueError("features must be defined.")
        if not isinstance(features, (v1.Tensor, v1.SparseTensor)):
            raise ValueError("feature must be a Tensor or SparseTensor.")
        made = ServingInputReceiver(features, receiver_tensors, receiver_tensors_alternatives)
        return super().__new__(cls, features, made.receiver_tensors, made.receiver_tensors_alternatives)


def _named(tensors, what, single=None, kinds=(str,)):
    """Returns {name: tensor}. A single tensor gets the name `single`, or `what`."""
    if tensors is None:
        raise ValueError(f"{what}s must be defined.")
    if not isinstance(tensors, dict):
        tensors = {single or what: tensors}
    for name, tensor in tensors.items():
        if not isinstance(name, kinds):
            raise ValueError(f"{what} keys must be {'strings or ints' if int in kinds else 'strings'}: {name}.")
        # What a labeled tensor has in its `tensor` is one, too.
        if not isinstance(getattr(tensor, "tensor", tensor), (v1.Tensor, v1.SparseTensor)):
            raise ValueError(f"{what} {name} must be a Tensor or SparseTensor.")
    return tensors


def build_raw_serving_input_receiver_fn(features, default_batch_size=None):
    """Returns a function that makes a placeholder like each tensor of `features`, {name: tensor}."""

    def receiver():
        fed = {
            name: v1.placeholder(t.dtype, _with_batch(t.shape, default_batch_size), name=_name(t, name))
            for name, t in features.items()
        }
        return ServingInputReceiver(dict(fed), fed)

    return receiver


def _with_batch(shape, size):
    return v1.TensorShape(None) if shape.rank is None else [size, *shape.as_list()[1:]]


def _name(tensor, otherwise):
    """Returns the name of a tensor's op. A tensor of code that runs eagerly has none."""
    try:
        return tensor.op.name
    except AttributeError:
        return str(otherwise)


def build_parsing_serving_input_receiver_fn(feature_spec, default_batch_size=None):
    """Returns a function that parses serialized tf.Examples. feature_spec: that of v1.parse_example."""

    def receiver():
        serialized = v1.placeholder(v1.string, [default_batch_size], name="input_example_tensor")
        return ServingInputReceiver(v1.parse_example(serialized, feature_spec), {"examples": serialized})

    return receiver


class ExportOutput:
    """The base class of what a model function gives for export."""


class PredictOutput(ExportOutput):
    """An output of any tensors by name."""

    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME

    def __init__(self, outputs):
        self.outputs = outputs if isinstance(outputs, dict) else {"output": outputs}


class ClassificationOutput(ExportOutput):
    """An output of scores [batch, classes], of classes as strings, or of both."""

    method = v1.saved_model.signature_constants.CLASSIFY_METHOD_NAME

    def __init__(self, scores=None, classes=None):
        if scores is None and classes is None:
            raise ValueError("At least one of scores and classes must be set.")
        self.scores, self.classes = scores, classes
        self.outputs = {k: v for k, v in (("scores", scores), ("classes", classes)) if v is not None}


class RegressionOutput(ExportOutput):
    """An output of one value for each example."""

    method = v1.saved_model.signature_constants.REGRESS_METHOD_NAME

    def __init__(self, value):
        self.value, self.outputs = value, {"outputs": value}


def completed(outputs, predictions):
    """Returns the outputs of a model with one that serves by default: the only one, or all predictions.

    Raises TypeError for outputs that are not a dict of ExportOutputs, and ValueError for several without the default.
    """
    key = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    if not outputs:
        return {key: PredictOutput(predictions)}
    if not isinstance(outputs, dict):
        raise TypeError(f"export_outputs must be dict, given: {outputs}")
    if not all(isinstance(each, ExportOutput) for each in outputs.values()):
        raise TypeError(f"Values in export_outputs must be ExportOutput objects. Given: {outputs}")
    if len(outputs) > 1 and key not in outputs:
        raise ValueError(
            "Multiple export_outputs were provided, but none of them is specified as the default.  Do this by naming "
            "one of them with signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY."
        )
    return outputs if key in outputs else {key: next(iter(outputs.values())), **outputs}


def write(spec, receiver, export_dir_base, checkpoint, assets_extra, as_text):
    """Restores `checkpoint` into the default graph and writes the SavedModel. Returns its folder as bytes."""
    signatures = _signatures(receiver, spec.export_outputs)
    folder = _new_folder(export_dir_base)
    part = os.path.join(os.path.dirname(folder), f"temp-{os.path.basename(folder)}")
    try:
        with v1.Session() as sess:
            saver = spec.scaffold.saver or v1.train.Saver(sharded=True)
            saver.restore(sess, checkpoint)
            builder = v1.saved_model.Builder(part)
            builder.add_meta_graph_and_variables(
                sess,
                [v1.saved_model.tag_constants.SERVING],
                signature_def_map=signatures,
                assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
                main_op=spec.scaffold.local_init_op or v1.train.Scaffold.default_local_init_op(),
                strip_default_attrs=True,
                saver=saver,
            )
            builder.save(as_text)
        for name, source in (assets_extra or {}).items():
            target = os.path.join(part, "assets.extra", name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(source, target)
        os.rename(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder.encode()


def _signatures(receiver, outputs):
    """Returns {name: signature}: of each output, and of each with each alternative, named `alternative:output`."""
    found = {name: _signature(receiver.receiver_tensors, output) for name, output in outputs.items()}
    for other, tensors in (receiver.receiver_tensors_alternatives or {}).items():
        found.update({f"{other}:{name}": _signature(tensors, output) for name, output in outputs.items()})
    return found


def _signature(inputs, output):
    info = v1.saved_model.utils.build_tensor_info
    only = next(iter(inputs.values())) if len(inputs) == 1 else None
    if not isinstance(output, PredictOutput) and only is not None and only.dtype == v1.string:
        inputs = {"inputs": only}  # how a server calls the examples of a classification or a regression
    named = ({name: info(tensor) for name, tensor in each.items()} for each in (inputs, output.outputs))
    return v1.saved_model.signature_def_utils.build_signature_def(*named, output.method)


def _new_folder(base):
    base = base.decode() if isinstance(base, bytes) else os.fspath(base)
    try:
        os.makedirs(base, exist_ok=True)
    except OSError as e:
        raise InputError(f"{base}: cannot be written: {e.strerror}") from e
    stamp = int(time.time())
    while os.path.exists(os.path.join(base, str(stamp))):
        stamp += 1
    return os.path.join(base, str(stamp))
