"""How Sphinx builds the site: `scripts/docs`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1])]

from tf1ref import __version__  # noqa: E402 - a checkout need not be installed

project = "tf1ref"
author = "the tf1ref authors"
copyright = "the tf1ref authors; Apache-2.0"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinxarg.ext", "tf1ref_docs"]
exclude_patterns = ["_build", "_ext", "_gallery"]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
default_role = "literal"
html_theme = "furo"
# The theme's own dark style underlines the names of modules, as if they were links.
pygments_dark_style = "a11y-high-contrast-dark"
html_title = "tf1ref"
# Summaries are fetched, which a browser refuses for pages that are opened from a file.
html_show_search_summary = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_gallery"] if (Path(__file__).parent / "_gallery").exists() else []
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
