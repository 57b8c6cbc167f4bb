"""What to write for a missing name, and where new code finds the same arithmetic."""

from tf1ref.compat.names import facts, resolver, table
from tf1ref.errors import nearest

# Names that are not given back, and what to use instead.
GONE = {
    "contrib": "there is no replacement here",
    "contrib.boosted_trees": "use scikit-learn's HistGradientBoostingClassifier or another gradient boosting library",
    "contrib.checkpoint": "assign the objects to attributes of tf.train.Checkpoint or tf.Module",
    "contrib.checkpoint.NumpyState": "use a tf.Variable, or derive from tf.train.experimental.PythonState",
    "contrib.checkpoint.PythonStateWrapper": "use tf.train.experimental.PythonState",
    "contrib.cudnn_rnn": "use tf.contrib.rnn.LSTMBlockFusedCell or tf.nn.rnn_cell; they compute the same on any device",
    "contrib.distribute": "use tf.distribute of TensorFlow 2",
    "contrib.distributions": "use the same class of the package tensorflow_probability, or write its formula out",
    "contrib.eager.Evaluator": "call the metrics of tf.contrib.eager.metrics in a loop over the batches",
    "contrib.eager.SparseSoftmaxEvaluator": "call tf.contrib.eager.metrics.SparseAccuracy in a loop over the batches",
    "contrib.eager.restore_network_checkpoint": "use tf.contrib.eager.Saver with the network's variables",
    "contrib.eager.save_network_checkpoint": "use tf.contrib.eager.Saver with the network's variables",
    "contrib.factorization.GMM": "use scikit-learn's GaussianMixture",
    "contrib.factorization.KMeansClustering": "use tf.contrib.factorization.KMeans or scikit-learn's KMeans",
    "contrib.factorization.WALSModel": "write the alternating least squares out, or use the package implicit",
    "contrib.gan": "only the plain GAN is given back; for others use the package tensorflow_gan",
    "contrib.legacy_seq2seq.one2many_rnn_seq2seq": "use static_rnn once, and an embedding_rnn_decoder for each output",
    "contrib.lite": "use tf.lite",
    "contrib.metrics.auc_with_confidence_intervals": "use tf.metrics.auc, or bootstrap scikit-learn's roc_auc_score",
    "contrib.metrics.streaming_dynamic_auc": "use tf.metrics.auc, or scikit-learn's roc_auc_score for the exact area",
    "contrib.rnn.IndyGRUCell": "use tf.contrib.rnn.IndyLSTMCell or tf.contrib.rnn.IndRNNCell",
    "contrib.rnn.LayerNormLSTMCell": "use tf.contrib.rnn.LayerNormBasicLSTMCell; it has no peepholes or projection",
    "contrib.slim.nets.overfeat": "use tf.contrib.slim.nets.alexnet or vgg",
    "contrib.tensor_forest": "use scikit-learn's RandomForestClassifier",
    "contrib.tpu": "only names that need no TPU are given back; on a TPU use tf.distribute.TPUStrategy of TensorFlow 2",
    "contrib.quantize": "there is no replacement here; quantize the frozen graph with tf.lite",
}

WITHOUT_KERAS = "pip install 'tf1ref[keras]' (tf_keras) gives Keras 2 back"

