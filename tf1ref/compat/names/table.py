"""Which module gives each old name back when an old program runs: {old path: new place}.

This is pure data, read by `exec` (the importer), by `check`, and by the table in the documentation. Paths are written
without the leading `tensorflow.`, and the longest path that fits counts.
"""

import ast
from pathlib import Path

LEGACY = Path(__file__).parents[2] / "legacy"

# {old module: module of tf1ref.legacy}, for files that do not lie under the old module's own path (see `MODULES`).
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
    "contrib.rnn.python.ops.core_rnn_cell_impl": "contrib.rnn",
    "contrib.rnn.python.ops.rnn": "contrib.rnn",
    "contrib.rnn.python.ops.rnn_cell": "contrib.rnn",
    "contrib.seq2seq.python.ops.attention_wrapper": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.basic_decoder": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.beam_search_decoder": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.beam_search_ops": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.decoder": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.helper": "contrib.seq2seq",
    "contrib.seq2seq.python.ops.loss": "contrib.seq2seq",
    "contrib.slim.initializers": "contrib.layers",
    "contrib.slim.regularizers": "contrib.layers",
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
    "python.ops.seq2seq": "contrib.legacy_seq2seq",
}


def _own_paths():
    """Returns {path: path} of the modules of tf1ref.legacy that lie where TensorFlow 1 had them.

    A file whose name begins with an underscore is a part of its package. A package with only a docstring leads to
    other modules. Neither of them is a module of TensorFlow.
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


# {old module: module of tf1ref.legacy}, by its own path or by ALIASES.
MODULES = {**_own_paths(), **ALIASES}

# {old module: module that has its names today}.
PACKAGES = {
    "contrib.distributions": "tensorflow._api.v2.compat.v1.distributions",
    "contrib.signal": "tensorflow._api.v2.compat.v1.signal",
    "contrib.stateless": "tensorflow.python.ops.stateless_random_ops",
    "contrib.summary": "tensorflow.python.ops.summary_ops_v2",
    "contrib.tensorboard.plugins.projector": "tensorboard.plugins.projector",
    "contrib.util": "tensorflow.python.framework.tensor_util",
    "python.training.gen_training_ops": "tensorflow.python.ops.gen_training_ops",
    "python.training.training_ops": "tensorflow.python.ops.gen_training_ops",
    "tensorboard.plugins.projector": "tensorboard.plugins.projector",
}

# Where TensorFlow had Keras in its versions. A place comes before the one that it lies in.
KERAS = (
    "contrib.keras.api.keras",
    "contrib.keras.python.keras",
    "contrib.keras",
    "python.keras._impl.keras",
    "python.keras",
    "keras",
)

# The data sets of Keras are read from the files of this project, without a download, with or without tf_keras.
DATA_SETS = {f"datasets.{name}": f"tf1ref.legacy.keras.datasets.{name}" for name in ("cifar10", "mnist")}

# {file of old Keras: modules that offer its names today}, the most likely first.
OLD_KERAS = {
    "backend.common": ("backend",),
    "backend.tensorflow_backend": ("backend",),
    "engine": ("layers", "models", "utils"),
    "engine.base_layer": ("layers",),
    "engine.network": ("models",),
    "engine.saving": ("models",),
    "engine.topology": ("layers", "utils", "models"),
    "engine.training": ("models",),
    "layers.advanced_activations": ("layers",),
    "layers.convolutional": ("layers",),
    "layers.convolutional_recurrent": ("layers",),
    "layers.core": ("layers",),
    "layers.cudnn_recurrent": ("layers",),
    "layers.embeddings": ("layers",),
    "layers.local": ("layers",),
    "layers.merge": ("layers",),
    "layers.noise": ("layers",),
    "layers.normalization": ("layers",),
    "layers.pooling": ("layers",),
    "layers.recurrent": ("layers",),
    "layers.wrappers": ("layers",),
    "objectives": ("losses",),
    "utils.conv_utils": ("utils",),
    "utils.data_utils": ("utils",),
    "utils.generic_utils": ("utils",),
    "utils.io_utils": ("utils",),
    "utils.layer_utils": ("utils",),
    "utils.np_utils": ("utils",),
    "utils.vis_utils": ("utils",),
}

# {file that came with the tutorials: module that replaces it}, where a program's own import finds none.
FILES = {
    "input_data": "examples.tutorials.mnist.input_data",
    "tutorials.rnn.ptb.reader": "models.rnn.ptb.reader",
}

# {old name: today's name in tf.compat.v1 with the same arguments}. Most were renamed before 1.0.
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
    "contrib.framework.nest.is_sequence": "nest.is_nested",
    "python.util.nest.is_sequence": "nest.is_nested",
    "select": "where",
    "pywrap_tensorflow": "python.pywrap_tensorflow",
    "app.flags": "flags",
    "sub": "subtract",
    "contrib.slim.lrn": "nn.local_response_normalization",
    "contrib.summary.all_summary_ops": "summary.all_v2_summary_ops",
    "contrib.deprecated.merge_all_summaries": "summary.merge_all",
    "contrib.deprecated.merge_summary": "summary.merge",
    "contrib.util.constant_value": "get_static_value",
    "contrib.util.make_ndarray": "make_ndarray",
    **{
        f"estimator.{name}": f"train.{name}"
        for name in (
            "CheckpointSaverHook",
            "CheckpointSaverListener",
            "FeedFnHook",
            "FinalOpsHook",
            "GlobalStepWaiterHook",
            "LoggingTensorHook",
            "NanLossDuringTrainingError",
            "NanTensorHook",
            "ProfilerHook",
            "SecondOrStepTimer",
            "SessionRunArgs",
            "SessionRunContext",
            "SessionRunHook",
            "SessionRunValues",
            "StepCounterHook",
            "StopAtStepHook",
            "SummarySaverHook",
            "VocabInfo",
        )
    },
    "train.SummaryWriter": "summary.FileWriter",
    "unpack": "unstack",
}

# {module inside TensorFlow: public module}. The old names of RENAMED and FUNCTIONS are found in it, too.
INNER = {
    "python.ops.array_ops": "",
    "python.ops.math_ops": "",
    "python.ops.nn": "nn",
    "python.ops.nn_ops": "nn",
    "python.ops.rnn": "nn",
    "python.platform.gfile": "gfile",
}

# Where _linear was: the files in which TensorFlow 1 kept it, and before 1.0 the module of the cells itself.
CELLS = (
    "contrib.rnn.python.ops.core_rnn_cell",
    "contrib.rnn.python.ops.core_rnn_cell_impl",
    "contrib.rnn.python.ops.rnn_cell",
    "models.rnn.rnn_cell",
    "nn.rnn_cell",
    "python.ops.rnn_cell",
    "python.ops.rnn_cell_impl",
)
ATTENTION = "contrib.seq2seq.python.ops.attention_wrapper"

# The same for programs of TensorFlow 2: those of 1.14 that say tf.compat.v1 and use Keras look like them.
SECOND = {"device": "_old_names.device"}
# {old function: function of tf1ref.legacy that takes the old arguments, too, and answers as it did}.
FUNCTIONS = {
    **{f"{file}._linear": "nn.rnn_cell._linear_map.linear" for file in CELLS},
    **{f"{file}._Linear": "nn.rnn_cell._linear_map.Linear" for file in CELLS},
    **{
        f"{file}.ASSERT_LIKE_RNNCELL_ERROR_REGEXP": "nn.rnn_cell._base.ASSERT_LIKE_RNNCELL_ERROR_REGEXP"
        for file in ("contrib.rnn", *CELLS)
    },
    f"{ATTENTION}._BaseAttentionMechanism": "contrib.seq2seq._attention.BaseAttentionMechanism",
    f"{ATTENTION}._bahdanau_score": "contrib.seq2seq._attention.bahdanau_score",
    f"{ATTENTION}._compute_attention": "contrib.seq2seq._wrapper.compute_attention",
    f"{ATTENTION}._luong_score": "contrib.seq2seq._attention.multiplicative_score",
    "contrib.seq2seq.python.ops.decoder._transpose_batch_time": "contrib.seq2seq._helpers.transpose_batch_time",
    "contrib.seq2seq.python.ops.helper._transpose_batch_time": "contrib.seq2seq._helpers.transpose_batch_time",
    "contrib.seq2seq.python.ops.helper._unstack_ta": "contrib.seq2seq._helpers.unstacked",
    **{
        f"contrib.deprecated.{kind}_summary": f"_old_names.{kind}_summary"
        for kind in ("audio", "histogram", "image", "scalar")
    },
    **{
        f"contrib.distributions.{name}": f"contrib._multivariate_normal.{name}"
        for name in ("MultivariateNormalDiag", "MultivariateNormalFullCovariance", "MultivariateNormalTriL")
    },
    **{
        f"contrib.distributions.{name}": f"contrib._one_hot_categorical.{name}"
        for name in ("ExpRelaxedOneHotCategorical", "OneHotCategorical", "RelaxedOneHotCategorical")
    },
    "contrib.layers.group_norm": "contrib.layers._group_norm.group_norm",
    "contrib.layers.instance_norm": "contrib.layers._group_norm.instance_norm",
    "contrib.learn.ModeKeys": "contrib.learn._model_keys.ModeKeys",
    "contrib.slim.group_norm": "contrib.layers._group_norm.group_norm",
    "contrib.slim.instance_norm": "contrib.layers._group_norm.instance_norm",
    "estimator.tpu.InputPipelineConfig": "contrib.tpu.InputPipelineConfig",
    "estimator.tpu.RunConfig": "contrib.tpu.RunConfig",
    "estimator.tpu.TPUConfig": "contrib.tpu.TPUConfig",
    "estimator.tpu.TPUEstimator": "contrib.tpu.TPUEstimator",
    "estimator.tpu.TPUEstimatorSpec": "contrib.tpu.TPUEstimatorSpec",
    "gfile.FastGFile": "_files.FastGFile",
    "gfile.GFile": "_files.GFile",
    "gfile.Open": "_files.GFile",
    "nn.atrous_conv2d_transpose": "_shapes.atrous_conv2d_transpose",
    "nn.conv2d_backprop_input": "_shapes.conv2d_backprop_input",
    "nn.conv2d_transpose": "_shapes.conv2d_transpose",
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
