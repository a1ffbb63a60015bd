"""
Tests for L{txlb.admin.control._answers}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.control._answers import PAGE, ROWS, TOO_LONG, Answer


def pagesOf(answer: Answer) -> list[str]:
    pages = []
    more = True
    while more:
        page, more = nextPage(answer)
        pages.append(page)
    return pages


def nextPage(answer: Answer) -> tuple[str, bool]:
    while answer.goOn():
        pass
    return answer.page()


class AnswerTests(SynchronousTestCase):
    def test_none(self) -> None:
        self.assertEqual(nextPage(Answer([])), ("[]", False))

    def test_one(self) -> None:
        self.assertEqual(nextPage(Answer([{"a": 1}])), ('[{"a":1}]', False))

    def test_asNeeded(self) -> None:
        """
        Rows are made no earlier than they are wanted.
        """
        made = []

        def rows() -> Iterator[dict[str, object]]:
            for number in range(100):
                made.append(number)
                yield {"text": "x" * 10_000}

        answer = Answer(rows())
        self.assertEqual(len(made), 0)
        nextPage(answer)
        self.assertEqual(len(made), 6)

    def test_aFewAtATime(self) -> None:
        """
        Somebody else has a turn after each few rows.
        """
        answer = Answer({"n": n} for n in range(3 * ROWS))
        self.assertEqual([answer.goOn() for _ in range(4)], [True] * 3 + [False])
        page, more = answer.page()
        self.assertEqual((len(json.loads(page)), more), (3 * ROWS, False))

    def test_tooLong(self) -> None:
        """
        A row that fits into no page is said to be one.
        """
        (page,) = pagesOf(Answer([{"row": "x", "text": "é" * PAGE}]))
        (row,) = json.loads(page)
        self.assertEqual((row["row"], row["text"]), ("x", TOO_LONG))
        self.assertLessEqual(len(page), PAGE)

    @given(
        st.lists(
            st.dictionaries(
                st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=50)), max_size=4
            ),
            max_size=30,
        ),
        st.integers(0, 20_000),
    )
    def test_always(self, rows: list[dict[str, Any]], size: int) -> None:
        """
        However many there are, the pages together are all of the rows, in order,
        none is too long, and none but the last is empty.
        """
        given = [{**row, "size": "x" * size} for row in rows]
        pages = pagesOf(Answer(given))
        found = [json.loads(page) for page in pages]
        self.assertEqual([row for page in found for row in page], given)
        self.assertTrue(all(len(page.encode("ascii")) <= PAGE for page in pages))
        self.assertTrue(all(found) or not rows)
