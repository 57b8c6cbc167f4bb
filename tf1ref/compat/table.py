"""What stands where under `tensorflow` when an old program runs: old path -> what gives it back.

Pure data, read by `exec` (the importer), by `check` and by the README's table. Paths are written without the
leading `tensorflow.`; the longest that fits wins.
"""

import ast
from pathlib import Path

LEGACY = Path(__file__).parents[1] / "legacy"

# Old module -> module of tf1ref.legacy, where the file does not lie under the old module's own path (see `MODULES`).
ALIASES = {
    "contrib.crf.python.ops.crf": "contrib.crf",
    "contrib.eager.python.metrics": "contrib.eager.metrics",
    "contrib.eager.python.tfe": "contrib.eager",
    "contrib.factorization.python.ops.clustering_ops": "contrib.factorization",
    "contrib.framework.python.ops.arg_scope": "contrib.framework._arg_scope",
    "contrib.layers.python.layers": "contrib.layers",
    "contrib.layers.python.layers.utils": "contrib.layers._utils",
    "contrib.learn.datasets.base": "contrib.learn.datasets",
    "contrib.learn.datasets.mnist": "examples.tutorials.mnist.input_data",
    "contrib.learn.python.learn.datasets": "contrib.learn.datasets",
    "contrib.learn.python.learn.datasets.base": "contrib.learn.datasets",
    "contrib.learn.python.learn.datasets.mnist": "examples.tutorials.mnist.input_data",
    "contrib.lookup.lookup_ops": "contrib.lookup",
    "contrib.rnn.python.ops.core_rnn_cell": "contrib.rnn",
    "contrib.rnn.python.ops.rnn": "contrib.rnn",
    "contrib.rnn.python.ops.rnn_cell": "contrib.rnn",
    "contrib.seq2seq.python.ops.attention_wrapper": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.basic_decoder": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.beam_search_decoder": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.beam_search_ops": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.decoder": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.helper": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.loss": "contrib.seq2seq",
    "contrib.slim.python.slim.evaluation": "contrib.slim.evaluation",
    "contrib.slim.python.slim.learning": "contrib.slim.learning",
    "contrib.training.python.training.hparam": "contrib.training",
    "models.rnn.rnn_cell": "nn.rnn_cell",
    "models.rnn.seq2seq": "contrib.legacy_seq2seq",
    "nn.seq2seq": "contrib.legacy_seq2seq",
    "python.keras.datasets.mnist": "keras.datasets.mnist",
    "python.layers.base": "layers",
    "python.layers.convolutional": "layers",
    "python.layers.core": "layers",
    "python.layers.layers": "layers",
    "python.layers.normalization": "layers",
    "python.layers.pooling": "layers",
    "python.ops.rnn_cell": "nn.rnn_cell",
    "python.ops.rnn_cell_impl": "nn.rnn_cell",
}


def _own_paths():
    """Returns {path: path} of the modules of tf1ref.legacy that lie where TensorFlow 1 had them.

    A file whose name begins with an underscore is a part of its package, and a package with only a docstring leads
    to others: neither is one of TensorFlow's modules.
    """
    found = {}
    for file in sorted(LEGACY.rglob("*.py")):
        names = file.relative_to(LEGACY).with_suffix("").parts
        if names[-1] == "__init__":
            names = names[:-1]
            if not names or len(ast.parse(file.read_bytes()).body) < 2:
                continue
        if not any(name.startswith("_") for name in names):
            found[".".join(names)] = ".".join(names)
    return found


# Old module -> module of tf1ref.legacy: by its place, or by ALIASES.
MODULES = {**_own_paths(), **ALIASES}

# File that came with the tutorials -> the same, where a program's own import finds none.
FILES = {
    "input_data": "examples.tutorials.mnist.input_data",
    "tutorials.rnn.ptb.reader": "models.rnn.ptb.reader",
}

