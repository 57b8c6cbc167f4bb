"""What a layer knows about itself: variables, losses, updates, calls, weights and arguments."""

import copy
import inspect

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.trackable import base as trackable
from tensorflow.python.trackable import data_structures
from tensorflow.python.util import nest

# The layer's own lists. Their contents are saved under the attributes that a subclass gives them.
_OWN = {"_trainable_weights", "_non_trainable_weights", "_losses", "_updates", "_calls", "_conditions"}


def _holds_trackable(value):
    if isinstance(value, (list, tuple)):
        return any(_holds_trackable(each) for each in value)
    if isinstance(value, dict):
        return any(_holds_trackable(each) for each in value.values())
    return isinstance(value, trackable.Trackable)


def _holds_tensor(value):
    return any(v1.is_tensor(each) or isinstance(each, v1.Variable) for each in nest.flatten(value))


class Tracked(tf.Module):
    """An object for tf.train.Checkpoint. Variables and layers that are its attributes are saved and restored.

    Layers of TensorFlow 1 are a tf.Module. So a layer of Keras that has one as an attribute trains its variables.
    """

    def __setattr__(self, name, value):
        if name not in _OWN and not name.startswith("_self_") and _holds_trackable(value):
            value = data_structures.sticky_attribute_assignment(trackable=self, value=value, name=name)
        object.__setattr__(self, name, value)  # tf.Module would wrap lists

    def _keep(self, attribute, value, names):
        """Sets an attribute whose objects are saved under names of their own. names: [(object, name)]."""
        vars(self)[attribute] = value
        for each, name in names:
            if isinstance(each, trackable.Trackable):
                self._track_trackable(each, name=name, overwrite=True)