# {old path: modules of tf1ref.modules with the same arithmetic}.
NEW_CODE = {
    "train.GradientDescentOptimizer": "optimizers.GradientDescent",
    "train.MomentumOptimizer": "optimizers.Momentum",
    "train.AdamOptimizer": "optimizers.Adam",
    "train.AdagradOptimizer": "optimizers_adaptive.Adagrad",
    "train.AdagradDAOptimizer": "optimizers_adaptive.AdagradDA",
    "train.AdadeltaOptimizer": "optimizers_adaptive.Adadelta",
    "train.RMSPropOptimizer": "optimizers_adaptive.RMSProp",
    "train.FtrlOptimizer": "optimizers_adaptive.Ftrl",
    "train.ProximalGradientDescentOptimizer": "optimizers_adaptive.ProximalGradientDescent",
    "train.ProximalAdagradOptimizer": "optimizers_adaptive.ProximalAdagrad",
    "train.ExponentialMovingAverage": "moving_average.ExponentialMovingAverage",
    "train.exponential_decay": "schedules.exponential_decay",
    "train.piecewise_constant": "schedules.piecewise_constant",
    "train.polynomial_decay": "schedules.polynomial_decay",
    "train.natural_exp_decay": "schedules.natural_exp_decay",
    "train.inverse_time_decay": "schedules.inverse_time_decay",
    "train.cosine_decay": "schedules.cosine_decay",
    "train.Saver": "checkpoints.save",
    "layers.Dense": "layers.Dense",
    "layers.dense": "layers.Dense",
    "layers.Conv2D": "layers.Conv2D",
    "layers.conv2d": "layers.Conv2D",
    "layers.Dropout": "layers.Dropout",
    "layers.dropout": "layers.Dropout",
    "layers.BatchNormalization": "layers_norm.BatchNormalization",
    "layers.batch_normalization": "layers_norm.BatchNormalization",
    "nn.rnn_cell.BasicRNNCell": "rnn.BasicRNNCell",
    "nn.rnn_cell.BasicLSTMCell": "rnn.BasicLSTMCell",
    "nn.rnn_cell.LSTMCell": "rnn.LSTMCell",
    "nn.rnn_cell.GRUCell": "rnn.GRUCell",
    "nn.rnn_cell.LSTMStateTuple": "rnn.LSTMStateTuple",
    "nn.rnn_cell.MultiRNNCell": "rnn_wrappers.MultiRNNCell",
    "nn.rnn_cell.DropoutWrapper": "rnn_wrappers.DropoutWrapper",
    "nn.rnn_cell.ResidualWrapper": "rnn_wrappers.ResidualWrapper",
    "contrib.rnn.BasicRNNCell": "rnn.BasicRNNCell",
    "contrib.rnn.BasicLSTMCell": "rnn.BasicLSTMCell",
    "contrib.rnn.LSTMCell": "rnn.LSTMCell",
    "contrib.rnn.GRUCell": "rnn.GRUCell",
    "contrib.rnn.LSTMStateTuple": "rnn.LSTMStateTuple",
    "contrib.rnn.MultiRNNCell": "rnn_wrappers.MultiRNNCell",
    "contrib.rnn.DropoutWrapper": "rnn_wrappers.DropoutWrapper",
    "contrib.rnn.ResidualWrapper": "rnn_wrappers.ResidualWrapper",
    "contrib.rnn.LSTMBlockFusedCell": "rnn_block.LSTMBlockFusedCell",
    "nn.dynamic_rnn": "rnn_unroll.RNN",
    "nn.static_rnn": "rnn_unroll.RNN",
}


def new_code(path):
    """Returns the module of tf1ref.modules with the arithmetic of `path`, or None. The longest fitting path counts.

    >>> new_code("train.AdamOptimizer")
    'optimizers.Adam'
    """
    return _longest(NEW_CODE, path)


def missing(path, world=1):
    """Returns what to do without `tf.<path>`, a name that resolver.resolve lacks in that world, or None.

    >>> missing("contrib.quantize")
    'there is no replacement here; quantize the frozen graph with tf.lite'
    """
    of_keras_2 = world == 2 and path.partition(".")[0] in resolver.KERAS_MODULES
    if of_keras_2 or resolver.in_keras(path) is not None:
        return _of_keras(path, world)
    if world == 2 and resolver.resolve(path, 1):
        return f"it is TensorFlow 1's: write tf.compat.v1.{path}, or run it with exec --world 1"
    if world == 1 and not facts.is_known(path) and resolver.resolve(path, 2):
        return "it is TensorFlow 2's: run a program for TensorFlow 2 with exec --world 2"
    found = _longest(GONE, path)
    parent, _, name = path.rpartition(".")
    if found is None and facts.is_module(parent) and not facts.is_known(path):
        return f"TensorFlow 1 had no such name{nearest(name, facts.members(parent))}"
    return found


def lacks_extra(path, world=1):
    """Returns whether `tf.<path>` is missing only because an extra of tf1ref is not installed.

    >>> lacks_extra("contrib.tensor_forest")
    False
    """
    return not resolver.has_keras() and missing(path, world) == WITHOUT_KERAS


def _of_keras(path, world):
    if not resolver.has_keras():
        return WITHOUT_KERAS
    rest = resolver.in_keras(path)
    known = world == 1 and any(facts.is_known(f"{root}.{rest}" if rest else root) for root in table.KERAS)
    return "tf_keras no longer has it" if known else "Keras 2 had no such name"


def _longest(entries, path):
    parts = path.split(".")
    return next((entries[start] for i in range(len(parts), 0, -1) if (start := ".".join(parts[:i])) in entries), None)
