"""tf.contrib.saved_model: the signatures of a meta graph."""

__all__ = ["get_signature_def_by_key"]


def get_signature_def_by_key(meta_graph_def, signature_def_key):
    """Returns the SignatureDef of that name. Raises ValueError when the meta graph has none."""
    if signature_def_key not in meta_graph_def.signature_def:
        raise ValueError(f"No SignatureDef with key '{signature_def_key}' found in MetaGraphDef.")
    return meta_graph_def.signature_def[signature_def_key]
