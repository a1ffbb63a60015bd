"""
Changing a tree so that it still looks as a person would have written it:
elements come and go with their indentation, comments stay where they are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from lxml import etree

#: How much deeper a level stands where the file gives no example.
DEFAULT_INDENT = "  "


def arrange(
    parent: etree._Element,
    tag: str,
    before: Sequence[etree._Element],
    wanted: Sequence[etree._Element | None],
    later: Sequence[str] = (),
) -> list[etree._Element]:
    """
    Make the children of one tag to be those that are wanted, in their order.
    As few as can be are moved.

    @param before: the children that are there, in their order.
    @param wanted: children out of C{before}, and L{None} for each new one.
    @param later: tags that a first child of this tag has to stand before.
    @return: the children, the new ones included, in their order.
    """
    keep = {id(element) for element in wanted if element is not None}
    for element in before:
        if id(element) not in keep:
            remove(element)
    place = {id(element): number for number, element in enumerate(before)}
    settled = _settled([place[id(element)] for element in wanted if element is not None])
    result: list[etree._Element] = []
    for each in wanted:
        element = parent.makeelement(tag) if each is None else each
        if place.get(id(element)) not in settled:
            remove(element)
            if result:
                _insertAfter(parent, result[-1], element)
            else:
                _insertFirst(parent, element, (tag, *later))
        result.append(element)
    return result


def remove(element: etree._Element) -> None:
    """
    Take an element out, where it is in, and the line that it had for itself.
    """
    parent = element.getparent()
    if parent is None:
        return
    space, tail = _spaceBefore(element), element.tail or ""
    # A comment that follows on the same line must not slip up to the line above.
    rest = tail if "\n" in tail or "\n" not in space else space
    previous = element.getprevious()
    parent.remove(element)
    if previous is None:
        parent.text = rest
    else:
        previous.tail = rest
    element.tail = None


def _insertAfter(
    parent: etree._Element, reference: etree._Element, element: etree._Element
) -> None:
    # A comment on the same line belongs to what it follows.
    following = reference.getnext()
    while (
        following is not None
        and not isinstance(following.tag, str)
        and "\n" not in (reference.tail or "")
    ):
        reference, following = following, following.getnext()
    indent, tail = _indent(parent), reference.tail
    # Where addnext puts tails is not said; without any there is no question.
    reference.tail = None
    reference.addnext(element)
    reference.tail, element.tail = indent, tail


def _insertFirst(parent: etree._Element, element: etree._Element, later: Sequence[str]) -> None:
    indent = _indent(parent)
    for child in parent:
        if child.tag in later:
            child.addprevious(element)
            element.tail = indent
            return
    if len(parent):
        _insertAfter(parent, parent[-1], element)
        return
    closing = parent.text if parent.text and "\n" in parent.text else _spaceBefore(parent)
    parent.text = indent
    parent.append(element)
    element.tail = _lastLine(closing)


def _indent(parent: etree._Element) -> str:
    """
    The white space that stands before a child.
    """
    if len(parent):
        # A comment beside the opening tag is no example of it.
        spaces = [parent.text or "", *(child.tail or "" for child in parent[:-1])]
        return _lastLine(next((each for each in spaces if "\n" in each), spaces[0]))
    outer = _lastLine(parent.text or "") or _lastLine(_spaceBefore(parent))
    if "\n" not in outer:
        return ""
    grandparent = parent.getparent()
    outermost = "\n" if grandparent is None else _lastLine(_spaceBefore(grandparent)) or "\n"
    step = outer.removeprefix(outermost) if outer != outermost else ""
    return outer + (step or DEFAULT_INDENT)


def _spaceBefore(element: etree._Element) -> str:
    previous = element.getprevious()
    if previous is not None:
        return previous.tail or ""
    parent = element.getparent()
    return "" if parent is None else parent.text or ""


def _lastLine(space: str) -> str:
    """
    White space without the empty lines in it.
    """
    _, newline, rest = space.rpartition("\n")
    return newline + rest


def _settled(places: Sequence[int]) -> set[int]:
    """
    The longest increasing subsequence: what can stay where it is.

    Source: M. L. Fredman, "On computing the length of longest increasing
    subsequences", 1975 (patience sorting).
    """
    tails: list[int] = []
    previous: dict[int, int | None] = {}
    for place in places:
        number = bisect_left(tails, place)
        previous[place] = tails[number - 1] if number else None
        tails[number : number + 1] = [place]
    found: set[int] = set()
    place_: int | None = tails[-1] if tails else None
    while place_ is not None:
        found.add(place_)
        place_ = previous[place_]
    return found
