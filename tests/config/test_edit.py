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

from txlb.config._edit import _settled, _take, arrange
from txlb.config._source import Source
from txlb.config._writtenelement import WrittenElement


def read(text: str) -> Source:
    data = text.encode()
    root: etree._Element = etree.fromstring(data)
    return Source(data, root, "c.xml")


def find(source: Source, name: str) -> WrittenElement:
    return next(each for each in source.root.elements() if each.name == name)


def nameOf(element: WrittenElement) -> str:
    return next(each.raw for each in element.attributes if each.name == "n")


def edit(text: str, *wanted: str, earlier: Sequence[str] = ()) -> str:
    """
    Make the C{h} elements of the outermost element be those that are named.
    """
    source = read(text)
    root = source.root
    before = [each for each in root if isinstance(each, WrittenElement) and each.name == "h"]
    found = {nameOf(element): element for element in before}
    after = arrange(root, "h", before, [found.get(name) for name in wanted], earlier)
    for element, name in zip(after, wanted, strict=True):
        if name not in found:
            element.set("n", name)
    return source.text


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

    def test_commentsBesideWhatIsGone(self) -> None:
        """
        They go with it, as its whole line does: nothing is left for them to be about. One
        that has several lines is beside what is on its first line.
        """
        for line in (
            '<h n="b"/> <!-- B -->',
            '<!-- us --><h n="b"/>',
            '<h n="b"/><!-- B --> <?b?>',
            '<h n="b"/> <!-- B\n  and more -->',
        ):
            text = f'<g>\n  <h n="a"/>\n  {line}\n  <h n="c"/>\n</g>'
            self.assertEqual(edit(text, "a", "c"), '<g>\n  <h n="a"/>\n  <h n="c"/>\n</g>')

    def test_commentsBesideWhatMoves(self) -> None:
        """
        They move with it.
        """
        text = '<g>\n  <h n="a"/> <!-- A -->\n  <h n="b"/> <!-- B -->\n  <h n="c"/>\n</g>'
        self.assertEqual(
            edit(text, "b", "c", "a"),
            '<g>\n  <h n="b"/> <!-- B -->\n  <h n="c"/>\n  <h n="a"/> <!-- A -->\n</g>',
        )

    def test_severalOnALine(self) -> None:
        """
        A comment may be about any of them, and stays until all are gone.
        """
        line = '<h n="a"/> <h n="b"/> <!-- B -->'
        text = f"<g>\n  {line}\n</g>"
        self.assertEqual(edit(text, "a"), '<g>\n  <h n="a"/> <!-- B -->\n</g>')
        self.assertEqual(edit(text, "b"), '<g>\n  <h n="b"/> <!-- B -->\n</g>')
        self.assertEqual(edit(text), "<g>\n</g>")
        beside = '<g> <h n="a"/> <!-- A -->\n  <h n="b"/></g>'
        self.assertEqual(edit(beside, "b"), '<g> <!-- A -->\n  <h n="b"/></g>')
        self.assertEqual(edit(beside, "a"), '<g> <h n="a"/> <!-- A -->\n  </g>')

    def test_emptyLines(self) -> None:
        """
        They are not repeated.
        """
        text = '<g>\n\n  <h n="a"/>\n\n  <h n="b"/>\n\n</g>'
        self.assertEqual(
            edit(text, "x", "a", "y", "b"),
            '<g>\n\n  <h n="x"/>\n  <h n="a"/>\n  <h n="y"/>\n\n  <h n="b"/>\n\n</g>',
        )
        self.assertEqual(edit(text, "b"), '<g>\n\n\n  <h n="b"/>\n\n</g>')

    def test_oneLine(self) -> None:
        """
        What is on one line stays on it.
        """
        self.assertEqual(edit('<g><h n="a"/></g>', "x", "a"), '<g><h n="x"/><h n="a"/></g>')
        self.assertEqual(edit("<g />", "x", "y"), '<g><h n="x"/><h n="y"/></g>')
        self.assertEqual(edit("<g></g >", "x"), '<g><h n="x"/></g >')
        self.assertEqual(edit('<g><h n="a"/> <h n="b"/></g>', "b"), '<g><h n="b"/></g>')
        self.assertEqual(edit('<g><h n="a"/> <h n="b"/></g>', "a"), '<g><h n="a"/></g>')
        self.assertEqual(edit('<g> <h n="a"/> </g>'), "<g> </g>")

    def test_emptyParent(self) -> None:
        """
        Without an example, indentation follows that of the parents.
        """
        for newline in ("\n", "\r\n", "\r"):
            source = read("<a>\n    <b>\n        <c />\n    </b>\n</a>".replace("\n", newline))
            arrange(find(source, "c"), "d", [], [None, None])
            self.assertEqual(
                source.text,
                "<a>\n    <b>\n        <c>\n            <d/>\n            <d/>\n        </c>\n"
                "    </b>\n</a>".replace("\n", newline),
            )

    def test_emptyLineOfParent(self) -> None:
        """
        A parent that is open, with nothing in it, is closed where it was.
        """
        source = read("<a>\n<b>\n</b>\n</a>")
        arrange(find(source, "b"), "d", [], [None])
        self.assertEqual(source.text, "<a>\n<b>\n  <d/>\n</b>\n</a>")

    def test_endOnALineOfItsOwn(self) -> None:
        source = read('<a>\n  <b\n    n="1"\n  />\n</a>')
        arrange(find(source, "b"), "d", [], [None])
        self.assertEqual(source.text, '<a>\n  <b\n    n="1"\n  >\n    <d/>\n  </b>\n</a>')

    def test_firstOfItsKind(self) -> None:
        """
        It stands where the schema has it: behind what comes earlier. What stands above
        something else goes on to do so.
        """
        text = "<s>\n  <l/> <!-- L -->\n  <!-- c -->\n  <e/>\n</s>"
        self.assertEqual(
            edit(text, "x", earlier=["k", "l"]),
            '<s>\n  <l/> <!-- L -->\n  <h n="x"/>\n  <!-- c -->\n  <e/>\n</s>',
        )
        self.assertEqual(
            edit(text, "x", earlier=["l", "e"]),
            '<s>\n  <l/> <!-- L -->\n  <!-- c -->\n  <e/>\n  <h n="x"/>\n</s>',
        )
        self.assertEqual(
            edit(text, "x"),
            '<s>\n  <h n="x"/>\n  <l/> <!-- L -->\n  <!-- c -->\n  <e/>\n</s>',
        )

    def test_aboveComments(self) -> None:
        """
        What is new comes above the comments that stand right above the first one, but not
        above those that an empty line parts from it, nor above one beside the opening tag.
        """
        before = "<s> <!-- S -->\n  <!-- 1 -->\n\n"
        after = '  <!-- 2 --> <?three?>\n  <!-- 4 -->\n  <h n="a"/>\n</s>'
        self.assertEqual(edit(before + after, "x", "a"), f'{before}  <h n="x"/>\n{after}')
        after = '  <!-- 4 -->\n  <h n="a"/>\n</s>'
        for line in ("<s>", "<s> <!-- S -->", "<s>\n  <l/> <!-- S -->"):
            self.assertEqual(edit(f"{line}\n{after}", "x", "a"), f'{line}\n  <h n="x"/>\n{after}')

    def test_onlyComments(self) -> None:
        """
        What is new comes below them.
        """
        text = "<s>\n  <!-- none yet -->\n</s>"
        self.assertEqual(edit(text, "x"), '<s>\n  <!-- none yet -->\n  <h n="x"/>\n</s>')

    def test_allReplaced(self) -> None:
        """
        What is new stands where what is gone was.
        """
        text = '<s>\n  <e/>\n\n  <h n="a"/>\n  <h n="b"/> <!-- B -->\n\n  <l/>\n</s>'
        self.assertEqual(
            edit(text, "x", "y"),
            '<s>\n  <e/>\n\n  <h n="x"/>\n  <h n="y"/>\n\n  <l/>\n</s>',
        )

    def test_likeTheOthers(self) -> None:
        """
        What is new is written as the others are: quotes, lines, ends.
        """
        for other in (
            "<h n='{}'/>",
            '<h n="{}" />',
            '<h n="{}"></h>',
            '<h\n    n="{}"\n  />',
        ):
            lines = [other.format(name) for name in "abx"]
            self.assertEqual(
                edit("\n  ".join(["<g>", *lines[:2]]) + "\n</g>", "a", "b", "x"),
                "\n  ".join(["<g>", *lines]) + "\n</g>",
            )
        self.assertEqual(edit("<g a='1'/>", "x"), "<g a='1'><h n='x'/></g>")
        # What has something inside is no example of an end.
        self.assertEqual(
            edit('<g>\n  <h n="a"><i/></h>\n</g>', "a", "x"),
            '<g>\n  <h n="a"><i/></h>\n  <h n="x"/>\n</g>',
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


class TakeTests(SynchronousTestCase):
    def test_nowhere(self) -> None:
        """
        What is nowhere can be taken from there.
        """
        element = WrittenElement("a")
        self.assertEqual(_take(element), [element])


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
