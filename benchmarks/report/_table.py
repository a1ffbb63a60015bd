"""
A table, in Markdown and in reStructuredText.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """
    A table with what is to be said about it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remark: str = ""

    def markdown(self) -> str:
        """
        As Markdown.
        """
        lines = [f"## {self.title}", ""]
        if self.remark:
            lines += [self.remark, ""]
        lines.append(_row(self.columns))
        # Figures stand right.
        lines.append(_row(["---", *("---:" for _ in self.columns[1:])]))
        lines += [_row(row) for row in self.rows]
        return "\n".join(lines) + "\n"

    def restructured(self) -> str:
        """
        As reStructuredText.
        """
        lines = [self.title, "-" * len(self.title), ""]
        if self.remark:
            lines += [self.remark, ""]
        lines += [".. list-table::", "   :header-rows: 1", ""]
        for row in (self.columns, *self.rows):
            lines += [f"   {'  ' if index else '* '}- {cell}" for index, cell in enumerate(row)]
        return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
