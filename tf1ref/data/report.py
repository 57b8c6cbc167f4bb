"""What is in TFRecord files, class folders and lists of pictures, and what is damaged."""

import os
from pathlib import Path

from tf1ref.errors import InputError, nearest

LISTS = (".txt", ".csv", ".tsv", ".lst")
KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
SHOWN = 6  # values of a feature that `rows_of` lists


def parse_features(text):
    """Parses "label:int64,image_raw:bytes" into {name: type}. Raises InputError for another form or type."""
    features = {}
    for part in text.split(",") if text else ():
        name, _, kind = part.strip().rpartition(":")
        if not name or kind not in KINDS.values():
            raise InputError(f"--features {part}: write NAME:TYPE, the type one of {', '.join(KINDS.values())}")
        features[name] = kind
    return features


def report(path, skip_bad=False, features=None, check=False):
    """Returns what a file holds, ready for JSON: file, kind, records, bad and the rest by kind.

    features: {name: type} that every record must have. check: whether pictures are decoded, too; records are always
    read in full. skip_bad: damage is listed in "bad". Without it, raises InputError at the first damage, with file and
    record or line.
    """
    if is_pictures(path):
        return _report_pictures(path, skip_bad, features, check)
    return _report_records(path, skip_bad, features or {})


def is_pictures(path):
    """Returns True for a folder and for a list of pictures, which its suffix tells.

    Anything else is taken for a TFRecord file.
    """
    return os.path.isdir(path) or Path(path).suffix.lower() in LISTS


def examples(path, skip_bad=False, features=None):
    """Yields (Record, {name: (type, values)}, problem) for each record. The dict is None for one that is not a
    tf.train.Example.

    `features` says which type a name has. For other names the first record with the name does. Raises InputError with
    the record's number at the first problem, unless skip_bad is true.
    """
    from tf1ref.data.formats import records

    types = dict(features or {})
    for record in records.scan(path):
        found = None if record.problem else features_of(record.data)
        problem = record.problem or _mismatch(found, features or {}, types)
        if problem and not skip_bad:
            raise InputError(f"{path}: record {record.number}: {problem}: --skip-bad counts it and goes on")
        if not problem and found:
            types.update({name: kind for name, (kind, _) in found.items() if kind})
        yield record, found, problem


def features_of(data):
    """Returns the features {name: (type, values)} of a serialized tf.train.Example, or None when `data` is not one.

    The type is "bytes", "float" or "int64", "" for a feature without a value of any type.
    """
    from google.protobuf.message import DecodeError

    from tf1ref.data.formats import protos

    try:
        example = protos.Example.FromString(data)
    except DecodeError:
        return None
    if data and not example.features.feature:  # the format is lenient: much parses to nothing
        return None
    found = {}
    for name in sorted(example.features.feature):
        feature = example.features.feature[name]
        kind = feature.WhichOneof("kind")
        found[name] = (KINDS.get(kind, ""), list(getattr(feature, kind).value) if kind else [])
    return found


def _mismatch(found, wanted, types):
    """Returns what is wrong with one record's features, or ""."""
    if found is None:
        return "not a tf.train.Example" if wanted else ""
    for name in wanted:
        if name not in found:
            return f"no feature {name!r}{nearest(name, found) or '; it has: ' + (', '.join(found) or 'none')}"
    for name, (kind, _) in found.items():
        if kind and types.get(name, kind) != kind:
            return f"feature {name!r} is {kind}, expected {types[name]}"
    return ""


def _report_records(path, skip_bad, wanted):
    from tf1ref.data.formats import records

    columns, bad, good, plain, size = {}, [], 0, 0, 0
    for record, found, problem in examples(path, skip_bad, wanted):
        if problem:
            bad.append({"where": f"record {record.number}", "offset": record.offset, "reason": problem})
            continue
        good, size, plain = good + 1, size + len(record.data), plain + (found is None)
        for name, (kind, values) in (found or {}).items():
            column = columns.setdefault(name, {"type": kind, "records": 0, "fewest": len(values), "most": 0})
            column["type"] = column["type"] or kind
            column["records"] += 1
            column["fewest"] = min(column["fewest"], len(values))
            column["most"] = max(column["most"], len(values))
    return {
        "file": str(path),
        "kind": "TFRecord",
        "compression": records.compression_of(path),
        "records": good,
        "bytes": size,
        "no_example": plain,
        "features": columns,
        "bad": bad,
    }


def pictures_of(path, skip_bad):
    """Returns the Pictures of a folder of class folders or of a list."""
    from tf1ref.data.formats import class_folders

    return (class_folders.read if os.path.isdir(path) else class_folders.read_list)(path, skip_bad)


def _report_pictures(path, skip_bad, features, check):
    if features:
        raise InputError(f"--features: {path} holds pictures, not records with features: leave it out")
    pictures = pictures_of(path, skip_bad)
    bad = [{"where": where, "offset": None, "reason": reason} for where, reason in pictures.skipped]
    counts = dict.fromkeys(pictures.classes, 0)
    for file, label in zip(pictures.paths, pictures.labels):
        problem = undecodable(file) if check else ""
        if problem and not skip_bad:
            raise InputError(f"{file}: {problem}: replace it, or pass over it with --skip-bad")
        if problem:
            bad.append({"where": str(file), "offset": None, "reason": problem})
        else:
            counts[pictures.classes[label]] += 1
    kind = "class folders" if os.path.isdir(path) else "list of pictures"
    return {"file": str(path), "kind": kind, "records": sum(counts.values()), "classes": counts, "bad": bad}


def undecodable(file):
    """Returns why Pillow cannot decode a picture, or ""."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            image.load()
    except UnidentifiedImageError:
        return "not a picture in a known format"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow's decoders raise
        return f"damaged picture ({error})"
    return ""


def rows_of(path, skip_bad):
    """Yields a dict for each record (number, offset, bytes, features) or picture (number, file, label, class)."""
    if is_pictures(path):
        pictures = pictures_of(path, skip_bad)
        for number, (file, label) in enumerate(zip(pictures.paths, pictures.labels)):
            yield {"number": number, "file": str(file), "label": label, "class": pictures.classes[label]}
        bad = [{"number": None, "file": where, "problem": reason} for where, reason in pictures.skipped]
        yield from bad
        return
    for record, found, problem in examples(path, skip_bad):
        row = {"number": record.number, "file": str(path), "offset": record.offset}
        if problem:
            yield {**row, "problem": problem}
            continue
        row["bytes"] = len(record.data)
        if found is None:
            yield {**row, "features": None}
        else:
            yield {**row, "features": {name: _shown(kind, values) for name, (kind, values) in found.items()}}


def _shown(kind, values):
    """Returns one feature for people and JSON: its type, the number of values, and the first of them.

    For bytes it returns their length.
    """
    first = values[:SHOWN]
    if kind == "bytes":
        short = [v.decode("ascii", "replace") for v in first]
        first = [v if v.isprintable() and v.isascii() and len(v) <= 32 else f"{len(v):,} bytes" for v in short]
    return {"type": kind, "count": len(values), "values": first}
