"""
Edits of a file's document that make it say other services.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from txlb.config import _schema as schema
from txlb.config._attribute import Attribute
from txlb.config._build import NETWORK_LISTS, SOCKET_SETTINGS, hostNames
from txlb.config._edit import arrange
from txlb.config._element import Element
from txlb.config._nodes import Node
from txlb.config._source import Source
from txlb.config._tls import HOST_TLS_SETTINGS, HOST_TLS_WORDS
from txlb.config._variant import Variant
from txlb.config._words import CHECKS, PROBES, SOURCES
from txlb.config._writtenelement import WrittenElement
from txlb.errors import ConfigurationError, Problem
from txlb.model import (
    CloneSet,
    Discovery,
    HealthCheck,
    HostTLS,
    Listener,
    ListenTLS,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    UNIXAddress,
)


def render(data: bytes, root: Node, name: str, services: Sequence[ProxyService]) -> bytes:
    """
    Edit a document so that it says these services. The parts that do already stay as they
    are, to the last byte.

    @param data: the document.
    @param root: the outermost element, in which nothing is wrong.
    @param name: its name, for messages.
    @raise ConfigurationError: something can't be written in XML, or the document can't be
        edited.
    """
    source = Source(data, root.element, name)
    try:
        _Editor(source).edit(root, services)
    except ValueError as error:
        raise ConfigurationError(
            [Problem(name, 0, f"this can't be written to a file: {error}")]
        ) from None
    return source.encode()


class _Editor:
    """
    The edits of one document.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def edit(self, root: Node, services: Sequence[ProxyService]) -> None:
        """
        Edit the file.

        @param root: the outermost element.
        @raise ValueError: something can't be written.
        """
        nodes = root.all(schema.SERVICE)
        byName = {node.get("name"): node for node in nodes}
        found = [byName.get(service.name) for service in services]
        elements = self._arrange(self._written(root), schema.CONFIG, schema.SERVICE, nodes, found)
        for element, node, service in zip(elements, found, services, strict=True):
            _setAll(element, schema.SERVICE, node, service)
            self._editListeners(element, node, service.listeners)
            for name, spec in NETWORK_LISTS:
                self._editNetworks(element, node, spec, getattr(service, name))
            self._editGroups(element, node, service.groups)

    def _editNetworks(
        self, parent: WrittenElement, service: Node | None, spec: Element, networks: Sequence[str]
    ) -> None:
        nodes = [] if service is None else service.all(spec)
        byNetwork = {node.get("network"): node for node in nodes}
        found = [byNetwork.get(network) for network in networks]
        elements = self._arrange(parent, schema.SERVICE, spec, nodes, found)
        for element, node, network in zip(elements, found, networks, strict=True):
            _set(element, spec, node, "network", network)

    def _editListeners(
        self, parent: WrittenElement, service: Node | None, listeners: Sequence[Listener]
    ) -> None:
        nodes = [] if service is None else service.all(schema.LISTEN)
        byAddress = {node.get("ip"): node for node in nodes}
        # An element and a listener that are left over belong together: the listener has
        # moved, and the element gets another address.
        places = [listener.place for listener in listeners]
        stay = set(places)
        spare = deque(node for node in nodes if node.get("ip") not in stay)
        found = [
            byAddress[place] if place in byAddress else spare.popleft() if spare else None
            for place in places
        ]
        elements = self._arrange(parent, schema.SERVICE, schema.LISTEN, nodes, found)
        for element, node, listener in zip(elements, found, listeners, strict=True):
            address = listener.address
            _set(element, schema.LISTEN, node, "ip", listener.place)
            _setAll(element, schema.LISTEN, node, listener, {"ip", *SOCKET_SETTINGS})
            self._editTLS(element, node, listener.tls)
            for setting in SOCKET_SETTINGS:
                if isinstance(address, UNIXAddress):
                    _set(element, schema.LISTEN, node, setting, getattr(address, setting))
                elif node is not None and setting in node.values:
                    # It has moved from an address of another kind.
                    element.unset(setting)

    def _editTLS(self, parent: WrittenElement, listen: Node | None, tls: ListenTLS | None) -> None:
        element, before = self._only(parent, schema.LISTEN, schema.TLS, listen, tls)
        if element is not None:
            _setAll(element, schema.TLS, before, tls)

    def _editGroups(
        self, parent: WrittenElement, service: Node | None, groups: Sequence[ProxyGroup]
    ) -> None:
        nodes = [] if service is None else service.all(schema.GROUP)
        byName = {node.get("name"): node for node in nodes}
        found = [byName.get(group.name) for group in groups]
        elements = self._arrange(parent, schema.SERVICE, schema.GROUP, nodes, found)
        enable = None if service is None else service.first(schema.ENABLE)
        for element, node, group in zip(elements, found, groups, strict=True):
            # If PythonDirector's element says which group is enabled, the attribute need not
            # say it as well, but it may not say otherwise.
            byElement = enable is not None and group.enabled
            without = {"enable"} if byElement else set()
            _setAll(element, schema.GROUP, node, group, without | HOST_TLS_WORDS)
            _setHostTLS(element, schema.GROUP, node, group.tls)
            if enable is not None and group.enabled:
                _set(self._written(enable), schema.ENABLE, enable, "group", group.name)
            self._editCheck(element, schema.GROUP, node, group.check)
            self._editResource(element, node, group.resource)
            self._editClones(element, node, group.clones)
            self._editDiscovery(element, node, group.discover)
            self._editHosts(element, node, group.hosts)

    def _editHosts(
        self, parent: WrittenElement, group: Node | None, hosts: Sequence[ProxyHost]
    ) -> None:
        nodes = [] if group is None else group.all(schema.HOST)
        byName = dict(zip(hostNames(nodes), nodes, strict=True))
        found = [byName.get(host.name) for host in hosts]
        elements = self._arrange(parent, schema.GROUP, schema.HOST, nodes, found)
        # The counted names of hosts would shift if a host comes or goes.
        named = found != nodes
        for element, node, host in zip(elements, found, hosts, strict=True):
            without = set() if named else {"name"}
            _setAll(element, schema.HOST, node, host, without | HOST_TLS_WORDS)
            _setHostTLS(element, schema.HOST, node, host.tls)
            self._editCheck(element, schema.HOST, node, host.check)

    def _editCheck(
        self,
        parent: WrittenElement,
        parentSpec: Element,
        owner: Node | None,
        check: HealthCheck | None,
    ) -> None:
        element, before = self._only(parent, parentSpec, schema.CHECK, owner, check)
        if element is not None and check is not None:
            if check.kind not in CHECKS.known():
                raise ValueError(f"a {check.kind} check, which is made by a program")
            own = CHECKS.variants()[check.kind]
            self._setVariant(element, schema.CHECK, before, check, own)

    def _editResource(
        self, parent: WrittenElement, owner: Node | None, resource: ResourceProbe | None
    ) -> None:
        element, before = self._only(parent, schema.GROUP, schema.RESOURCE, owner, resource)
        if element is not None and resource is not None:
            if resource.probe not in PROBES.known():
                raise ValueError(f"a {resource.probe} probe, which no file can ask for")
            own = PROBES.variants()[resource.probe]
            self._setVariant(element, schema.RESOURCE, before, resource, own)

    def _editClones(
        self, parent: WrittenElement, owner: Node | None, clones: CloneSet | None
    ) -> None:
        element, before = self._only(parent, schema.GROUP, schema.CLONES, owner, clones)
        if element is not None:
            _setAll(element, schema.CLONES, before, clones)

    def _editDiscovery(
        self, parent: WrittenElement, owner: Node | None, discovery: Discovery | None
    ) -> None:
        element, before = self._only(parent, schema.GROUP, schema.DISCOVER, owner, discovery)
        if element is not None and discovery is not None:
            if discovery.source not in SOURCES.known():
                raise ValueError(f"a {discovery.source} source, which no file can ask for")
            own = SOURCES.variants()[discovery.source]
            self._setVariant(element, schema.DISCOVER, before, discovery, own)

    def _only(
        self,
        parent: WrittenElement,
        parentSpec: Element,
        spec: Element,
        owner: Node | None,
        value: object,
    ) -> tuple[WrittenElement | None, Node | None]:
        """
        Let an element have the one child of a kind that a value stands for, or none if the value
        is L{None}.

        @param owner: the element as it was read; L{None} if it is new.
        @return: the child, and the child as it was read; L{None} for what is not there.
        """
        nodes = [] if owner is None else owner.all(spec)
        before = nodes[0] if nodes else None
        found = [] if value is None else [before]
        elements = self._arrange(parent, parentSpec, spec, nodes, found)
        return (elements[0] if elements else None), before

    def _setVariant(
        self,
        element: WrittenElement,
        spec: Element,
        node: Node | None,
        value: HealthCheck | ResourceProbe | Discovery,
        own: Variant,
    ) -> None:
        """
        Write an element that has variants.

        @param own: the variant that it is to be.
        """
        # The attributes of its own that the element had, if it was another variant.
        had = {} if node is None else {each.name: each.kind for each in node.attributes}
        for attribute in own.attributes:
            if had.get(attribute.name) == attribute.kind:
                del had[attribute.name]
        for attribute in spec.attributes:
            had.pop(attribute.name, None)
        for name in had:
            element.unset(name)
        _setAll(element, spec, node, value)
        for attribute in own.attributes:
            name = attribute.name
            same = node if node is not None and name in node.values and name not in had else None
            written = value.options.get(name, attribute.default)
            _setAttribute(element, attribute, same, written)

    def _arrange(
        self,
        parent: WrittenElement,
        parentSpec: Element,
        spec: Element,
        nodes: Iterable[Node],
        found: Iterable[Node | None],
    ) -> list[WrittenElement]:
        tags = [child.element.tag for child in parentSpec.children]
        return arrange(
            parent,
            spec.tag,
            [self._written(node) for node in nodes],
            [None if node is None else self._written(node) for node in found],
            tags[: tags.index(spec.tag)],
        )

    def _written(self, node: Node) -> WrittenElement:
        return self._source.of(node.element)


