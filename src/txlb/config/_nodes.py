"""
From a tree to nodes: the same elements, each checked by the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from lxml import etree

from txlb.config._attribute import REQUIRED, Attribute
from txlb.config._element import Element, walk
from txlb.config._problems import Report
from txlb.config._schema import CONFIG, NOTE
from txlb.errors import ConfigurationError, ModelError, Problem, nearest, shortened
from txlb.model.kinds import quoted


class Node:
    """
    One element of a file.

    @ivar element: the element itself.
    @ivar spec: the element of the schema.
    @ivar attributes: the attributes that it can have, those of its variant included.
    @ivar line: its line, from 1: the line on which its opening tag ends.
        After line 65535 libxml2 knows it only to within a line or two.
    @ivar values: the attributes that are written and right, by name.
    @ivar wrong: the names of the attributes that are wrong, or missing although they are
        required; C{attributes} and C{children} if there are some that the schema does not
        know; C{names} if two children share one.
    @ivar children: the elements inside, without those that the schema does not
        know.
    """

    __slots__ = ("attributes", "children", "element", "line", "spec", "values", "wrong")

    def __init__(self, element: etree._Element, spec: Element) -> None:
        self.element = element
        self.spec = spec
        # lxml looks for each value from the first attribute on, so that to ask for all of
        # them takes quadratic time.
        self.attributes = spec.attributesOf(element)
        self.line = element.sourceline or 0
        self.values: dict[str, Any] = {}
        self.wrong: set[str] = set()
        self.children: list[Node] = []

    def get(self, name: str) -> Any:
        """
        Return the value of an attribute, or its default; L{None} if it is missing although
        it is required.
        """
        if name in self.values:
            return self.values[name]
        attribute = self.getAttribute(name)
        if attribute is None or attribute.default is REQUIRED:
            return None
        return attribute.default

    @property
    def settings(self) -> dict[str, Any]:
        """
        The values of the attributes that end up in fields of a value, or their defaults, by
        the names of the fields. C{name} is not among them, as a host may have none in the file.
        """
        return {
            each.field: self.get(each.name)
            for each in self.spec.attributes
            if each.field and each.name != "name"
        }

    def getAttribute(self, name: str) -> Attribute | None:
        """
        Return the attribute of this name; L{None} if it can have none.
        """
        return next((each for each in self.attributes if each.name == name), None)

    def all(self, spec: Element) -> list[Node]:
        """
        Return the children of this kind.
        """
        return [child for child in self.children if child.spec is spec]

    def first(self, spec: Element) -> Node | None:
        """
        Return the first child of this kind; L{None} if there is none.
        """
        return next(iter(self.all(spec)), None)

    @property
    def label(self) -> str:
        """
        Its name in a message.
        """
        name = self.values.get("name")
        return f"<{self.spec.tag}>" if name is None else f"{self.spec.tag} {name!r}"


def checkTree(root: etree._Element, name: str, problem: Report, note: Report) -> Node:
    """
    Check a tree by the schema.

    @param name: the file's name, for messages.
    @param problem: takes each problem.
    @param note: takes each remark.
    @raise ConfigurationError: the outermost element is unknown, so that nothing can be
        checked.
    """
    if root.tag not in {CONFIG.tag, *CONFIG.aliases}:
        message = f"the outermost element is {_tagText(root)}; it has to be <{CONFIG.tag}>"
        if str(root.tag).startswith("{"):
            message += " without a namespace"
        raise ConfigurationError([Problem(name, root.sourceline or 0, message)])
    if root.tag != CONFIG.tag:
        note(
            root.sourceline or 0,
            f"<{root.tag}> is PythonDirector's name for <{CONFIG.tag}>; it is read as that",
        )
    return _check(root, CONFIG, problem)


def _check(element: etree._Element, spec: Element, problem: Report) -> Node:
    node = Node(element, spec)
    _checkAttributes(node, problem)
    _checkText(node, problem)
    for child in _elements(element):
        if child.tag == NOTE.tag:
            continue
        known = spec.getChild(str(child.tag))
        if known is None:
            problem(child.sourceline or 0, partial(_unknownElement, child, spec))
            # It may be meant for an element that would be missed now.
            node.wrong.add("children")
        else:
            node.children.append(_check(child, known.element, problem))
    _checkCounts(node, problem)
    return node


def _elements(element: etree._Element) -> Iterator[etree._Element]:
    """
    Go through the elements inside, without comments and processing instructions.
    """
    return (child for child in element if isinstance(child.tag, str))


def _checkAttributes(node: Node, problem: Report) -> None:
    element = node.element
    # The name first, so that messages about the others can say it.
    for attribute in sorted(node.attributes, key=lambda each: each.name != "name"):
        text = element.get(attribute.name)
        if text is None or text in attribute.unset:
            if attribute.default is REQUIRED:
                node.wrong.add(attribute.name)
                problem(node.line, partial(_missing, node, attribute))
            continue
        try:
            what = f"{attribute.name} of {node.label}"
            node.values[attribute.name] = attribute.kind.parse(text, what)
        except ModelError as error:
            node.wrong.add(attribute.name)
            problem(node.line, str(error))
    for name in map(str, element.attrib):
        # Unknown variant: skip the attribute checks.
        if node.getAttribute(name) is None and node.spec.by not in node.wrong:
            node.wrong.add("attributes")
            problem(node.line, partial(_unknownAttribute, node, name))


def _missing(node: Node, attribute: Attribute) -> str:
    return (
        f"{node.label} has no attribute {attribute.name}; it needs one, and it is "
        f"{attribute.kind.describe()}"
    )


def _unknownAttribute(node: Node, name: str) -> str:
    known = [attribute.name for attribute in node.attributes]
    text = f"{node.label} has an attribute {_local(name)!r}, which is not known"
    if name.startswith("{"):
        return f"{text}; namespaces are not used here"
    hint = nearest(name, known) or nearest(name.lower(), known)
    if hint is not None:
        return f"{text}; did you mean {hint!r}?"
    if known:
        return f"{text}; there are: {', '.join(known)}"
    return f"{text}; it has none"


def _unknownElement(element: etree._Element, parent: Element) -> str:
    tag = str(element.tag)
    if tag.startswith("{"):
        return (
            f"{_tagText(element)} is in a namespace; namespaces are not used here, and "
            "nothing is included"
        )
    text = f"{_tagText(element)} is not known in <{parent.tag}>"
    known = [child.element.tag for child in parent.children]
    elsewhere = [outer.tag for inner, outer in walk(CONFIG) if inner.tag == tag and outer]
    if elsewhere:
        return f"<{tag}> does not stand in <{parent.tag}>; its place is <{elsewhere[0]}>"
    hint = nearest(tag, known) or nearest(tag.lower(), known)
    if hint is not None:
        return f"{text}; did you mean <{hint}>?"
    if known:
        return f"{text}; there are: {', '.join(f'<{each}>' for each in known)}"
    return f"{text}; nothing stands in it"


def _checkText(node: Node, problem: Report) -> None:
    line = node.line
    # The text may be meant for an attribute whose values are secrets.
    hidden = any(attribute.secret for attribute in node.attributes)
    for before, text in _texts(node.element):
        if text.strip():
            if before is not None:
                line = _endLine(before)
            what = "the text" if hidden else f"the text {quoted(text.strip())}"
            problem(
                line + text[: -len(text.lstrip())].count("\n"),
                f"{what} in {node.label} means nothing; put a remark in a comment: <!-- … -->",
            )


def _texts(element: etree._Element) -> Iterator[tuple[etree._Element | None, str]]:
    """
    Go through the texts of an element, each with the element that stands before it.
    """
    yield None, element.text or ""
    for child in element:
        yield child, child.tail or ""


def _endLine(element: etree._Element) -> int:
    """
    Find the line on which an element ends, from the lines on which elements begin.
    """
    lines = 0
    while len(element):
        element = element[-1]
        lines += (element.tail or "").count("\n")
    inside = (element.text or "").count("\n") if isinstance(element.tag, str) else 0
    return (element.sourceline or 0) + inside + lines


def _checkCounts(node: Node, problem: Report) -> None:
    for child in node.spec.children:
        tag = child.element.tag
        found = node.all(child.element)
        if len(found) < child.least and "children" not in node.wrong:
            problem(node.line, f"{node.label} has no <{tag}>; it needs at least one")
        if child.most is not None:
            for extra in found[child.most :]:
                problem(
                    extra.line,
                    f"a second <{tag}> in {node.label}; the first is in line {found[0].line}, and "
                    "one is all there can be",
                )


def _tagText(element: etree._Element) -> str:
    return f"<{_local(str(element.tag))}>"


def _local(name: str) -> str:
    """
    Return a name without its namespace, cut if it is long.
    """
    return shortened(name.rpartition("}")[2])
