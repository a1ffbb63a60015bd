"""
The reference page of the configuration file, made from the schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from txlb.config import _schema as schema
from txlb.config._attribute import REQUIRED, Attribute
from txlb.config._child import Child
from txlb.config._document import MAX_DEPTH, MAX_ELEMENTS, MAX_LENGTH
from txlb.config._element import Element, walk
from txlb.config._explain import defaultText
from txlb.model.kinds import UNITS_SHOWN

_INTRODUCTION = f"""\
A configuration is an XML file. It does not matter how its lines are broken or in which order
attributes stand, and comments may stand between any two elements.

* Any DOCTYPE is refused, and with it every entity that is not XML's own. Nothing is fetched or
  included. A file has at most {MAX_LENGTH // (1024 * 1024)} MiB and {MAX_ELEMENTS:,} elements,
  which are at most {MAX_DEPTH} levels deep.
* Elements and attributes that are not on this page are errors, and so is text that is not in a
  comment. ``txlb check FILE`` says what is wrong with a file, line by line, and
  ``txlb check --explain FILE`` every setting in effect.
* True is written ``true``, ``yes``, ``on``, ``enable`` or ``1``, false ``false``, ``no``, ``off``,
  ``disable`` or ``0``, in upper or lower case; nothing else will do.
* A time is a number of seconds, or has a unit: {UNITS_SHOWN}.
* Addresses are ``host:port``, with ``*:80`` and ``:80`` for every interface, ``[::1]:80`` for IPv6
  and ``unix:/path`` for a socket in the file system. Ports are 1 to 65535. A listener's address may
  also be ``systemd:name``, for the sockets of this name that systemd has opened. A listener at a
  name listens on all addresses of that name. A link-local address of IPv6 names its network
  interface, ``[fe80::1%eth0]:80``; no other address does.
* *Since* says where a thing comes from: ``PythonDirector``, whose files are read too, ``1.1.0``,
  the last release of the old txLoadBalancer, or the version that added it.
"""

_EXAMPLE = """\
<config>
  <service name="web">
    <listen ip="*:8080"/>
    <group name="servers" scheduler="leastc" enable="true">
      <host name="one" ip="10.0.0.1:80"/>
      <host name="two" ip="10.0.0.2:80" weight="2"/>
    </group>
  </service>
</config>
"""


def referencePage() -> str:
    """
    Render the page in reStructuredText.
    """
    lines = [*_title("The configuration file", "="), *_INTRODUCTION.splitlines(), ""]
    lines += ["The smallest useful one:", "", ".. code-block:: xml", ""]
    lines += [f"    {line}" for line in _EXAMPLE.splitlines()]
    lines.append("")
    # An element that stands in several places is described at the first of them.
    parents: dict[str, list[Element]] = {}
    elements: list[Element] = []
    for element, parent in walk(schema.CONFIG):
        if element.tag not in parents:
            elements.append(element)
        found = parents.setdefault(element.tag, [])
        if parent is not None and parent not in found:
            found.append(parent)
    for element in elements:
        lines += _element(element, parents[element.tag])
    lines += _element(schema.NOTE, [])
    return "\n".join(lines).rstrip() + "\n"


def _title(text: str, underline: str) -> list[str]:
    return [text, underline * len(text), ""]


def _element(element: Element, parents: Sequence[Element]) -> Iterator[str]:
    yield f".. _config-{element.tag}:"
    yield ""
    yield from _title(f"``<{element.tag}>``", "-")
    yield element.doc
    yield ""
    if parents:
        yield f":Stands in: {', '.join(map(_link, parents))}"
    if element.children:
        yield f":Inside: {', '.join(map(_occurrence, element.children))}"
    yield f":Since: {element.since.value}"
    yield ""
    if element.attributes:
        yield from _attributes(element.attributes)
    if element.variants is not None:
        for word, variant in element.variants().items():
            yield f'.. rubric:: ``{element.by}="{word}"``'
            yield ""
            yield variant.doc
            yield ""
            if variant.attributes:
                yield from _attributes(variant.attributes)


def _link(element: Element) -> str:
    return f":ref:`\\<{element.tag}\\> <config-{element.tag}>`"


def _occurrence(child: Child[Element]) -> str:
    if child.most == 1:
        number = "one" if child.least else "at most one"
    else:
        number = "one or more" if child.least else "any number"
    return f"{_link(child.element)} ({number})"


def _attributes(attributes: Iterable[Attribute]) -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 18 46 22 14"
    yield ""
    yield from _row("Attribute", "What it is", "Default", "Since")
    for attribute in attributes:
        yield from _row(
            f"``{attribute.name}``",
            _meaning(attribute),
            _default(attribute),
            attribute.since.value,
        )
    yield ""


def _row(*cells: str) -> Iterator[str]:
    for number, cell in enumerate(cells):
        first, *more = cell.split("\n")
        yield f"   {'*' if number == 0 else ' '} - {first}"
        yield from (f"       {line}".rstrip() for line in more)


def _meaning(attribute: Attribute) -> str:
    doc = attribute.doc
    if attribute.ignored:
        doc += " It is read and has no effect."
    value = attribute.kind.brief().replace("*", r"\*")
    return f"{doc}\n\n{value[0].upper()}{value[1:]}."


def _default(attribute: Attribute) -> str:
    if attribute.default is REQUIRED:
        return "*required*"
    text = defaultText(attribute)
    return text if attribute.default is None else f"``{text}``"
