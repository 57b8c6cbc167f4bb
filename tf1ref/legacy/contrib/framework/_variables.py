"""tf.contrib.framework's variables: made in collections and on devices, and found by name."""

import re

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope


@add_arg_scope
def variable(
    name,
    shape=None,
    dtype=None,
    initializer=None,
    regularizer=None,
    trainable=True,
    collections=None,
    caching_device=None,
    device=None,
    partitioner=None,
    custom_getter=None,
    use_resource=None,
    synchronization=v1.VariableSynchronization.AUTO,
    aggregation=v1.VariableAggregation.NONE,
):
    """get_variable with a device. collections: None means GLOBAL_VARIABLES; a list replaces it.

    device: a name, or a function of the op to be placed, such as a VariableDeviceChooser.
    """
    collections = list(collections if collections is not None else [v1.GraphKeys.GLOBAL_VARIABLES])
    getter = v1.get_variable if custom_getter is None else _partial(custom_getter, v1.get_variable)
    with v1.device(device or ""):
        return getter(
            name,
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            regularizer=regularizer,
            trainable=trainable,
            collections=list(dict.fromkeys(collections)),
            caching_device=caching_device,
            partitioner=partitioner,
            use_resource=use_resource,
            synchronization=synchronization,
            aggregation=aggregation,
        )


def _partial(custom_getter, getter):
    return lambda *args, **kwargs: custom_getter(getter, *args, **kwargs)


@add_arg_scope
def model_variable(
    name,
    shape=None,
    dtype=v1.float32,
    initializer=None,
    regularizer=None,
    trainable=True,
    collections=None,
    caching_device=None,
    device=None,
    partitioner=None,
    custom_getter=None,
    use_resource=None,
    synchronization=v1.VariableSynchronization.AUTO,
    aggregation=v1.VariableAggregation.NONE,
):
    """A `variable` that is in MODEL_VARIABLES, too."""
    collections = [*(collections or []), v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.MODEL_VARIABLES]
    # The call goes by name: an arg_scope may have defaults for `variable`, too, and the call's own arguments come
    # first.
    return variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=trainable,
        collections=collections, caching_device=caching_device, device=device, partitioner=partitioner,
        custom_getter=custom_getter, use_resource=use_resource, synchronization=synchronization,
        aggregation=aggregation,
    )  # fmt: skip


def local_variable(initial_value, validate_shape=True, name=None, use_resource=None):
    """Returns a variable in LOCAL_VARIABLES. It is not trained."""
    return _untrained(v1.GraphKeys.LOCAL_VARIABLES, initial_value, validate_shape, name, use_resource)


def global_variable(initial_value, validate_shape=True, name=None, use_resource=None):
    """Returns a variable in GLOBAL_VARIABLES. It is not trained."""
    return _untrained(v1.GraphKeys.GLOBAL_VARIABLES, initial_value, validate_shape, name, use_resource)


def _untrained(collection, initial_value, validate_shape, name, use_resource):
    return v1.Variable(
        initial_value,
        trainable=False,
        collections=[collection],
        validate_shape=validate_shape,
        name=name,
        use_resource=use_resource,
    )


def add_model_variable(var):
    """Adds a variable to MODEL_VARIABLES, unless it is there already."""
    if all(var is not known for known in v1.get_collection(v1.GraphKeys.MODEL_VARIABLES)):
        v1.add_to_collection(v1.GraphKeys.MODEL_VARIABLES, var)


def get_variables(scope=None, suffix=None, collection=v1.GraphKeys.GLOBAL_VARIABLES):
    """Returns the variables of a collection below `scope` (a name or VariableScope) whose names end in `suffix`."""
    scope = scope.name if isinstance(scope, v1.VariableScope) else scope
    if suffix is not None:
        suffix = suffix if ":" in suffix else suffix + ":"
        scope = f"{scope or ''}.*{suffix}"
    return v1.get_collection(collection, scope)


