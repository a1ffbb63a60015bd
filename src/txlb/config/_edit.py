"""
Edits of the content of an element that leave the file as a person would have written it.
Elements come and go with their lines; everything else stays.

A comment beside an element belongs to it, and moves and goes with it. A comment on a line of
its own stays, as it may be about the lines below as well.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

from txlb.config._writtenelement import WrittenElement
from txlb.config._writtenmarkup import WrittenMarkup
from txlb.config._writtennode import NEWLINE, WrittenNode

#: How much deeper a level stands if the file gives no example.
DEFAULT_INDENT = "  "


def arrange(
    parent: WrittenElement,
    tag: str,
    before: Sequence[WrittenElement],
    wanted: Sequence[WrittenElement | None],
    earlier: Collection[str] = (),
) -> list[WrittenElement]:
    """
    Make the children of one tag be those that are wanted, in their order. As few as can be
    are moved.

    @param before: the children that are there, in their order.
    @param wanted: children out of C{before}, and L{None} for each new one.
    @param earlier: tags that a first child of this tag has to stand behind.
    @return: the children, the new ones included, in their order.
    """
    places = {id(element): number for number, element in enumerate(before)}
    settled = _settled([places[id(element)] for element in wanted if element is not None])
    result: list[WrittenElement] = []
    for each in wanted:
        if each is not None and places[id(each)] in settled:
            result.append(each)
            continue
        nodes: list[WrittenNode] = [_new(tag, before)] if each is None else _take(each)
        if result:
            _putBehind(parent, _lineEnd(result[-1]), nodes)
        else:
            _putFirst(parent, nodes, next((x for x in before if x.parent is parent), None), earlier)
        result += [node for node in nodes if isinstance(node, WrittenElement)]
    kept = {id(element) for element in result}
    for element in before:
        if id(element) not in kept:
            _take(element)
    return result


def _new(tag: str, others: Sequence[WrittenElement]) -> WrittenElement:
    """
    Make a new element, which is written as others of its tag are.
    """
    element = WrittenElement(tag)
    element.like = next(iter(others), None)
    empty = next((each for each in others if each.first is None), None)
    if empty is not None:
        element.end = empty.end
        element.close = f"</{tag}>" if empty.close else ""
    return element


# Taking away


def _take(element: WrittenElement) -> list[WrittenNode]:
    """
    Take an element away, with its lines if it has them for itself.

    @return: the element and the comments that have gone with it, in their order.
    """
    parent = element.parent
    if parent is None:
        return [element]
    first, last = _lineStart(element), _lineEnd(element)
    space, rest = first.leading, _textBehind(parent, last)
    nodes: list[WrittenNode] = [element]
    if NEWLINE.search(space) and NEWLINE.search(rest):
        nodes = [first]
        while nodes[-1] is not last and nodes[-1].next is not None:
            nodes.append(nodes[-1].next)
        rest = space.removesuffix(_lastLine(space)) + rest
    else:
        # There is something else on its line.
        space, last, rest = element.leading, element, _textBehind(parent, element)
        if NEWLINE.search(space) or (len(space) < len(rest) and not NEWLINE.search(rest)):
            rest = space
    _setTextBehind(parent, last, rest)
    for node in nodes:
        parent.remove(node)
    return nodes


def _lineStart(element: WrittenElement) -> WrittenNode:
    """
    Find the first node on the line of an element, as far as there are only comments before it.
    """
    node: WrittenNode = element
    while not NEWLINE.search(node.leading) and isinstance(node.previous, WrittenMarkup):
        node = node.previous
    return node


def _lineEnd(element: WrittenElement) -> WrittenNode:
    """
    Find the last node on the line of an element, as far as there are only comments behind it.
    """
    node: WrittenNode = element
    while isinstance(node.next, WrittenMarkup) and not NEWLINE.search(node.next.leading):
        node = node.next
    return node


def _textBehind(parent: WrittenElement, node: WrittenNode) -> str:
    return parent.inner if node.next is None else node.next.leading


def _setTextBehind(parent: WrittenElement, node: WrittenNode, text: str) -> None:
    if node.next is None:
        parent.inner = text
    else:
        node.next.leading = text


# Putting in


def _putBehind(parent: WrittenElement, place: WrittenNode, nodes: list[WrittenNode]) -> None:
    nodes[0].leading = _indent(parent)
    behind = place.next
    for node in nodes:
        parent.insert(node, behind)


def _putBefore(parent: WrittenElement, place: WrittenNode, nodes: list[WrittenNode]) -> None:
    # Empty lines stay where they are: above what comes first now.
    nodes[0].leading, place.leading = place.leading, _indent(parent)
    for node in nodes:
        parent.insert(node, place)


def _putFirst(
    parent: WrittenElement,
    nodes: list[WrittenNode],
    first: WrittenElement | None,
    earlier: Collection[str],
) -> None:
    """
    Put in nodes that stand before all others of their tag.

    @param first: the first of the others; L{None} if there is none.
    """
    if first is not None:
        _putBefore(parent, _top(first), nodes)
        return
    inside = [node for node in parent if isinstance(node, WrittenElement)]
    above = [node for node in inside if node.name in earlier]
    if above:
        _putBehind(parent, _lineEnd(above[-1]), nodes)
    elif inside:
        _putBefore(parent, _top(inside[0]), nodes)
    elif parent.last is not None:
        _putBehind(parent, parent.last, nodes)
    else:
        _putAlone(parent, nodes)


def _putAlone(parent: WrittenElement, nodes: list[WrittenNode]) -> None:
    nodes[0].leading = _indent(parent)
    parent.open()
    if NEWLINE.search(nodes[0].leading) and not NEWLINE.search(parent.inner):
        parent.inner = _lastLine(parent.leading)
    for node in nodes:
        parent.insert(node)


def _top(element: WrittenElement) -> WrittenNode:
    """
    Find the first node on the line of an element, or the first of the comments on the lines
    right above it, as those stay above it.
    """
    node = _lineStart(element)
    while isinstance(node.previous, WrittenMarkup) and len(NEWLINE.findall(node.leading)) == 1:
        above = node.previous
        while isinstance(above.previous, WrittenMarkup) and not NEWLINE.search(above.leading):
            above = above.previous
        if not NEWLINE.search(above.leading):
            # It is beside an element, or beside the opening tag.
            break
        node = above
    return node


def _indent(parent: WrittenElement) -> str:
    """
    Find the white space that stands before a child.
    """
    if parent.first is not None:
        # A comment beside the opening tag is no example of it.
        shown = next((node.leading for node in parent if NEWLINE.search(node.leading)), None)
        return _lastLine(parent.first.leading if shown is None else shown)
    outer = _lastLine(parent.inner if NEWLINE.search(parent.inner) else parent.leading)
    newline = NEWLINE.match(outer)
    if newline is None:
        return ""
    grandparent = parent.parent
    space = "" if grandparent is None else _lastLine(grandparent.leading)
    outermost = space if NEWLINE.match(space) else newline[0]
    step = outer.removeprefix(outermost) if outer != outermost else ""
    return outer + (step or DEFAULT_INDENT)


def _lastLine(space: str) -> str:
    """
    Return white space without the empty lines in it: from the last newline on, or all of it if
    there is none.
    """
    newlines = list(NEWLINE.finditer(space))
    return space[newlines[-1].start() :] if newlines else space


def _settled(places: Sequence[int]) -> set[int]:
    """
    Find the longest increasing subsequence: the children that can stay in their places.

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