class Record(Tracked):
    """The part of tf.layers.Layer that answers questions. `_layer.Layer` makes the variables and the ops."""

    def _begin(self, trainable, dtype):
        self.trainable, self.built = trainable, False
        self._dtype = None if dtype is None else v1.as_dtype(dtype).base_dtype
        self._trainable_weights, self._non_trainable_weights = [], []
        self._losses, self._updates, self._calls = [], [], []
        self._conditions = {}

    def __deepcopy__(self, memo):
        """Returns a copy with scopes and lists of its own. The graph and its tensors are shared."""
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        for name, value in vars(self).items():
            if name in _OWN or name == "_scope" or name.startswith("_self_"):
                value = copy.copy(value)
            elif name != "_graph" and not _holds_tensor(value):
                value = copy.deepcopy(value, memo)
            setattr(made, name, value)
        return made

    name = property(lambda self: self._name)
    dtype = property(lambda self: self._dtype)
    activity_regularizer = property(lambda self: self._activity_regularizer)
    losses = property(lambda self: loss_values(self._losses))
    updates = property(lambda self: list(self._updates) if self.trainable else [])
    trainable_weights = property(lambda self: list(self._trainable_weights) if self.trainable else [])
    trainable_variables = property(lambda self: self.trainable_weights)
    non_trainable_variables = property(lambda self: self.non_trainable_weights)
    weights = property(lambda self: self.trainable_weights + self.non_trainable_weights)
    variables = property(lambda self: self.weights)
    input = property(lambda self: self._only_call("input")[0])
    output = property(lambda self: self._only_call("output")[1])
    input_shape = property(lambda self: _shapes(self.input))
    output_shape = property(lambda self: _shapes(self.output))

    @property
    def non_trainable_weights(self):
        """The variables that are not trained."""
        frozen = [] if self.trainable else self._trainable_weights
        return list(frozen) + list(self._non_trainable_weights)

    @property
    def graph(self):
        """The graph of the layer. Raises RuntimeError when code runs eagerly, where there is no graph."""
        if v1.executing_eagerly():
            raise RuntimeError("Layer.graph not supported when executing eagerly.")
        return self._graph

    def _only_call(self, what):
        if not self._calls:
            raise AttributeError(f"Layer {self.name} is not connected, no {what} to return: it has not been called.")
        if len(self._calls) > 1 and any(call is not self._calls[0] for call in self._calls):
            raise AttributeError(
                f"Layer {self.name} has several calls, so its {what} is ill-defined: use get_{what}_at(number)."
            )
        return self._calls[0]

    def _call_at(self, number):
        if not self._calls:
            raise RuntimeError(f"Layer {self.name} has never been called and thus has no defined input or output.")
        if not 0 <= number < len(self._calls):
            raise ValueError(f"Layer {self.name} has been called {len(self._calls)} times: there is no call {number}")
        return self._calls[number]

    def get_input_at(self, node_index):
        """Returns the inputs of call number `node_index`, counted from 0.

        Raises RuntimeError before the first call, and ValueError for a call that does not exist.
        """
        return self._call_at(node_index)[0]

    def get_output_at(self, node_index):
        """Returns the outputs of that call."""
        return self._call_at(node_index)[1]

    def get_input_shape_at(self, node_index):
        """Returns the shape of that call's inputs, as a tuple."""
        return _shapes(self.get_input_at(node_index))

    def get_output_shape_at(self, node_index):
        """Returns the shape of that call's outputs."""
        return _shapes(self.get_output_at(node_index))

    def add_loss(self, losses, inputs=None):
        """Adds tensors to the layer's losses and to REGULARIZATION_LOSSES.

        A loss may be a function without arguments. When code runs eagerly, `losses` calls it each time.
        inputs: the tensors that the losses depend on, or None.
        """
        for loss in nest.flatten(losses):
            if callable(loss) and not v1.executing_eagerly_outside_functions():
                loss = loss()
            if loss is None:
                continue
            self._losses.append(loss)
            self._conditions[id(loss)] = inputs is not None
            if not v1.executing_eagerly():
                for value in loss_values([loss]):
                    v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, value)

    def add_update(self, updates, inputs=None):
        """Adds ops to the layer's updates and, unless the layer is not trainable, to UPDATE_OPS.

        When code runs eagerly, the updates have run already.
        """
        if v1.executing_eagerly():
            return
        for update in nest.flatten(updates):
            self._updates.append(update)
            self._conditions[id(update)] = inputs is not None
            if self.trainable:
                v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)

    def get_losses_for(self, inputs):
        """Returns the losses that depend on `inputs`. For None it returns those that were added without inputs."""
        return loss_values(self._of(self._losses, inputs))

    def get_updates_for(self, inputs):
        """Returns the updates that depend on `inputs`. For None it returns those that were added without inputs."""
        return self._of(self.updates, inputs)

    def _of(self, ops, inputs):
        if inputs is None:
            return [each for each in ops if not self._conditions[id(each)]]
        sources = {tensor.op for tensor in nest.flatten(inputs)}
        return [each for each in ops if _depends(getattr(each, "op", each), sources)]

    def get_weights(self):
        """Returns the values of the variables as arrays.

        In a graph they come from the default session. Raises ValueError without one.
        """
        if v1.executing_eagerly():
            return [variable.numpy() for variable in self.weights]
        return self._session().run([variable.read_value() for variable in self.weights])

    def set_weights(self, weights):
        """Assigns arrays to the variables, in the order of `weights`. Raises ValueError when they do not fit."""
        if len(weights) != len(self.weights):
            raise ValueError(f"Layer {self.name} has {len(self.weights)} weights, {len(weights)} were given")
        for variable, value in zip(self.weights, weights):
            if not variable.shape.is_compatible_with(getattr(value, "shape", ())):
                raise ValueError(f"{variable.name} is {variable.shape}, the weight given {value.shape}")
        for variable, value in zip(self.weights, weights):
            variable.assign(value) if v1.executing_eagerly() else variable.load(value, self._session())

    def _session(self):
        session = v1.get_default_session()
        if session is None:
            raise ValueError(f"Layer {self.name}: its weights live in a session: open one with `with tf.Session():`")
        return session

    def get_config(self):
        """Returns the constructor's arguments by name. Initializers and functions are included as they are."""
        names = dict.fromkeys(
            name
            for cls in type(self).__mro__
            for name in inspect.signature(cls.__init__).parameters
            if cls is not object
        )
        found = {name: getattr(self, name) for name in names if name != "self" and hasattr(self, name)}
        return {key: value for key, value in found.items() if not isinstance(value, trackable.Trackable)}

    @classmethod
    def from_config(cls, config):
        """Returns a layer that is made from get_config's arguments."""
        return cls(**config)

    def count_params(self):
        """Returns the number of elements of all variables. Raises ValueError before they are made."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built: call build(shape) first."
            )
        return sum(variable.get_shape().num_elements() for variable in self.weights)

    def compute_output_shape(self, input_shape):
        """Returns the TensorShape of the outputs for inputs of `input_shape`.

        Raises NotImplementedError where unknown.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say the shape of its outputs")


def loss_values(losses):
    """Returns the losses; those that are functions are called. A function may return None, which is left out."""
    found = [loss() if callable(loss) else loss for loss in losses]
    return [loss for loss in found if loss is not None]


def _shapes(tensors):
    return nest.map_structure(lambda tensor: tuple(tensor.shape.as_list()), tensors)


def _depends(op, sources):
    """Returns whether an op is computed from one of `sources`."""
    seen, waiting = set(), [op]
    while waiting:
        op = waiting.pop()
        if op in sources:
            return True
        if op not in seen:
            seen.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    return False
