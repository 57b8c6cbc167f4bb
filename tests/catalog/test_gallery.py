"""tf1ref gallery: what the page says, that it stands alone, and how it looks in a browser."""

import os
import re
import subprocess
from configparser import ConfigParser
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.catalog import browser
from tf1ref import catalog
from tf1ref.catalog.gallery import page as gallery_page

pytestmark = pytest.mark.slow

# One program in the shape of an example; the test's other programs are this one with a word exchanged.
PROGRAM = '''"""A "title" with <b>marks</b> & signs

Source: S0 1-2
TF1: a `graph`.
Now: <script>alert(1)</script> is text.
Errata: none
"""

import os

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

STEPS = 30
EXPECTED = {"final/w": exactly(30.0)}


def trace(steps, w):
    return {"steps/w": np.arange(steps, dtype=np.float32), "final/w": np.float32(w)}


def build_graph():
    return {"one": v1.constant(1)}


def run_graph(steps=STEPS):
    assert v1 and steps < 100, "a < b & c"
    return trace(steps, steps)


def run_function(steps=STEPS):
    assert tf
    return trace(steps, steps)


def plot(trace):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    figure.subplots().set(title='"w" <grows>', xlabel="step", ylabel="w")
    return figure
'''
VARIANTS = {
    "dies": ("assert v1", "os._exit(9)"),
    "differs": ("assert tf", "return trace(steps, steps + 1)"),
    "good": ("", ""),
    "misses": ("exactly(30.0)", "exactly(31.0)"),
    "raises": ("steps < 100", "steps < 10"),
}
NAMED = ("pre", "nav", "article")  # what a screen reader lists by its label
COMMAND = """import sys
from pathlib import Path

from tf1ref.catalog import finding

finding.FOLDER = Path(__file__).parent / "examples"
if __name__ == "__main__":
    from tf1ref import cli

    sys.exit(cli.main(["gallery", "--out", "out", *sys.argv[1:]]))
"""


class Parsed(HTMLParser):
    """Every element as (tag, {attribute: value}), and the text of every <pre> in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.codes, self.text, self._in = [], [], "", []
        self.feed(text)
        self.close()
        assert not self._in, f"{self._in} never end"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img"):
            self._in.append(tag)
        if tag == "pre":
            self.codes.append("")

    def handle_endtag(self, tag):
        assert self._in.pop() == tag

    def handle_data(self, data):
        if "pre" in self._in:
            self.codes[-1] += data
        elif not {"style", "script"} & set(self._in):
            self.text += data

    def all(self, name):
        """The values of attribute `name`, in order."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture
