"""
The reference page of the configuration file, made from the schema that the loader reads.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

# This registers every kind of check.
import txlb.application  # noqa: F401
from txlb.config import referencePage


def write(app: Sphinx) -> None:
    """
    Write the page if it has changed.
    """
    path = Path(app.srcdir) / "reference" / "generated" / "configuration.rst"
    text = referencePage()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """
    Connect to Sphinx.
    """
    app.connect("builder-inited", write, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
