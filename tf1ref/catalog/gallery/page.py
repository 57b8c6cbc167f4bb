"""The gallery's page: one HTML text that needs nothing from outside. Every word in it is escaped.

Its one script adds the buttons that copy code; without it everything else is the same.
"""

import ast
import base64
import importlib.metadata
import platform
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from tf1ref import __version__, catalog
from tf1ref.catalog.gallery import Result
from tf1ref.catalog.gallery.beside import link

STYLE = Path(__file__).with_name("gallery.css")
SCRIPT = Path(__file__).with_name("gallery.js")
# Kinds of token and their class in gallery.css; what is in no kind stays the colour of the text.
KINDS = (
    (Comment, "c"), (String.Doc, "c"), (String, "s"), (Number, "n"), (Keyword, "k"), (Operator.Word, "k"),
    (Name.Decorator, "c"), (Name.Function, "f"), (Name.Class, "f"),
)  # fmt: skip
VOCABULARIES = {"v1", "tf"}  # each in the colour of its half
FIELD = re.compile(r"^(Source|TF1|Now|Errata|See):", re.M)


def page(examples: Sequence[catalog.Example], results: Sequence[Result], drawn: bool = True) -> str:
    """Returns the page of `examples` (catalog.Example) with their `results` (gallery.Result), in this order.

    drawn: whether matplotlib was there to draw pictures.
    """
    pairs = list(zip(examples, results))
    chapters: dict[str, list[tuple[catalog.Example, Result]]] = {}
    for example, result in pairs:
        chapters.setdefault(example.chapter, []).append((example, result))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>tf1ref gallery</title>
<link rel="icon" href="data:,">
<style>
{STYLE.read_text()}</style>
</head>
<body>
<a class="skip" href="#programs">Skip to the programs</a>
<header class="top" id="top">
<h1>tf1ref gallery</h1>
<p class="lead">{_counted(len(pairs), "program")} of TensorFlow 1, each beside the <code>tf.function</code> that does
the same today. Both halves are run and compared to the bit.</p>
{_tallies(results)}
</header>
{_bar(chapters)}
{_contents(chapters)}
<main id="programs">
{"".join(_chapter(name, found) for name, found in chapters.items())}</main>
<footer>
<p>Made by tf1ref {escape(__version__)} with TensorFlow {escape(_version("tensorflow"))} on Python
{escape(platform.python_version())}, oneDNN off.
{"" if drawn else "Without pictures: they need matplotlib, the extra “plots”."}</p>
</footer>
<script>
{SCRIPT.read_text()}</script>
</body></html>
"""


def summary(results: Sequence[Result]) -> str:
    """One line on all results."""
    return "; ".join(f"{words} {count}" for count, words in _counts(results))


def _counts(results):
    rows = [row for result in results for row in result.figures]
    judged = [row for row in rows if row["met"] is not None]
    reached = sum(row["met"] for row in judged)
    unrun = sum(result.ran != result.steps and not result.error for result in results)
    return [
        (f"{sum(bool(result.equal) for result in results)} of {len(results)}", "equal to the bit"),
        (f"{reached} of {len(judged)}", "promised figures reached"),
        (str(unrun), "not run at full length"),
        (str(sum(bool(result.error) for result in results)), "failed"),
    ]


def _tallies(results):
    tiles = (f"<div><dt>{words}</dt><dd>{count}</dd></div>" for count, words in _counts(results))
    return f'<dl class="tallies">{"".join(tiles)}</dl>'


def _bar(chapters):
    links = "".join(f'<li><a href="#chapter-{name}">{name}</a></li>' for name in chapters)
    return f'<nav class="bar" aria-label="Chapters"><ul><li><a href="#contents">contents</a></li>{links}</ul></nav>'


def _contents(chapters):
    lists = []
    for name, found in chapters.items():
        # Where no program of a chapter has a picture, the list leaves no room for pictures.
        blank = '<span class="blank"></span>' if any(result.thumbnail for _, result in found) else ""
        items = "".join(_content(example, result, blank) for example, result in found)
        lists.append(f'<section><h3><a href="#chapter-{name}">{name}</a></h3><ul>{items}</ul></section>')
    return f"""<nav class="contents" id="contents" aria-labelledby="contents-title">
<h2 id="contents-title">Contents</h2>
<div class="columns">{"".join(lists)}</div>
</nav>"""


def _content(example, result, blank):
    wrong = "" if result.equal else f' <b class="bad">{_verdict(result).lower()}</b>'
    short = example.name.partition(".")[2]
    title = f'<span class="title">{_prose(example.title)}</span>'
    data = base64.b64encode(result.thumbnail).decode()
    picture = f'<img src="data:image/webp;base64,{data}" alt="">' if data else blank
    words = f"<span><code>{short}</code>{wrong} {title}</span>"
    return f'<li><a href="#{example.name}">{picture}{words}</a></li>'


def _chapter(name, found):
    teaches = ast.get_docstring(ast.parse(found[0][0].path.with_name("__init__.py").read_text())) or ""
    return f"""<section class="chapter" id="chapter-{name}" aria-labelledby="chapter-{name}-title">