def own(tmp_path, started_python):
    """Runs the command on programs of the test's own, by names of VARIANTS."""

    def run(*names, env=None):
        chapter = tmp_path / "examples" / "basics"
        chapter.mkdir(parents=True)
        (chapter / "__init__.py").write_text('"""What it <teaches>."""')
        for name in names:
            (chapter / f"{name}.py").write_text(PROGRAM.replace(*VARIANTS[name]))
        (tmp_path / "command.py").write_text(COMMAND)
        return subprocess.run(
            [started_python, "command.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240,
            env={**os.environ, **(env or {})},
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def training(tmp_path_factory, tf1ref_in):
    """The path of the page of one real chapter, with pictures."""
    folder = tmp_path_factory.mktemp("training")
    done = tf1ref_in(folder, "gallery", "--chapter", "training", "--out", "page")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(os.listdir(folder / "page")) == ["index.html", "ipynb", "py"]
    return folder / "page" / "index.html"


def test_what_goes_wrong_is_on_the_page_and_the_rest_is_whole(own, tmp_path):
    done = own(*VARIANTS)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    text = (tmp_path / "out" / "index.html").read_text()
    page = Parsed(text)
    assert [tag for tag, _ in page.elements].count("script") == 1, "the page's own"
    said = dict(zip(VARIANTS, re.split(r"Source: S0 1-2", page.text)[1:]))
    assert (
        "Differs 1 differing over 20 steps, the first in final/w: element []: 20.0 in the graph, 21.0"
        in said["differs"]
    )
    assert "Failed its process died or hung: `tf1ref parity basics.dies` shows more" in said["dies"]
    assert "Failed basics.raises.run_graph: AssertionError: a < b & c" in said["raises"]
    for name in ("good", "misses"):
        assert "Equal 21 elements over 20 steps, 0 differing bits" in said[name]
        assert "after the source’s own 30 steps" in said[name]
    assert re.search(r"final/w\s*30\s*30\s*ok", said["good"])
    assert re.search(r"final/w\s*31\s*30\s*missed", said["misses"])
    assert "What it <teaches>." in page.text and "Now<script>alert(1)</script> is text." in page.text
    assert page.text.count('A "title" with <b>marks</b> & signs') == 2 * len(VARIANTS)
    assert 'Picture of basics.good after 30 steps: "w" <grows>; w over step' in page.all("alt")
    assert (
        "equal to the bit 2 of 5; promised figures reached 2 of 3; not run at full length 0; failed 2" in done.stdout
    )  # `differs` reaches its figure
    assert "basics.raises: basics.raises.run_graph: AssertionError" in done.stdout


def test_without_matplotlib_it_says_so(own, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    done = own("good", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    page = Parsed((tmp_path / "out" / "index.html").read_text())
    assert "Without pictures: they need matplotlib" in page.text and not page.all("alt")
    assert "blank" not in page.all("class"), "room for pictures that are not there"


def test_every_example_is_there_and_its_text_is_complete(training):
    page = Parsed(training.read_text())
    examples = catalog.examples("training")
    assert [i for i in page.all("id") if i.startswith("training.") and not i.endswith("-title")] == [
        example.name for example in examples
    ]
    for example, at in zip(examples, range(0, len(page.codes), 3)):
        parts = catalog.parts(example.path)
        assert page.codes[at : at + 3] == [parts.constants, parts.graph, parts.function]
    assert len(page.codes) == 3 * len(examples)
    assert page.text.count("0 differing bits") == len(examples)
    assert "Without pictures" not in page.text and "matplotlib" not in page.text
    contents = page.all("alt").count("") + page.all("class").count("blank")
    assert contents == len(examples) > page.all("class").count("blank") > 0, "titles stand in one column"


def test_it_stands_alone_and_its_links_resolve(training):
    text = training.read_text()
    page = Parsed(text)
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    links = page.all("href")
    beside = {link for link in links if link.startswith(("py/", "ipynb/"))}
    assert {link[1:] for link in set(links) - beside - {"data:,"}} <= set(ids)
    assert len(beside) == 2 * len(catalog.examples("training"))
    assert all((training.parent / link).stat().st_size > 500 for link in beside)
    assert all(source.startswith("data:image/webp;base64,") for source in page.all("src"))
    assert not re.search(r"@import|url\(|javascript:|\son\w+=", text.partition("<body>")[0] + "".join(links))
    assert {tag for tag, _ in page.elements}.isdisjoint({"iframe", "object", "embed", "form"})
    assert [tag for tag, _ in page.elements].count("script") == 1


def test_it_can_be_read_without_eyes(training):
    page = Parsed(training.read_text())
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    pictures = [attributes["alt"] for tag, attributes in page.elements if tag == "img"]
    # The thumbnails stand in links that say the same in words: they are passed over.
    assert pictures.count("") == len(pictures) // 2 >= 4 and all(len(alt) > 20 for alt in pictures if alt)
    labels = [
        attributes.keys() & {"aria-label", "aria-labelledby"} for tag, attributes in page.elements if tag in NAMED
    ]
    assert len(labels) > len(page.codes) and all(labels)


def luminance(colour):
    """Relative luminance of #rrggbb, by WCAG 2's definition."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), parts))


def test_every_colour_is_legible_on_both_grounds():
    schemes = re.findall(r":root \{(.*?)\}", gallery_page.STYLE.read_text(), re.S)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = {name: luminance(value) for name, value in re.findall(r"--(\w+): (#\w{6});", scheme)}
        for name in colours.keys() - {"ground", "raised", "line"}:
            for ground in ("ground", "raised"):
                low, high = sorted((colours[name], colours[ground]))
                assert (high + 0.05) / (low + 0.05) >= 4.5, f"{name} on {ground}"


@pytest.mark.parametrize("file", [gallery_page.STYLE, gallery_page.SCRIPT], ids=lambda file: file.name)
def test_what_the_page_is_made_of_ships(file):
    setup = ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    patterns = setup["options.package_data"]["tf1ref.catalog.gallery"].split(",")
    assert any(file.match(pattern.strip()) for pattern in patterns)


@pytest.mark.skipif(not browser.PROGRAM, reason="no Chromium on this machine")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 400, 1400, 2000])
def test_in_a_browser(training, tmp_path, width, dark):
    with browser.page(tmp_path) as page:
        page.open(training.as_uri(), width, dark=dark)
        wide, window = page.value("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= window <= width
        tops, clips = page.value(
            "[[...document.querySelectorAll('.halves .box')].map(box => box.getBoundingClientRect().top),"
            " [...document.querySelectorAll('pre')].map(pre => getComputedStyle(pre).overflowX)]"
        )
        assert set(clips) == {"auto"}
        assert all((graph == function) == (width == 2000) for graph, function in zip(tops[::2], tops[1::2]))
        cut = page.value("[...document.querySelectorAll('pre')].filter(p => p.scrollWidth > p.clientWidth).length")
        assert cut == 0 or width < 1400
        assert page.value("document.querySelectorAll('.box button').length") == 3 * len(catalog.examples("training"))
        size, ground, broken = page.value(
            "[Math.min(...[...document.querySelectorAll('p, dd, td, pre')].map(e => parseFloat(getComputedStyle(e)"
            ".fontSize))), getComputedStyle(document.body).backgroundColor,"
            " [...document.images].filter(i => !i.naturalWidth || i.alt && (i.naturalWidth != i.getAttribute('width')"
            " || i.naturalHeight != i.getAttribute('height'))).length]"
        )
        assert size >= 12 and broken == 0
        assert ground == ("rgb(20, 22, 26)" if dark else "rgb(255, 255, 255)")
        page.value("document.querySelector('.contents li:last-child a').click()")
        at = page.value("document.querySelector(':target').getBoundingClientRect().top")
        assert at < 100
        assert page.said == []
