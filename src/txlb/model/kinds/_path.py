"""
Paths.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.errors import ModelError
from txlb.model.kinds._plain import PlainKind, quoted

#: The longest path that Linux takes, in bytes, without the NUL at its end.
MAX_PATH = 4095


@dataclass(frozen=True, slots=True)
class Path(PlainKind):
    """
    A path in the file system; a relative one begins at the folder of the configuration
    file.
    """

    def describe(self) -> str:
        return (
            f"a path of at most {MAX_PATH} characters, absolute or from the folder of the "
            "configuration file"
        )

    def parse(self, text: str, what: str) -> str:
        if not text.strip() or len(text) > MAX_PATH:
            raise self.wrong(text, what)
        if not text.isprintable():
            raise ModelError(
                f"{what} is {quoted(text)}, which has characters that can't be printed; a path "
                "in a configuration file has none, such as control characters and line ends"
            )
        return text
