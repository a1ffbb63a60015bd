"""
The list of every setting in effect, for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from txlb.config import _schema as schema
from txlb.config._attribute import Attribute
from txlb.config._build import SOCKET_SETTINGS, hostNames
from txlb.config._configuration import Configuration
from txlb.config._element import Element
from txlb.config._nodes import Node
from txlb.config._tls import HOST_TLS_WORDS
from txlb.model import UNIXAddress
from txlb.model.settings import Since

_STEP = "  "


def explainConfiguration(configuration: Configuration) -> str:
    """
    List every setting that is in effect, in the order of the file, and mark the defaults.

    @return: lines, the last one ended as well.
    """
    lines = [configuration.path, *_children(configuration.root, _STEP)]
    return "\n".join(lines) + "\n"


def _children(node: Node, indent: str) -> Iterator[str]:
    enabled = None
    if node.spec is schema.SERVICE:
        enabled = _enabledByElement(node)
    names = iter(hostNames(node.all(schema.HOST)))
    for child in node.children:
        name = next(names) if child.spec is schema.HOST else child.get("name")
        title = child.spec.tag if name is None else f"{child.spec.tag} {name}"
        yield f"{indent}{title} (line {child.line})"
        named = enabled is not None and name == enabled and child.spec is schema.GROUP
        yield from _attributes(child.spec, child, indent + _STEP, named)
        yield from _children(child, indent + _STEP)
    yield from _absent(node, indent)


def _absent(node: Node, indent: str) -> Iterator[str]:
    """
    List the elements that could be here once and are not written.
    """
    for child in node.spec.children:
        spec = child.element
        if node.spec is schema.HOST and spec is schema.CHECK:
            # Then the host is checked as its group says.
            continue
        if child.most == 1 and spec.since is not Since.PYDIRECTOR and node.first(spec) is None:
            if spec.always:
                yield f"{indent}{spec.tag}"
                yield from _attributes(spec, None, indent + _STEP)
            else:
                yield f"{indent}{spec.tag}: none"


def _enabledByElement(service: Node) -> str | None:
    enable = service.first(schema.ENABLE)
    return None if enable is None else str(enable.get("group"))


def _attributes(
    spec: Element, node: Node | None, indent: str, enabledByElement: bool = False
) -> Iterator[str]:
    rows = []
    for attribute in spec.attributes if node is None else node.attributes:
        written = node is not None and attribute.name in node.values
        if attribute.name == "name" or (attribute.ignored and not written):
            continue
        if node is not None and spec is schema.LISTEN and attribute.name in SOCKET_SETTINGS:
            if not isinstance(node.get("ip"), UNIXAddress):
                continue
        if _isIdle(spec, node, attribute):
            continue
        if attribute.name == "enable" and enabledByElement:
            rows.append((attribute.name, "true", "by <enable>"))
        elif written and node is not None:
            rows.append((attribute.name, attribute.kind.show(node.get(attribute.name)), ""))
        else:
            rows.append((attribute.name, defaultText(attribute), "default"))
    yield from _table(rows, indent)


def _isIdle(spec: Element, node: Node | None, attribute: Attribute) -> bool:
    """
    Tell whether an attribute is for TLS to hosts, of which the element says nothing.
    """
    if spec not in (schema.HOST, schema.GROUP) or attribute.name not in HOST_TLS_WORDS:
        return False
    return node is None or not any(word in node.values for word in HOST_TLS_WORDS)


def defaultText(attribute: Attribute) -> str:
    """
    Render the default of an attribute that has one, for people.
    """
    if attribute.default is None:
        return attribute.defaultDoc or "none"
    return attribute.kind.show(attribute.default)


def _table(rows: Sequence[tuple[str, str, str]], indent: str) -> Iterator[str]:
    names = max((len(name) for name, _, _ in rows), default=0)
    values = max((len(value) for _, value, _ in rows), default=0)
    for name, value, remark in rows:
        yield f"{indent}{name:<{names}}  {value:<{values}}  {remark}".rstrip()
