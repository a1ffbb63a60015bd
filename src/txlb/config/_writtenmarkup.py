"""
A comment, a processing instruction or a CDATA section as it is written in a document.
"""

from __future__ import annotations

from txlb.config._writtennode import WrittenNode


class WrittenMarkup(WrittenNode):
    """
    A comment, a processing instruction or a CDATA section.

    @ivar text: all of it.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def write(self, parts: list[str]) -> None:
        parts.append(self.text)
