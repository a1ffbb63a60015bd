"""
Tests for L{txlb.config._edit}.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from txlb.config._edit import _settled, arrange, remove


def edit(text: str, *wanted: str, later: Sequence[str] = ()) -> str:
    """
    Make the C{h} elements of the outermost element be those that are named.
    """
    root: etree._Element = etree.fromstring(text)
    before = [element for element in root if element.tag == "h"]
    found = {element.get("n"): element for element in before}
    after = arrange(root, "h", before, [found.get(name) for name in wanted], later)
    for element, name in zip(after, wanted, strict=True):
        element.set("n", name)
    return etree.tostring(root, encoding="unicode")


class ArrangeTests(SynchronousTestCase):
    """
    A file looks as if a person had made the change.
    """

    three = '<g>\n  <h n="a"/>\n  <h n="b"/>\n  <h n="c"/>\n</g>'

    def test_nothing(self) -> None:
        self.assertEqual(edit(self.three, "a", "b", "c"), self.three)

    def test_removed(self) -> None:
        self.assertEqual(edit(self.three, "b", "c"), '<g>\n  <h n="b"/>\n  <h n="c"/>\n</g>')
        self.assertEqual(edit(self.three, "a", "c"), '<g>\n  <h n="a"/>\n  <h n="c"/>\n</g>')
        self.assertEqual(edit(self.three, "a", "b"), '<g>\n  <h n="a"/>\n  <h n="b"/>\n</g>')
        self.assertEqual(edit(self.three), "<g>\n</g>")

    def test_added(self) -> None:
        for wanted in ("xabc", "axbc", "abcx", "xayc"):
            lines = [f'  <h n="{name}"/>' for name in wanted]
            self.assertEqual(edit(self.three, *wanted), "\n".join(["<g>", *lines, "</g>"]))

    def test_besideTheTag(self) -> None:
        """
        A comment beside the opening tag is no example of where things stand.
        """
        text = '<g> <!-- G -->\n  <h n="a"/>\n</g>'
        self.assertEqual(edit(text, "a", "x"), '<g> <!-- G -->\n  <h n="a"/>\n  <h n="x"/>\n</g>')

    def test_moved(self) -> None:
        for wanted in permutations("abc"):
            lines = [f'  <h n="{name}"/>' for name in wanted]
            self.assertEqual(edit(self.three, *wanted), "\n".join(["<g>", *lines, "</g>"]))

    def test_commentsAbove(self) -> None:
        """
        They stay where they are.
        """
        text = '<g>\n  <!-- A -->\n  <h n="a"/>\n  <!-- B -->\n  <h n="b"/>\n</g>'
        self.assertEqual(
            edit(text, "b", "x"),
            '<g>\n  <!-- A -->\n  <!-- B -->\n  <h n="b"/>\n  <h n="x"/>\n</g>',
        )

    def test_commentsBeside(self) -> None:
        """
        What is new comes after what is said of the old.
        """
        text = '<g>\n  <h n="a"/> <!-- A --> <!-- more -->\n  <h n="b"/> <!-- B -->\n</g>'
        self.assertEqual(
            edit(text, "a", "x", "b", "y"),
            '<g>\n  <h n="a"/> <!-- A --> <!-- more -->\n  <h n="x"/>\n'
            '  <h n="b"/> <!-- B -->\n  <h n="y"/>\n</g>',
        )

    def test_commentOfWhatIsGone(self) -> None:
        """
        It doesn't slip to the line above, where it would be said of another.
        """
        text = '<g>\n  <h n="a"/>\n  <h n="b"/> <!-- B -->\n</g>'
        self.assertEqual(edit(text, "a"), '<g>\n  <h n="a"/>\n  <!-- B -->\n</g>')

    def test_emptyLines(self) -> None:
        """
        They are not repeated.
        """
        text = '<g>\n\n  <h n="a"/>\n\n  <h n="b"/>\n\n</g>'
        self.assertEqual(
            edit(text, "x", "a", "y", "b"),
            '<g>\n\n  <h n="x"/>\n  <h n="a"/>\n  <h n="y"/>\n\n  <h n="b"/>\n\n</g>',
        )

    def test_oneLine(self) -> None:
        """
        What is on one line stays on it.
        """
        self.assertEqual(edit('<g><h n="a"/></g>', "x", "a"), '<g><h n="x"/><h n="a"/></g>')
        self.assertEqual(edit("<g/>", "x", "y"), '<g><h n="x"/><h n="y"/></g>')

    def test_emptyParent(self) -> None:
        """
        Without an example, indentation follows that of the parents.
        """
        root: etree._Element = etree.fromstring("<a>\n    <b>\n        <c/>\n    </b>\n</a>")
        arrange(root[0][0], "d", [], [None, None])
        self.assertEqual(
            etree.tostring(root, encoding="unicode"),
            "<a>\n    <b>\n        <c>\n            <d/>\n            <d/>\n        </c>\n"
            "    </b>\n</a>",
        )

    def test_emptyLineOfParent(self) -> None:
        """
        A parent that is open, with nothing in it, is closed where it was.
        """
        root: etree._Element = etree.fromstring("<a>\n<b>\n</b>\n</a>")
        arrange(root[0], "d", [], [None])
        self.assertEqual(etree.tostring(root, encoding="unicode"), "<a>\n<b>\n  <d/>\n</b>\n</a>")

    def test_firstOfItsKind(self) -> None:
        """
        It stands where the schema has it: before what comes later.
        """
        text = "<s>\n  <l/>\n  <!-- c -->\n  <e/>\n</s>"
        self.assertEqual(
            edit(text, "x", later=["e", "f"]),
            '<s>\n  <l/>\n  <!-- c -->\n  <h n="x"/>\n  <e/>\n</s>',
        )
        self.assertEqual(
            edit(text, "x", later=["f"]),
            '<s>\n  <l/>\n  <!-- c -->\n  <e/>\n  <h n="x"/>\n</s>',
        )

    @given(st.permutations("abcdef"), st.integers(0, 6), st.integers(0, 6))
    def test_any(self, order: Sequence[str], had: int, has: int) -> None:
        """
        Whatever was there and is wanted, it ends up in its order, one a line.
        """
        names = sorted(order[:had])
        lines = [f'  <h n="{name}"/>' for name in names]
        wanted = order[6 - has :]
        found = edit("\n".join(["<g>", *lines, "</g>"]), *wanted)
        lines = [f'  <h n="{name}"/>' for name in wanted]
        self.assertEqual(found, "\n".join(["<g>", *lines, "</g>"]))


class RemoveTests(SynchronousTestCase):
    def test_nowhere(self) -> None:
        """
        What is nowhere can be removed from there.
        """
        element: etree._Element = etree.fromstring("<a/>")
        remove(element)
        self.assertIsNone(element.getparent())


class SettledTests(SynchronousTestCase):
    @given(st.permutations(range(7)))
    def test_longest(self, places: Sequence[int]) -> None:
        """
        It goes up, and no longer one does: each step begins a new pile.
        """
        found = [place for place in places if place in _settled(places)]
        self.assertEqual(found, sorted(found))
        best = [1] * 7
        for end in range(7):
            for start in range(end):
                if places[start] < places[end]:
                    best[end] = max(best[end], best[start] + 1)
        self.assertEqual(len(found), max(best))
