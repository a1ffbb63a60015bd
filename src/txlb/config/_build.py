"""
From nodes to services.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from txlb.config import _schema as schema
from txlb.config._nodes import Node
from txlb.config._problems import Report
from txlb.config._tls import TLSBuilder, plainSettings
from txlb.errors import ModelError, listed, nearest
from txlb.model import (
    SCHEDULER_SETTINGS,
    CloneSet,
    Discovery,
    HealthCheck,
    HostTLS,
    InheritedAddress,
    ListenAddress,
    Listener,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
    UNIXAddress,
    clashesBetween,
)
from txlb.model.kinds import Account, quoted
from txlb.model.settings import settingsOf
from txlb.schedulers import schedulerKind, schedulerKinds

Made = TypeVar("Made")

#: The remedy for two listeners at an address that can't be shared.
_OF_ITS_OWN = "each listener needs an address of its own"

#: The settings of a listener that are those of a socket in the file system.
SOCKET_SETTINGS = tuple(settingsOf(UNIXAddress))

#: The lists of networks of a service, each with the element of one network.
NETWORK_LISTS = (("allow", schema.ALLOW), ("deny", schema.DENY))


def hostNames(hosts: Iterable[Node]) -> list[str | None]:
    """
    Return the names of a group's hosts. A host without a name gets C{host.1}, C{host.2} and
    so on, the first that is free.

    @return: L{None} for a name that is wrong.
    """
    nodes = list(hosts)
    taken = {node.get("name") for node in nodes}
    names: list[str | None] = []
    number = 0
    for node in nodes:
        name = node.get("name")
        if name is None and "name" not in node.wrong:
            number += 1
            while (name := f"host.{number}") in taken:
                number += 1
        names.append(name)
    return names


#: The names of clones.
_CLONE = re.compile(r"clone\d+\Z")


class ServiceBuilder:
    """
    Makes the services of a file, and reports what is wrong with each.

    @param folder: the folder at which relative paths begin.
    @param files: whether to look into the files that the services name.
    """

    def __init__(self, folder: str, problem: Report, note: Report, *, files: bool = True) -> None:
        self._folder = folder
        self._problem = problem
        self._note = note
        # By the ids of their elements.
        self._listeners: dict[int, Listener | None] = {}
        self._tls = TLSBuilder(problem, note, folder, files=files)

    def build(self, root: Node) -> list[ProxyService]:
        """
        @return: the services that are right.
        """
        nodes = root.all(schema.SERVICE)
        checkUnique("service", nodes, [node.get("name") for node in nodes], self._problem)
        for node in nodes:
            listens = node.all(schema.LISTEN)
            self._checkPermissions(listens)
            self._listeners.update((id(listen), self._listener(listen)) for listen in listens)
        self._tls.noteIdleNames()
        self._checkListeners(root)
        services = (self._service(node) for node in nodes)
        return [service for service in services if service is not None]

    def _service(self, node: Node) -> ProxyService | None:
        groupNodes = node.all(schema.GROUP)
        names = [group.get("name") for group in groupNodes]
        if not checkUnique("group", groupNodes, names, self._problem):
            node.wrong.add("names")
        enabled = self._enabledGroup(node, groupNodes)
        groups = [self._group(group, group is enabled) for group in groupNodes]
        listeners = [self._listeners[id(listen)] for listen in node.all(schema.LISTEN)]
        networks = self._networks(node)
        if (
            enabled is None
            or None in groups
            or None in listeners
            or any(each.wrong for each in (node, *networks))
        ):
            return None
        return self._made(
            node,
            lambda: ProxyService(
                node.get("name"),
                [listener for listener in listeners if listener is not None],
                [group for group in groups if group is not None],
                **node.settings,
                **_networkLists(node),
            ),
        )

    def _listener(self, node: Node) -> Listener | None:
        if node.wrong:
            return None
        tls = self._tls.listener(node)
        if node.wrong:
            return None
        settings = node.settings
        # The description of an endpoint may have a mode of its own.
        given = {name: settings.pop(name) for name in SOCKET_SETTINGS}
        socket = {name: value for name, value in given.items() if name in node.values}
        if isinstance(settings["address"], UNIXAddress):
            settings["address"] = replace(settings["address"], **socket)
        listener = self._made(node, lambda: Listener(**settings, tls=tls))
        for risk in () if listener is None else listener.risks:
            self._note(node.line, f"{node.label}: {risk}")
        return listener

    def _networks(self, node: Node) -> list[Node]:
        """
        Return the elements of a service's networks, and report a network that stands twice.
        """
        nodes = [each for _, spec in NETWORK_LISTS for each in node.all(spec)]
        first: dict[str, Node] = {}
        for each in sorted(nodes, key=lambda node: node.line):
            network = each.get("network")
            other = None if network is None else first.setdefault(network, each)
            if other is not None and other is not each:
                each.wrong.add("names")
                self._problem(
                    each.line,
                    f"{network} stands in {other.label} in line {other.line} already; once says "
                    "what happens to it",
                )
        return nodes

    def _group(self, node: Node, enabled: bool) -> ProxyGroup | None:
        hostNodes = node.all(schema.HOST)
        names = hostNames(hostNodes)
        if not checkUnique("host", hostNodes, names, self._problem):
            node.wrong.add("names")
        others = node.first(schema.CLONES) or node.first(schema.DISCOVER)
        if not hostNodes and others is None and "children" not in node.wrong:
            self._note(node.line, f"{node.label} has no host; clients that it gets are closed")
        self._noteSettings(node)
        tls = self._tls.hosts(node, hostNodes)
        hosts = [self._host(*each, tls) for each in zip(hostNodes, names, strict=True)]
        if node.wrong or None in hosts:
            return None
        return self._made(
            node,
            lambda: ProxyGroup(
                node.get("name"),
                hosts=[host for host in hosts if host is not None],
                check=self._check(node),
                resource=self._resource(node),
                clones=self._clones(node, names),
                discover=self._discovery(node),
                tls=tls[id(node)],
                **{**plainSettings(node), "enabled": enabled},
            ),
        )

    def _noteSettings(self, node: Node) -> None:
        """
        Note the settings that have no effect, as the policy doesn't want them.
        """
        word = node.get("scheduler")
        if "scheduler" in node.wrong or word is None:
            return
        wanted = schedulerKind(word).wants
        for name in SCHEDULER_SETTINGS:
            if name in node.values and name not in wanted:
                users = " and ".join(each.word for each in schedulerKinds() if name in each.wants)
                self._note(
                    node.line,
                    f"{name} of {node.label} has no effect with scheduler {word}; it is for "
                    f"{users}",
                )

    def _host(
        self, node: Node, name: str | None, tls: Mapping[int, HostTLS | None]
    ) -> ProxyHost | None:
        if node.wrong or name is None:
            return None
        return self._made(
            node,
            lambda: ProxyHost.at(
                name, check=self._check(node), tls=tls[id(node)], **plainSettings(node)
            ),
        )

    def _check(self, owner: Node) -> HealthCheck | None:
        """
        Make the check of a group or host. A wrong one is reported, and nothing is made
        of the file.
        """
        node = owner.first(schema.CHECK)
        if node is None or node.wrong:
            return None
        return self._made(
            node,
            lambda: HealthCheck(options=_options(node), **node.settings),
        )

    def _resource(self, owner: Node) -> ResourceProbe | None:
        """
        Make the probe of a group, likewise.
        """
        node = owner.first(schema.RESOURCE)
        if node is None or node.wrong:
            return None
        return self._made(
            node,
            lambda: ResourceProbe(options=_options(node), **node.settings),
        )

    def _clones(self, owner: Node, names: Iterable[str | None]) -> CloneSet | None:
        """
        Make the clones of a group, likewise.

        @param names: those of the hosts of the group.
        """
        node = owner.first(schema.CLONES)
        if node is None or node.wrong:
            return None
        path = os.path.join(self._folder, node.get("tac"))
        if not os.path.isfile(path):
            self._problem(
                node.line,
                f"tac of {node.label} is {quoted(node.get('tac'))}: there is no file {path}; write "
                "its path from the folder of this file",
            )
        for name in names:
            if name is not None and _CLONE.match(name):
                self._problem(
                    owner.line,
                    f"{owner.label} has clones and a host {name!r}, which is the name of a clone; "
                    "call the host otherwise",
                )
        return self._made(node, lambda: CloneSet(**node.settings))

    def _discovery(self, owner: Node) -> Discovery | None:
        """
        Make the source of the hosts of a group, likewise.
        """
        node = owner.first(schema.DISCOVER)
        if node is None or node.wrong:
            return None
        return self._made(node, lambda: Discovery(options=_options(node), **node.settings))

    def _made(self, node: Node, make: Callable[[], Made]) -> Made | None:
        """
        Make a value of an element. The model may refuse it, which is reported.
        """
        try:
            return make()
        except ModelError as error:
            self._problem(node.line, str(error))
            return None

    def _enabledGroup(self, node: Node, groups: list[Node]) -> Node | None:
        """
        Find the group that is enabled, by its own attribute or by PythonDirector's
        element.
        """
        found = [group for group in groups if group.get("enable")]
        enable = node.first(schema.ENABLE)
        if enable is not None and enable.get("group") is not None:
            named = [group for group in groups if group.get("name") == enable.get("group")]
            if not named:
                self._unknownGroup(enable, groups)
                return None
            there = set(map(id, found))
            found += [group for group in named if id(group) not in there]
        if len(found) > 1:
            first, second = sorted(found, key=lambda group: group.line)[:2]
            self._problem(
                second.line,
                f"{second.label} is enabled, and so is {first.label} in line {first.line}; of a "
                "service's groups exactly one is, as only one can get the connections",
            )
            return None
        if not found:
            self._noneEnabled(node, groups, enable)
            return None
        return found[0]

    def _noneEnabled(self, node: Node, groups: list[Node], enable: Node | None) -> None:
        """
        Report that no group is enabled, unless something that is wrong already may be the cause.
        """
        unsure = any(group.wrong & {"enable", "attributes"} for group in groups)
        if enable is not None or not groups or unsure or "children" in node.wrong:
            return
        names = listed((group.label for group in groups), " or ")
        self._problem(
            node.line, f'{node.label} has no enabled group; write enable="true" in {names}'
        )

    def _unknownGroup(self, enable: Node, groups: list[Node]) -> None:
        name = enable.get("group")
        known = [group.get("name") for group in groups if group.get("name") is not None]
        if not known:
            return
        hint = nearest(name, known)
        remedy = f"did you mean {hint!r}?" if hint else f"there are: {listed(known)}"
        self._problem(enable.line, f"no group of this service is called {name!r}; {remedy}")

    def _checkPermissions(self, listeners: Iterable[Node]) -> None:
        """
        Report permissions of a listener that is no socket in the file system.
        """
        for listener in listeners:
            self._checkAccounts(listener)
            address = listener.get("ip")
            given = [name for name in SOCKET_SETTINGS if name in listener.values]
            if not given or address is None or isinstance(address, UNIXAddress):
                continue
            remedy = "leave it out"
            if isinstance(address, InheritedAddress):
                remedy = "the socket unit says it (SocketMode=, SocketUser=, SocketGroup=)"
            listener.wrong.add("permissions")
            self._problem(
                listener.line,
                f"{given[0]} of {listener.label} is for UNIX sockets, and this one listens on "
                f"{address}; {remedy}",
            )

    def _checkAccounts(self, listener: Node) -> None:
        """
        Look for the users and groups of this machine that a listener names. The model knows
        no machine.
        """
        for attribute in listener.attributes:
            name = listener.values.get(attribute.name)
            if not isinstance(attribute.kind, Account) or name is None or name.isdigit():
                continue
            of = attribute.kind.of
            try:
                pwd.getpwnam(name) if of == "user" else grp.getgrnam(name)
            except KeyError:
                listener.wrong.add(attribute.name)
                self._problem(
                    listener.line,
                    f"{attribute.name} of {listener.label} is {quoted(name)}, and this machine has "
                    f"no such {of}; make it, or give another {of} or a number",
                )

    def _checkListeners(self, root: Node) -> None:
        """
        Report two listeners at one address, also if they are of two services, unless they
        share it by the names of servers.
        """
        first: dict[ListenAddress, tuple[Node, Node]] = {}
        shared: list[tuple[Node, Node, Listener]] = []
        for owner, listener, address in _listeners(root):
            value = self._listeners.get(id(listener))
            if value is not None:
                shared.append((owner, listener, value))
            other, otherListener = first.setdefault(address, (owner, listener))
            # Within a service, and with the console, nothing is shared.
            if otherListener is not listener and (other is owner or value is None):
                self._bothListen(owner, listener, other, otherListener, address, _OF_ITS_OWN)
        for clash in clashesBetween([value for _, _, value in shared]):
            other, otherListener, _ = shared[clash.first]
            owner, listener, value = shared[clash.second]
            if owner is not other:
                self._bothListen(owner, listener, other, otherListener, value.place, clash.reason)

    def _bothListen(
        self,
        owner: Node,
        listener: Node,
        other: Node,
        otherListener: Node,
        address: ListenAddress,
        reason: str,
    ) -> None:
        # The model would say the same, without the line.
        owner.wrong.add("names")
        self._problem(
            listener.line,
            f"{owner.label} listens on {address}, which {other.label} has in line "
            f"{otherListener.line}; {reason}",
        )


def _listeners(root: Node) -> Iterator[tuple[Node, Node, ListenAddress]]:
    """
    Go through the listeners: the owner, the element, and the address of each.
    """
    for service in root.all(schema.SERVICE):
        for listen in service.all(schema.LISTEN):
            if not listen.wrong:
                yield service, listen, listen.get("ip")
    for admin in root.all(schema.ADMIN):
        for door in (*admin.all(schema.SSH), *admin.all(schema.WEB)):
            if door.get("enable") and "listen" not in door.wrong:
                yield door, door, door.get("listen")


def checkUnique(kind: str, nodes: list[Node], names: list[str | None], problem: Report) -> bool:
    """
    Report each name that stands twice.

    @return: whether none does.
    """
    lines: dict[str, int] = {}
    for node, name in zip(nodes, names, strict=True):
        if name is None:
            continue
        if name in lines:
            problem(
                node.line,
                f"a second {kind} is called {name!r}; the first is in line {lines[name]}, and "
                "each needs a name of its own",
            )
        else:
            lines[name] = node.line
    return len(lines) == sum(name is not None for name in names)


def _networkLists(node: Node) -> dict[str, Any]:
    return {name: [each.get("network") for each in node.all(spec)] for name, spec in NETWORK_LISTS}


def _options(node: Node) -> dict[str, Any]:
    """
    Return the values of a variant's own attributes that are not their defaults.
    """
    own = node.attributes[len(node.spec.attributes) :]
    options = {attribute.name: node.get(attribute.name) for attribute in own}
    return {each.name: options[each.name] for each in own if options[each.name] != each.default}
