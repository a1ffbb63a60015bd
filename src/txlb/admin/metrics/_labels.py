"""
Labels of samples.
"""

from __future__ import annotations

#: The three characters that a value of a label can't have as they are: text format 0.0.4 and
#: OpenMetrics 1.0 agree.
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def labelsOf(**values: str) -> str:
    """
    Make the text of labels, with its braces.

    Characters that are no text, such as lone surrogates of a path, are replaced.
    """
    pairs = ",".join(f'{name}="{_text(value)}"' for name, value in values.items())
    return f"{{{pairs}}}"


def _text(value: str) -> str:
    return value.translate(_ESCAPES).encode("utf-8", "replace").decode("utf-8")
