"""Prints the tables of docs/reference/symbols.md: what `tf1ref exec` gives back, and what new code uses instead.

    scripts/symbols.py [--coverage]

With --coverage it prints how many names of each module of TensorFlow 1's public API are given.
"""

import ast
import sys
from collections import Counter

from tf1ref.compat.names import advice, facts, resolver, sources, table

HEAD = ("old symbol", "under `exec`", "for new code")
COVERAGE = ("module", "given", "of")
# What contrib's modules had imported for themselves and did not hide.
IMPORTED = {
    "collections_abc", "contrib_framework", "contrib_rnn", "contrib_variables", "deprecated", "deprecated_arg_values",
    "deprecated_args", "distribution_strategy_context", "jit", "loader", "make_all", "metrics_lib", "optimizer_",
    "resource_loader", "sparse_tensor_py", "tf", "tf_export", "tf_utils", "tf_variables", "trackable", "vars_", "vs",
}  # fmt: skip


def _names(module):
    """What a module of tf1ref.legacy offers: its __all__, else its functions, classes, names and what it passes on."""
    path = table.LEGACY.joinpath(*module.split("."))
    found, tree = set(), sources.tree(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tf1ref.legacy"):
            stars = any(alias.name == "*" for alias in node.names)
            found |= (
                _names(node.module.removeprefix("tf1ref.legacy."))
                if stars
                else {a.asname or a.name for a in node.names}
            )
    return {name for name in found if not name.startswith("_")}


def rows():
    """Yields (old, under exec, new) as Markdown."""
    modules = {}
    for path, module in table.MODULES.items():
        modules.setdefault(module, []).append(path)
    for module, paths in sorted(modules.items(), key=lambda item: item[1][0]):
        shown = [p for p in paths if ".python." not in p and not p.startswith("python.")]
        if not shown:
            continue  # a longer way to names that stand in another row
        new = sorted({advice.new_code(path) for path in paths} - {None})
        old = ", ".join(f"`tf.{path}`" for path in shown)
        yield (
            old,
            f"{len(_names(module))} name{'s' * (len(_names(module)) > 1)}",
            ", ".join(f"`modules.{name}`" for name in new),
        )
    grouped = {}
    for path, new in advice.NEW_CODE.items():
        if not any(path == p or path.startswith(p + ".") for p in table.MODULES):
            grouped.setdefault(new.partition(".")[0], []).append(f"`tf.{path}`")
    for module, paths in grouped.items():
        yield ", ".join(paths), "as it was", f"`modules.{module}`"
    yield ", ".join(f"`{p}`" for p in table.RENAMED if not p.startswith("python.")), "renamed before or at 1.0", ""
    yield ", ".join(f"`{p}`" for p in table.FUNCTIONS), "with their old arguments and answers", ""
    yield ", ".join(f"`import {p}`" for p in table.FILES), "given where a program has no such file", ""
    for path, instead in advice.GONE.items():
        if path != "contrib":
            yield f"`tf.{path}`", "missing", instead


def coverage():
    """Yields (module, names given, names) for the modules of TensorFlow 1, then the sums of contrib and of the rest.

    tf.keras is left out, because it depends on an extra. So are modules below a folder `python`, which were private.
    """
    total, given = Counter(), Counter()
    files = _file_names()
    for path in facts.every_name():
        module, _, name = path.rpartition(".")
        in_contrib = path.startswith("contrib.")
        hidden = {"python", "keras"} & set(path.split(".")) or (in_contrib and (name in IMPORTED or name in files))
        if hidden or facts.is_module(path):
            continue
        for row in (f"`tf.{module}`" if module else "`tf`", "all of contrib" if in_contrib else "all but contrib"):
            total[row] += 1
            given[row] += resolver.resolve(path) is not None
    for row in sorted(total, key=lambda row: (not row.startswith("`"), row)):
        yield row, str(given[row]), str(total[row])


def _file_names():
    """Returns the names of the files inside TensorFlow: modules of contrib had imported some of them, too."""
    return {path.stem for path in (sources.tensorflow_folder() / "python").rglob("*.py")}


def main():
    """Prints the table that is asked for."""
    head, cells = (COVERAGE, coverage()) if sys.argv[1:] == ["--coverage"] else (HEAD, rows())
    for row in (head, ("---",) * len(head), *cells):
        sys.stdout.write(f"| {' | '.join(row)} |\n")


if __name__ == "__main__":
    main()