<h2 id="chapter-{name}-title">{name}</h2>
<p class="lead">{_prose(teaches)}</p>
{"".join(_example(example, result) for example, result in found)}</section>
"""


def _example(example, result):
    parts = catalog.parts(example.path)
    fields = FIELD.split(parts.docstring)[1:]
    rows = [
        f"<dt>{name}</dt><dd>{_prose(text)}</dd>" for name, text in zip(fields[::2], fields[1::2]) if name != "Source"
    ]
    halves = "".join(
        _code(example.name, *half)
        for half in (
            ("graph", "Graph half", "TensorFlow 1: a session runs a graph", parts.graph),
            ("function", "Function half", "TensorFlow 2: tf.function and tf.Module", parts.function),
        )
    )
    results, picture = _results(result), _figure(example, result)
    return f"""<article id="{example.name}" aria-labelledby="{example.name}-title">
<header>
<h3 id="{example.name}-title"><a href="#{example.name}">{_prose(example.title)}</a></h3>
<p class="name"><code>{example.name}</code> <span>Source: {escape(example.source)}</span>
<a href="{link(example, "py")}" download>program</a> <a href="{link(example, "ipynb")}" download>notebook</a></p>
</header>
<div class="facts">
<div class="words"><dl class="fields">{"".join(rows)}</dl>{results if picture else ""}</div>
{picture or f'<div class="side">{results}</div>'}
</div>
{_code(example.name, "shared", "Shared", "the imports, and the numbers both halves read", parts.constants)}
<div class="halves">{halves}</div>
</article>
"""


def _results(result):
    kind = "good" if result.equal else "bad"
    said = f'<p class="verdict {kind}"><b>{_verdict(result)}</b> {escape(result.error or result.parity)}</p>'
    if result.figures:
        rows = "".join(_row(row) for row in result.figures)
        said += f"""
<div class="scroll" tabindex="0" role="group" aria-label="{result.name}, figures"><table>
<thead><tr><th scope="col">figure</th><th scope="col">promised</th><th scope="col">reached</th>\
<th scope="col"><span class="hidden">verdict</span></th></tr></thead>
<tbody>{rows}</tbody></table></div>"""
    return said + "".join(f'\n<p class="note">{note}</p>' for note in _notes(result))


def _row(row):
    reached = "not run" if row["met"] is None else escape(row["reached"])
    verdict = {None: "", True: '<b class="good">ok</b>', False: '<b class="bad">missed</b>'}[row["met"]]
    promised = row["promised"].replace(">= ", "≥\N{NO-BREAK SPACE}").replace("<= ", "≤\N{NO-BREAK SPACE}")
    return (
        f'<tr><th scope="row"><code>{escape(row["key"])}</code></th><td>{escape(promised.replace("+-", "±"))}</td>'
        f"<td>{reached}</td><td>{verdict}</td></tr>"
    )


def _notes(result):
    if result.error:
        return
    if result.ran != result.steps:
        yield (
            f"Not run at full length, {result.steps:,} steps, which alone promises figures: "
            f"<code>tf1ref run {result.name}</code>"
        )
    elif result.steps:
        yield f"Reached by the graph half after the source’s own {_counted(result.steps, 'step')}."
    for name in result.stand_ins:
        yield f"On generated data in place of {escape(name)}: not figures of the real {escape(name)}."


def _figure(example, result):
    if not result.picture:
        return ""
    after = f" after {_counted(result.ran, 'step')}" if result.ran else ""
    short = f" of {result.steps:,}" if result.ran != result.steps else ""
    width, height = result.size  # in the page so that it does not jump when the picture arrives
    data = base64.b64encode(result.picture).decode()
    alt = f"Picture of {example.name}{after}: {result.alt or example.title}"
    return f"""<figure>
<img src="data:image/webp;base64,{data}" alt="{escape(alt)}" width="{width}" height="{height}">
<figcaption>Graph half{after}{short}</figcaption>
</figure>"""


def _code(name, kind, title, what, text):
    label = f"{name}, {title.lower()}"
    return f"""<section class="box {kind}">
<h4>{title} <span>{what}</span></h4>
<pre tabindex="0" role="group" aria-label="{label}"><code>{highlighted(text)}</code></pre>
</section>
"""


def highlighted(text: str) -> str:
    """Returns Python source as HTML: a span for every run of tokens of one kind."""
    runs: list[tuple[str, list[str]]] = []
    for token, word in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        name = word.lstrip("@")
        kind = name if name in VOCABULARIES else next((c for k, c in KINDS if token in k), "")
        if runs and (runs[-1][0] == kind or not word.strip()):
            runs[-1][1].append(word)
        else:
            runs.append((kind, [word]))
    joined = ((kind, escape("".join(words))) for kind, words in runs)
    return "".join(f'<span class="{kind}">{words}</span>' if kind else words for kind, words in joined)


def _prose(text):
    """Running text as HTML: white space is one blank, `words` between backticks are code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(" ".join(text.split())))


def _verdict(result):
    return "Failed" if result.error else "Equal" if result.equal else "Differs"


def _counted(number, word):
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # tensorflow-cpu and the like
        return "of another name"