def get_model_variables(scope=None, suffix=None):
    """Calls get_variables with the collection MODEL_VARIABLES."""
    return get_variables(scope, suffix, v1.GraphKeys.MODEL_VARIABLES)


def get_local_variables(scope=None, suffix=None):
    """Calls get_variables with the collection LOCAL_VARIABLES."""
    return get_variables(scope, suffix, v1.GraphKeys.LOCAL_VARIABLES)


def get_trainable_variables(scope=None, suffix=None):
    """Calls get_variables with the collection TRAINABLE_VARIABLES."""
    return get_variables(scope, suffix, v1.GraphKeys.TRAINABLE_VARIABLES)


def get_variables_by_suffix(suffix, scope=None):
    """Returns the global variables whose names end in `suffix`."""
    return get_variables(scope, suffix)


def get_variables_by_name(given_name, scope=None):
    """Returns the variables whose names have `given_name` as their last part."""
    return get_variables(scope, f"/{given_name}:|^{given_name}:")


def get_unique_variable(var_op_name):
    """Returns the variable of that op name.

    Raises ValueError when it does not exist, or several names begin with it.
    """
    found = get_variables(var_op_name)
    if not found:
        raise ValueError(f"Couldn't find variable {var_op_name}")
    named = [each for each in found if each.op.name == var_op_name]
    if not named:
        raise ValueError(f"Variable {var_op_name} does not uniquely identify a variable")
    return named[0]


def get_variable_full_name(var):
    """Returns the name of the variable's op. For a part of a variable, it returns the name of the whole."""
    return var._save_slice_info.full_name if getattr(var, "_save_slice_info", None) else var.op.name


def get_variables_to_restore(include=None, exclude=None):
    """Returns the global variables below the scopes of `include` (default: all) and not below those of `exclude`.

    Raises TypeError for scopes that are not in a list.
    """
    for what, scopes in (("include", include), ("exclude", exclude)):
        if scopes is not None and not isinstance(scopes, (list, tuple)):
            raise TypeError(f"{what} is provided but is not a list or a tuple.")
    wanted = [v for scope in include for v in get_variables(scope)] if include is not None else get_variables()
    unwanted = {id(v) for scope in exclude or () for v in get_variables(scope)}
    return [v for v in wanted if id(v) not in unwanted]


def filter_variables(var_list, include_patterns=None, exclude_patterns=None, reg_search=True):
    """Returns the variables whose op names match a pattern of `include_patterns` and none of `exclude_patterns`."""
    match = re.search if reg_search else re.match
    if include_patterns:
        var_list = [v for v in var_list if any(match(pattern, v.op.name) for pattern in include_patterns)]
    return [v for v in var_list if not any(match(pattern, v.op.name) for pattern in exclude_patterns or ())]


class VariableDeviceChooser:
    """Places variables on the parameter servers in turn, or on one device. Called with an op, it returns a device."""

    def __init__(self, num_tasks=0, job_name="ps", device_type="CPU", device_index=0, replica=None):
        self._job, self._kind, self._index, self._replica = job_name, device_type, device_index, replica
        self._tasks, self._next = num_tasks, 0

    def __call__(self, op):
        spec = v1.DeviceSpec(replica=self._replica, device_type=self._kind, device_index=self._index)
        if self._tasks > 0:
            spec = spec.replace(job=self._job, task=self._next)
            self._next = (self._next + 1) % self._tasks
        return spec.to_string()


def zero_initializer(ref, use_locking=True, name="zero_initializer"):
    """Returns an op that fills a variable with zeros and returns it. A large variable needs no copy of the zeros.

    The op fails with an OpError for a variable that has a value already.
    """
    # An assignment to a resource variable has no lock.
    del use_locking
    fresh = v1.debugging.Assert(v1.logical_not(v1.is_variable_initialized(ref)), ["input is already initialized"])
    with v1.control_dependencies([fresh]):
        return v1.assign(ref, v1.zeros(ref.shape, ref.dtype.base_dtype), name=name)
