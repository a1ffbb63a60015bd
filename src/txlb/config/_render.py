"""
The document of a file, edited to say something else.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Any

from lxml import etree

from txlb.config import _schema as schema
from txlb.config._build import (
    CHECK_SETTINGS,
    GROUP_SETTINGS,
    HOST_SETTINGS,
    LISTENER_SETTINGS,
    NETWORK_LISTS,
    RESOURCE_SETTINGS,
    SERVICE_SETTINGS,
    hostNames,
)
from txlb.config._document import parseTree
from txlb.config._edit import arrange
from txlb.config._elements import Attribute, Element, Variant
from txlb.config._nodes import Node, checkTree
from txlb.config._problems import Message
from txlb.config._words import CHECKS, PROBES
from txlb.errors import ConfigurationError, Problem
from txlb.model import (
    HealthCheck,
    ListenAddress,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    UNIXAddress,
    placeOf,
)


def render(source: bytes, name: str, services: Sequence[ProxyService]) -> bytes:
    """
    Edit a document so that it says these services.

    @param source: the document, in which nothing is wrong.
    @param name: its name, for messages.
    @raise ConfigurationError: something can't be written in XML.
    """
    root = checkTree(parseTree(source, name), name, _nothing, _nothing)
    try:
        _editServices(root, services)
    except ValueError as error:
        raise ConfigurationError(
            [Problem(name, 0, f"this can't be written to a file: {error}")]
        ) from None
    return serialize(root.element, source)


def _nothing(line: int, message: Message) -> None:
    """
    The document was loaded before, so there is nothing to report.
    """


def _editServices(root: Node, services: Sequence[ProxyService]) -> None:
    nodes = root.all(schema.SERVICE)
    byName = {node.get("name"): node for node in nodes}
    found = [byName.get(service.name) for service in services]
    elements = _arrange(root.element, schema.CONFIG, schema.SERVICE, nodes, found)
    for element, node, service in zip(elements, found, services, strict=True):
        _set(element, schema.SERVICE, node, "name", service.name)
        for setting in SERVICE_SETTINGS:
            _set(element, schema.SERVICE, node, setting, getattr(service, setting))
        _editListeners(element, node, service.addresses)
        for name, spec in NETWORK_LISTS:
            _editNetworks(element, node, spec, getattr(service, name))
        _editGroups(element, node, service.groups)


def _editNetworks(
    parent: etree._Element, service: Node | None, spec: Element, networks: Sequence[str]
) -> None:
    nodes = [] if service is None else service.all(spec)
    byNetwork = {node.get("network"): node for node in nodes}
    found = [byNetwork.get(network) for network in networks]
    elements = _arrange(parent, schema.SERVICE, spec, nodes, found)
    for element, node, network in zip(elements, found, networks, strict=True):
        _set(element, spec, node, "network", network)


def _editListeners(
    parent: etree._Element, service: Node | None, addresses: Sequence[ListenAddress]
) -> None:
    nodes = [] if service is None else service.all(schema.LISTEN)
    byAddress = {node.get("ip"): node for node in nodes}
    # What is left over on both sides has moved: the element stays, and gets
    # another address.
    places = [placeOf(address) for address in addresses]
    spare = [node for node in nodes if node.get("ip") not in places]
    found = [
        byAddress[place] if place in byAddress else spare.pop(0) if spare else None
        for place in places
    ]
    elements = _arrange(parent, schema.SERVICE, schema.LISTEN, nodes, found)
    for element, node, address in zip(elements, found, addresses, strict=True):
        _set(element, schema.LISTEN, node, "ip", placeOf(address))
        for setting in LISTENER_SETTINGS:
            if isinstance(address, UNIXAddress):
                _set(element, schema.LISTEN, node, setting, getattr(address, setting))
            elif node is not None and setting in node.values:
                # It has moved to an address of another kind.
                element.attrib.pop(setting)


def _editGroups(parent: etree._Element, service: Node | None, groups: Sequence[ProxyGroup]) -> None:
    nodes = [] if service is None else service.all(schema.GROUP)
    byName = {node.get("name"): node for node in nodes}
    found = [byName.get(group.name) for group in groups]
    elements = _arrange(parent, schema.SERVICE, schema.GROUP, nodes, found)
    enable = None if service is None else service.first(schema.ENABLE)
    for element, node, group in zip(elements, found, groups, strict=True):
        _set(element, schema.GROUP, node, "name", group.name)
        _set(element, schema.GROUP, node, "scheduler", group.scheduler)
        # Where PythonDirector's element says which one it is, no attribute has
        # to say it as well, but none may say otherwise.
        if enable is None or not group.enabled:
            _set(element, schema.GROUP, node, "enable", group.enabled)
        if enable is not None and group.enabled:
            _set(enable.element, schema.ENABLE, enable, "group", group.name)
        for setting in GROUP_SETTINGS:
            _set(element, schema.GROUP, node, setting, getattr(group, setting))
        _editCheck(element, schema.GROUP, node, group.check)
        _editResource(element, node, group.resource)
        _editHosts(element, node, group.hosts)


def _editHosts(parent: etree._Element, group: Node | None, hosts: Sequence[ProxyHost]) -> None:
    nodes = [] if group is None else group.all(schema.HOST)
    byName = dict(zip(hostNames(nodes), nodes, strict=True))
    found = [byName.get(host.name) for host in hosts]
    elements = _arrange(parent, schema.GROUP, schema.HOST, nodes, found)
    for element, node, host in zip(elements, found, hosts, strict=True):
        # Names that were counted would shift when a host comes or goes.
        if found != nodes:
            _set(element, schema.HOST, node, "name", host.name)
        _set(element, schema.HOST, node, "ip", host.address)
        for setting in HOST_SETTINGS:
            _set(element, schema.HOST, node, setting, getattr(host, setting))
        _editCheck(element, schema.HOST, node, host.check)


def _editCheck(
    parent: etree._Element, parentSpec: Element, owner: Node | None, check: HealthCheck | None
) -> None:
    nodes = [] if owner is None else owner.all(schema.CHECK)
    before = nodes[0] if nodes else None
    found = [] if check is None else [before]
    for element in _arrange(parent, parentSpec, schema.CHECK, nodes, found):
        if check is not None:
            _setCheck(element, before, check)


def _setCheck(element: etree._Element, node: Node | None, check: HealthCheck) -> None:
    if check.kind not in CHECKS.known():
        raise ValueError(f"a {check.kind} check, which is made by a program")
    own = CHECKS.variants()[check.kind]
    _setVariant(element, schema.CHECK, node, ("type", check.kind), CHECK_SETTINGS, check, own)


def _editResource(
    parent: etree._Element, owner: Node | None, resource: ResourceProbe | None
) -> None:
    nodes = [] if owner is None else owner.all(schema.RESOURCE)
    before = nodes[0] if nodes else None
    found = [] if resource is None else [before]
    for element in _arrange(parent, schema.GROUP, schema.RESOURCE, nodes, found):
        if resource is not None:
            _setResource(element, before, resource)


def _setResource(element: etree._Element, node: Node | None, resource: ResourceProbe) -> None:
    if resource.probe not in PROBES.known():
        raise ValueError(f"a {resource.probe} probe, which no file can ask for")
    own, which = PROBES.variants()[resource.probe], ("probe", resource.probe)
    _setVariant(element, schema.RESOURCE, node, which, RESOURCE_SETTINGS, resource, own)


def _setVariant(
    element: etree._Element,
    spec: Element,
    node: Node | None,
    which: tuple[str, str],
    settings: Iterable[str],
    value: HealthCheck | ResourceProbe,
    own: Variant,
) -> None:
    """
    Write an element that has variants.

    @param which: the attribute that says which variant it is, and that.
    @param settings: what all variants have.
    @param own: what this one has of its own.
    """
    by, word = which
    same = node if node is not None and node.get(by) == word else None
    if node is not None and same is None:
        # What it was has nothing to do with what it is.
        for attribute in node.attributes[len(node.spec.attributes) :]:
            element.attrib.pop(attribute.name, None)
    _set(element, spec, node, by, word)
    for setting in settings:
        _set(element, spec, node, setting, getattr(value, setting))
    for attribute in own.attributes:
        written = value.options.get(attribute.name, attribute.default)
        _setAttribute(element, attribute, same, written)


def _arrange(
    parent: etree._Element,
    parentSpec: Element,
    spec: Element,
    nodes: Iterable[Node],
    found: Iterable[Node | None],
) -> list[etree._Element]:
    tags = [child.element.tag for child in parentSpec.children]
    return arrange(
        parent,
        spec.tag,
        [node.element for node in nodes],
        [None if node is None else node.element for node in found],
        tags[tags.index(spec.tag) + 1 :],
    )


def _set(element: etree._Element, spec: Element, node: Node | None, name: str, value: Any) -> None:
    """
    Give an attribute a value, unless it has it already or has it by default.

    @param node: what the element said before; L{None} where it is new.
    """
    attribute = spec.getAttribute(name)
    if attribute is None:
        raise KeyError(name)
    _setAttribute(element, attribute, node, value)


def _setAttribute(
    element: etree._Element, attribute: Attribute, node: Node | None, value: Any
) -> None:
    name = attribute.name
    if value == (attribute.default if node is None else node.get(name)):
        return
    if value is None:
        element.attrib.pop(name)
    else:
        element.set(name, attribute.kind.write(value, element.get(name)))


def serialize(root: etree._Element, source: bytes) -> bytes:
    """
    A tree as a file: in the encoding that it had, with an XML declaration where
    it had one or needs one, and what stands outside of the outermost element on
    lines of its own.

    @param source: the file that the tree was read from.
    """
    info = root.getroottree().docinfo
    encoding = info.encoding or "UTF-8"
    try:
        codecs.lookup(encoding)
    except LookupError:
        # libxml2 knows some that Python doesn't.
        encoding = "UTF-8"
    nodes = [*reversed(list(root.itersiblings(preceding=True))), root, *root.itersiblings()]
    lines = [etree.tostring(node, encoding="unicode", with_tail=False) for node in nodes]
    if encoding.upper() != "UTF-8" or source.removeprefix(codecs.BOM_UTF8).startswith(b"<?xml"):
        standalone = ' standalone="yes"' if info.standalone else ""
        lines.insert(0, f'<?xml version="1.0" encoding="{encoding}"{standalone}?>')
    return ("\n".join(lines) + "\n").encode(encoding, "xmlcharrefreplace")
