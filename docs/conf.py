"""
The configuration of Sphinx, which also builds the API reference by pydoctor.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_extensions"), str(ROOT / "src")]

import elsewhere  # noqa: E402 - found by the line above
from sphinx.application import Sphinx  # noqa: E402 - sorted with it
from sphinx.directives.code import CodeBlock  # noqa: E402 - likewise

import txlb  # noqa: E402 - likewise

project = "txlb"
author = "the txlb developers"
copyright = "2026, the txlb developers"
version = release = txlb.__version__

extensions = [
    "commands",
    "configuration",
    "connecting",
    "metrics",
    "states",
    "sphinx.ext.intersphinx",
    "pydoctor.sphinx_ext.build_apidocs",
]
exclude_patterns = ["_build"]
default_role = "any"
highlight_language = "text"
smartquotes = False
nitpicky = True
intersphinx_mapping: dict[str, tuple[str, str]] = {}

html_theme = "furo"
html_title = "txlb"
html_static_path = ["_static"]
html_css_files = ["txlb.css"]
html_copy_source = False
html_show_sphinx = False

pydoctor_url_path = "api/"
pydoctor_args = [
    "--project-name=txlb",
    f"--project-version={release}",
    "--project-url=../index.html",
    f"--project-base-dir={ROOT / 'src'}",
    "--docformat=epytext",
    "--theme=readthedocs",
    "--cls-member-order=source",
    "--mod-member-order=source",
    "--html-output={outdir}/api",
    *elsewhere.inventories(ROOT / "src" / "txlb", HERE / "_build" / "inventories"),
    str(ROOT / "src" / "txlb"),
]


def setup(app: Sphinx) -> None:
    """
    Set up Sphinx. When pydoctor's module for docstrings in reStructuredText is
    imported, its directive replaces Sphinx's, and captions are lost. So this imports
    the module now, and restores the directive.
    """
    importlib.import_module("pydoctor.epydoc.markup.restructuredtext")
    app.add_directive("code-block", CodeBlock, override=True)
