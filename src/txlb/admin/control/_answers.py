"""
Long answers, page by page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from txlb.admin._rows import Row

#: Bytes of a page; AMP has room for 65,535.
PAGE = 60_000

#: The text of a row that does not fit into a page by itself.
TOO_LONG = "this row is too long for an answer"


#: Rows that are made at a time: together they take about a millisecond.
ROWS = 12


class Answer:
    """
    The rows of an answer. Pages are made of them when the client asks, a few rows at a
    time.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self._texts: list[str] = []
        self._size = 2
        # The row that did not fit into the last page.
        self._next: str | None = None

    def goOn(self) -> bool:
        """
        Make some more rows of the next page.

        @return: whether it is not complete yet.
        """
        for _ in range(ROWS):
            if self._next is None:
                self._next = self._take()
            # A page without any row has to have room for one.
            if self._next is None or self._size + len(self._next) > PAGE:
                return False
            self._texts.append(self._next)
            self._size += len(self._next) + 1
            self._next = None
        return True

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
        Give the page that is complete.

        @return: its rows as a JSON array of at most L{PAGE} bytes, all of them
            ASCII, and whether there are more.
        """
        text = f"[{','.join(self._texts)}]"
        self._texts, self._size = [], 2
        return text, self._next is not None