# Old name -> today's name in tf.compat.v1 with the same arguments. Most were renamed before 1.0.
RENAMED = {
    "batch_cholesky": "cholesky",
    "batch_fft": "fft",
    "batch_ifft": "ifft",
    "batch_matmul": "matmul",
    "batch_matrix_band_part": "matrix_band_part",
    "batch_matrix_determinant": "matrix_determinant",
    "batch_matrix_diag": "matrix_diag",
    "batch_matrix_diag_part": "matrix_diag_part",
    "batch_matrix_inverse": "matrix_inverse",
    "batch_matrix_solve": "matrix_solve",
    "batch_matrix_solve_ls": "matrix_solve_ls",
    "batch_matrix_transpose": "matrix_transpose",
    "batch_matrix_triangular_solve": "matrix_triangular_solve",
    "batch_self_adjoint_eig": "self_adjoint_eig",
    "batch_svd": "svd",
    "complex_abs": "abs",
    "image.per_image_whitening": "image.per_image_standardization",
    "inv": "reciprocal",
    "listdiff": "setdiff1d",
    "merge_all_summaries": "summary.merge_all",
    "merge_summary": "summary.merge",
    "models.rnn.rnn": "nn",
    "mul": "multiply",
    "neg": "negative",
    "nn.bidirectional_rnn": "nn.static_bidirectional_rnn",
    "nn.dynamic_bidirectional_rnn": "nn.bidirectional_dynamic_rnn",
    "nn.rnn": "nn.static_rnn",
    "nn.state_saving_rnn": "nn.static_state_saving_rnn",
    "pack": "stack",
    "python.framework.graph_util.convert_variables_to_constants": "graph_util.convert_variables_to_constants",
    "python.framework.graph_util_impl.convert_variables_to_constants": "graph_util.convert_variables_to_constants",
    "select": "where",
    "sub": "subtract",
    "train.SummaryWriter": "summary.FileWriter",
    "unpack": "unstack",
}

# Old function -> function of tf1ref.legacy that takes its old arguments too.
FUNCTIONS = {
    "audio_summary": "_old_names.audio_summary",
    "concat": "_old_names.concat",
    "histogram_summary": "_old_names.histogram_summary",
    "image_summary": "_old_names.image_summary",
    "keras.utils.normalize": "keras.utils.np_utils.normalize",
    "keras.utils.to_categorical": "keras.utils.np_utils.to_categorical",
    "nn.nce_loss": "_old_names.nce_loss",
    "nn.sampled_softmax_loss": "_old_names.sampled_softmax_loss",
    "nn.sigmoid_cross_entropy_with_logits": "_old_names.sigmoid_cross_entropy_with_logits",
    "nn.softmax_cross_entropy_with_logits": "_old_names.softmax_cross_entropy_with_logits",
    "nn.sparse_softmax_cross_entropy_with_logits": "_old_names.sparse_softmax_cross_entropy_with_logits",
    "scalar_summary": "_old_names.scalar_summary",
    "split": "_old_names.split",
}

# What nobody gives back, and what to use instead.
GONE = {
    "contrib": "nothing here stands in for it",
    "contrib.boosted_trees": "use scikit-learn's HistGradientBoostingClassifier or another gradient boosting library",
    "contrib.cudnn_rnn": "use tf.contrib.rnn.LSTMBlockFusedCell or tf.nn.rnn_cell; they compute the same on any device",
    "contrib.distribute": "use tf.distribute of TensorFlow 2",
    "contrib.factorization.GMM": "use scikit-learn's GaussianMixture",
    "contrib.factorization.KMeansClustering": "use tf.contrib.factorization.KMeans or scikit-learn's KMeans",
    "contrib.factorization.WALSModel": "write the alternating least squares out, or use the package implicit",
    "contrib.keras": "layers: tf.layers; or keep the program on tf_keras with TF_USE_LEGACY_KERAS=1",
    "contrib.lite": "use tf.lite",
    "contrib.tensor_forest": "use scikit-learn's RandomForestClassifier",
    "contrib.tpu": "use tf.distribute.TPUStrategy of TensorFlow 2",
    "keras": "Keras 3 builds no TF1 graphs; layers: tf.layers; or keep the program on tf_keras, TF_USE_LEGACY_KERAS=1",
    "python.keras": "what is left of it is private to TensorFlow; layers: tf.layers",
    "contrib.quantize": "nothing here stands in for it; quantize the frozen graph with tf.lite",
}

# Where new code finds the same arithmetic: old path -> modules of tf1ref.modules.
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


def below(path):
    """Whether something here stands deeper than `path`."""
    start = f"{path}." if path else ""
    return (
        any(key.startswith(start) for each in (MODULES, RENAMED, FUNCTIONS, GONE) for key in each) or path == "compat"
    )


def new_code(path):
    """Returns where tf1ref.modules has the arithmetic of `path`, or None: the longest entry of NEW_CODE."""
    return _longest(NEW_CODE, path)


def advice(path):
    """Returns what to do without `path`, or None: the longest entry of GONE that `path` begins with."""
    return _longest(GONE, path)


def _longest(entries, path):
    parts = path.split(".")
    return next((entries[start] for i in range(len(parts), 0, -1) if (start := ".".join(parts[:i])) in entries), None)