def _setAll(
    element: WrittenElement,
    spec: Element,
    node: Node | None,
    value: Any,
    without: Collection[str] = (),
) -> None:
    """
    Give the attributes that end up in fields the values of these fields.

    @param node: the element as it was read; L{None} if it is new.
    @param value: the value that the element is to stand for.
    @param without: the names of attributes that stay as they are.
    """
    for attribute in spec.attributes:
        if attribute.field and attribute.name not in without:
            _setAttribute(element, attribute, node, getattr(value, attribute.field))


def _setHostTLS(
    element: WrittenElement, spec: Element, node: Node | None, tls: HostTLS | None
) -> None:
    """
    Give a host or a group the attributes of TLS.
    """
    for name, word in HOST_TLS_SETTINGS.items():
        _set(element, spec, node, word, None if tls is None else getattr(tls, name))


def _set(element: WrittenElement, spec: Element, node: Node | None, name: str, value: Any) -> None:
    """
    Give an attribute a value, unless it has it already or has it by default.

    @param node: what the element said before; L{None} if it is new.
    """
    attribute = spec.getAttribute(name)
    if attribute is None:
        raise KeyError(name)
    _setAttribute(element, attribute, node, value)


def _setAttribute(
    element: WrittenElement, attribute: Attribute, node: Node | None, value: Any
) -> None:
    name = attribute.name
    if value == (attribute.default if node is None else node.get(name)):
        return
    if value is None:
        element.unset(name)
    else:
        before = None if node is None else node.element.get(name)
        element.set(name, attribute.kind.write(value, before))
