"""
Listeners of several services at one address, and which of them gets a client.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from txlb.errors import ModelError
from txlb.model._listeners import Listener
from txlb.model._services import ProxyService

#: What stands before a name that stands for all names under another one.
WILDCARD = "*."

#: Services of which a step looks at the addresses.
_AT_ONCE = 256

#: The pattern for any name.
_ANY = ""

#: The settings by which listeners at one address differ. They have one socket, and all other
#: settings are those of the socket.
_OWN = frozenset({"serverNames", "alpn", "plain", "tls"})

#: A name, or L{WILDCARD} and a name, or C{""} for any; and a protocol, or L{None} for any.
_Selector = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Clash:
    """
    Two listeners that can't share their address.

    @ivar first: the index of one.
    @ivar second: the index of the other.
    @ivar reason: what is wrong with both.
    """

    first: int
    second: int
    reason: str


class Routes:
    """
    The choice between listeners that share an address.

    The name of the server that a client asks for comes first: the listener that has it
    exactly, then one that has it by a wildcard, the longest first, then one without names. A
    wildcard stands for any number of labels. Of the listeners of one name the first protocol
    that the client offers and a listener has decides, else the one without protocols.

    @param listeners: pairs of the name of a service and of a listener.
    """

    def __init__(self, listeners: Sequence[tuple[str, Listener]]) -> None:
        self._table: dict[_Selector, str] = {}
        self._plain: str | None = None
        for service, listener in listeners:
            if listener.plain:
                self._plain = service
            if listener.readsHello or not listener.plain:
                self._table.update(dict.fromkeys(_selectors(listener), service))
        for service, listener in listeners:
            if listener.plain and not listener.readsHello:
                self._table.setdefault((_ANY, None), service)
        self._protocols = frozenset(protocol for _, protocol in self._table if protocol is not None)

    @property
    def plain(self) -> str | None:
        """
        The service for clients that speak no TLS; L{None} if there is none.
        """
        return self._plain

    @property
    def fallback(self) -> str | None:
        """
        The service for clients of TLS whose name no other has; L{None} if there is none.
        """
        return self._table.get((_ANY, None))

    def find(self, serverName: str | None, alpn: Sequence[str] = ()) -> str | None:
        """
        Find the service for a client of TLS. The time is bounded by the labels of the name and
        by the protocols that the listeners have.

        @param serverName: the name that it asks for, in lower case; L{None} for none.
        @param alpn: the protocols that it offers, the preferred one first.
        @return: the name of the service; L{None} if there is none for it.
        """
        table = self._table
        protocols = self._protocols
        offered = dict.fromkeys([each for each in alpn if each in protocols]) if protocols else {}
        if not offered and serverName is not None:
            # Most clients are found by this, and the calls for the others are saved.
            found = table.get((serverName, None))
            if found is not None:
                return found
        for pattern in _patterns(serverName):
            for protocol in offered:
                found = table.get((pattern, protocol))
                if found is not None:
                    return found
            found = table.get((pattern, None))
            if found is not None:
                return found
        return None


def _patterns(serverName: str | None) -> Iterator[str]:
    """
    Yield a name, the wildcards that stand for it, and the pattern for any name.
    """
    if serverName is not None:
        yield serverName
        rest = serverName
        while "." in rest:
            rest = rest.partition(".")[2]
            yield WILDCARD + rest
    yield _ANY


def _selectors(listener: Listener) -> Iterator[_Selector]:
    for name in listener.serverNames or (_ANY,):
        for protocol in listener.alpn or (None,):
            yield name, protocol


def clashesBetween(listeners: Sequence[Listener]) -> Iterator[Clash]:
    """
    Find the listeners at one address that can't share it, each with the first one before it.

    @param listeners: all listeners of a configuration.
    """
    byPlace: dict[object, list[int]] = {}
    for index, listener in enumerate(listeners):
        if listener.isFixed:
            byPlace.setdefault(listener.place, []).append(index)
    for indices in byPlace.values():
        if len(indices) > 1:
            yield from _clashesAt(listeners, indices)


def _clashesAt(listeners: Sequence[Listener], indices: Sequence[int]) -> Iterator[Clash]:
    first = listeners[indices[0]]
    taken: dict[object, int] = {}
    for index in indices:
        listener = listeners[index]
        unlike = _unlike(first, listener)
        clash = next((each for each in _claims(listener) if each in taken), None)
        if clash is not None:
            yield Clash(taken[clash], index, _why(clash))
        elif unlike is not None:
            reason = f"both have one socket, and their {unlike} differs; give both the same"
            yield Clash(indices[0], index, reason)
        else:
            taken.update(dict.fromkeys(_claims(listener), index))


def _claims(listener: Listener) -> Iterator[object]:
    """
    Yield the clients that a listener wants, each of which one listener can have.
    """
    if listener.plain:
        yield "plain"
        if not listener.readsHello:
            # It gets the clients of TLS that no other wants, if there is no other for them.
            return
    yield from _selectors(listener)


def _unlike(one: Listener, other: Listener) -> str | None:
    for field in dataclasses.fields(one):
        if field.name not in _OWN and getattr(one, field.name) != getattr(other, field.name):
            return "mode, user or group" if field.name == "address" else field.name
    return None


def _why(claim: object) -> str:
    if not isinstance(claim, tuple):
        return 'both have plain="yes", and only one can get the clients that speak no TLS'
    name, protocol = claim
    wanted = [each for each in (name, f"the protocol {protocol}" if protocol else "") if each]
    if wanted:
        return f"both want clients of {' and '.join(wanted)}, and only one can get them"
    return (
        "each listener needs an address of its own, or serverNames by which clients are told apart"
    )


def checkSharing(listeners: Sequence[tuple[str, Listener]]) -> None:
    """
    Check that listeners of several services at one address can share it.

    @param listeners: pairs of the name of a service and of a listener.
    @raise ModelError: two of them want the same clients, or want their socket in different
        ways.
    """
    for clash in clashesBetween([listener for _, listener in listeners]):
        (other, _), (name, listener) = listeners[clash.first], listeners[clash.second]
        raise ModelError(
            f"service {name!r} listens on {listener.place}, which service {other!r} has; "
            f"{clash.reason}"
        )


def checkingPlaces(services: Iterable[ProxyService]) -> Iterator[None]:
    """
    Check step by step that all services that have an address in common can share it.

    @raise ModelError: see L{checkSharing}.
    """
    places: dict[object, list[tuple[str, Listener]]] = {}
    for number, service in enumerate(services):
        for listener in service.listeners:
            if listener.isFixed:
                places.setdefault(listener.place, []).append((service.name, listener))
        if not number % _AT_ONCE:
            yield
    for listeners in places.values():
        if len(listeners) > 1:
            checkSharing(listeners)
            yield
