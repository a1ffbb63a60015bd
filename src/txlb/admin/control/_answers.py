"""
Long answers, page by page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from txlb.admin._rows import Row

#: Bytes of a page; AMP has room for 65,535.
PAGE = 60_000

#: What stands for a row that does not fit into a page by itself.
TOO_LONG = "this row is too long for an answer"


class Answer:
    """
    Rows, of which pages are made as they are asked for.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self._next = self._take()

    def _take(self) -> str | None:
        row = next(self._rows, None)
        if row is None:
            return None
        text = json.dumps(row, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
        if len(text) > PAGE - 2:
            short = {"row": row.get("row"), "text": TOO_LONG, "cut": text[: PAGE // 4]}
            text = json.dumps(short, separators=(",", ":"))
        return text

    def page(self) -> tuple[str, bool]:
        """
        @return: the next rows as a JSON array of at most L{PAGE} bytes, all of them
            ASCII, and whether there are more.
        """
        texts: list[str] = []
        size = 2
        while self._next is not None and size + len(self._next) <= PAGE:
            texts.append(self._next)
            size += len(self._next) + 1
            self._next = self._take()
        return f"[{','.join(texts)}]", self._next is not None
