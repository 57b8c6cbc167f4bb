"""What Keras 3, which plain `python` runs, refuses in a program for Keras 2: keywords, endings of files, methods."""

import ast

# {beginning of a name below keras: {keyword: what to write}}.
KEYWORDS = {
    "keras.optimizers.": {"lr": "learning_rate=", "decay": "a schedule of keras.optimizers.schedules as learning_rate"},
    "keras.callbacks.ModelCheckpoint": {"period": "save_freq="},
    "keras.layers.BatchNormalization": dict.fromkeys(("fused", "virtual_batch_size"), "leave it out"),
    "keras.layers.": dict.fromkeys(("batch_input_shape", "time_major", "weights"), "leave it out"),
}  # fmt: skip
# Methods of models that Keras 3 removed.
METHODS = {
    "evaluate_generator": "model.evaluate",
    "fit_generator": "model.fit",
    "predict_classes": "model.predict(x).argmax(-1)",
    "predict_generator": "model.predict",
    "predict_proba": "model.predict",
}
WEIGHTS, MODELS = (".weights.h5",), (".keras", ".h5", ".hdf5")


def changed(path, call):
    """Returns what to write instead of the ast.Call of `keras...`, or None when Keras 3 takes the call."""
    given = {k.arg: k.value for k in call.keywords if k.arg}
    for start, keywords in KEYWORDS.items():
        for keyword, instead in keywords.items() if path.startswith(start) else ():
            if keyword in given:
                return f"Keras 3 does not take {keyword}: {instead}"
    if path == "keras.callbacks.ModelCheckpoint":
        weights = _is_true(given.get("save_weights_only"))
        return _ending(given.get("filepath") or next(iter(call.args), None), WEIGHTS if weights else MODELS[:1])
    return None


def method(call):
    """Returns (name, what to write) of a call of a model's method that Keras 3 lacks or refuses, or None."""
    if not isinstance(call.func, ast.Attribute):
        return None
    name = call.func.attr
    if name in METHODS:
        return f"model.{name}", METHODS[name]
    file = next(iter(call.args), None)
    if name == "save_weights" and (instead := _ending(file, WEIGHTS)):
        return "model.save_weights", instead
    owner = call.func.value
    if name == "save" and isinstance(owner, ast.Name) and "model" in owner.id and (instead := _ending(file, MODELS)):
        return "model.save", instead
    return None


def _ending(node, endings):
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or node.value.endswith(endings):
        return None
    return f"Keras 3 wants a file that ends in {' or '.join(endings)}"


def _is_true(node):
    return isinstance(node, ast.Constant) and node.value is True
