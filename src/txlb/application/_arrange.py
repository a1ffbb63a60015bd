"""
The change from the present listeners to the wanted ones.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from txlb.application._listener import ProxyListener
from txlb.errors import ListenError
from txlb.model import ListenAddress, Listener, ProxyService, TCPAddress, UNIXAddress
from txlb.process import changeSocket
from txlb.proxy import ListenerShare

if TYPE_CHECKING:
    from txlb.application._engine import Engine
    from txlb.application._runs import Runs


#: The literal addresses that stand for every interface.
EVERY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only looked for


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """
    One wanted listener. It is equal to itself only.

    @ivar index: its index in the service's listeners, from 0.
    @ivar name: its name: the service's name, with C{-1}, C{-2} and so on appended if
        the service has several listeners.
    """

    serviceName: str
    index: int
    name: str
    listener: Listener


def placesOf(services: Iterable[ProxyService]) -> list[Place]:
    """
    List the listeners of services.
    """
    return [
        Place(
            service.name,
            index,
            f"{service.name}-{index + 1}" if len(service.listeners) > 1 else service.name,
            listener,
        )
        for service in services
        for index, listener in enumerate(service.listeners)
    ]


class Arrangement:
    """
    One change of a balancer's listeners. First L{opening}, which may fail; then, when the
    services that are wanted are there, L{settling}; or else L{undo}. The first and the last are
    done step by step, so that clients are served between the steps.

    @param present: the present listeners.
    """

    def __init__(
        self,
        balancer: Runs,
        present: Sequence[ProxyListener],
        services: Iterable[ProxyService],
    ) -> None:
        self._balancer = balancer
        self._places = placesOf(services)
        #: The listener that is at the address already, for each place that has one.
        self._kept: dict[Place, ProxyListener] = {}
        #: The new listeners that have no L{ProxyListener} yet.
        self._opened: dict[Place, ListenerShare] = {}
        #: The sockets whose files were changed, as they are and as they were.
        self._changed: list[tuple[UNIXAddress, UNIXAddress]] = []
        #: The listeners to close.
        self._unused: list[ListenerShare] = []
        left = dict.fromkeys(present)
        for sameService in (True, False):
            found: dict[object, list[ProxyListener]] = {}
            for each in reversed(left):
                place = each.configured.place
                found.setdefault((each.serviceName, place) if sameService else place, []).append(
                    each
                )
            for wanted in self._places:
                if wanted in self._kept or not (sameService or wanted.listener.isFixed):
                    continue
                place = wanted.listener.place
                there = found.get((wanted.serviceName, place) if sameService else place)
                if there:
                    self._kept[wanted] = each = there.pop()
                    del left[each]
        self._left = list(left)

    def opening(self, engine: Engine) -> Iterator[None]:
        """
        Listen at new addresses, without accepting, and accept the clients in the
        backlogs of listeners that go. Each step opens one listener.

        @raise ListenError: while it is iterated over, the balancer can't listen on an address.
        """
        for place in self._places:
            kept = self._kept.get(place)
            if kept is None or kept.listener is None:
                self._opened[place] = self._open(engine, place.listener)
                yield
        for place, kept in self._kept.items():
            self._changeSocket(kept, place.listener.address)
        for each in self._left:
            if each.listener is not None and each.running:
                each.listener.drain()

    def _changeSocket(self, kept: ProxyListener, wanted: ListenAddress) -> None:
        """
        Give a UNIX socket that stays to its new owner.

        @raise ListenError: that is not possible.
        """
        present = kept.configuredAddress
        if (
            kept.listener is not None
            # A socket of the reactor's in memory has no file.
            and kept.listener.hasFile
            and present != wanted
            and isinstance(present, UNIXAddress)
            and isinstance(wanted, UNIXAddress)
        ):
            # Listed first, because a part of the change may be done when it raises.
            self._changed.append((wanted, present))
            changeSocket(present, wanted)

    def _open(self, engine: Engine, wanted: Listener) -> ListenerShare:
        try:
            return engine.open(wanted)
        except ListenError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                # Closing another listener would change nothing.
                raise
            for each in self._left:
                ours = each.configuredAddress
                if _mayOverlap(ours, wanted.address):
                    raise ListenError(
                        error.address,
                        f"{error.reason}; {ours} is this balancer's own, and two that overlap "
                        "can't be had at once: move it to another port first, or restart",
                    ) from error
            raise

    def undo(self) -> None:
        """
        Close the new listeners that are not in use yet, and those that are in use no more,
        and give changed socket files their former rights.
        """
        self._unused.extend(self._opened.values())
        self._opened.clear()
        for _ in self._closing():
            pass
        for wanted, present in self._changed:
            with contextlib.suppress(ListenError):
                changeSocket(wanted, present)
        self._changed.clear()

    def _closing(self) -> Iterator[None]:
        """
        Close the listeners that are not used, first to new clients.
        """
        for listener in self._unused:
            listener.turnAway()
            yield
        while self._unused:
            self._unused.pop(0).close()
            yield

    def settling(self, engine: Engine | None) -> Iterator[None]:
        """
        Apply the new listeners, when the services are there and the engine has their frontends.
        The listeners that stay, and the names of all, change in the first step. Each of the
        others begins to use a new listener, or closes one.
        """
        proxies = self._balancer.proxies
        self._changed.clear()
        # Names may be exchanged.
        proxies.namedServices.clear()
        arranged: dict[Place, ProxyListener] = {}
        spare: dict[str, list[ProxyListener]] = {}
        for left in reversed(self._left):
            spare.setdefault(left.serviceName, []).append(left)
        for place in self._places:
            kept = self._kept.get(place)
            if kept is None and not spare.get(place.serviceName):
                continue
            # A listener of the service that is left over moves.
            each = arranged[place] = kept or spare[place.serviceName].pop()
            if engine is not None and kept is not None and kept.listener is not None:
                engine.give(kept.listener, place.serviceName, place.listener)
            proxies.namedServices[place.name] = each
            # One that moves listens where it does until its step comes.
            each.become(place.serviceName, place.index, place.name, each.listener)
        for left in chain.from_iterable(spare.values()):
            self._release(left, left.release())
            left.running = 0
            left.parent = None
        proxies.services[:] = arranged.values()
        yield
        for place in self._places:
            if place in self._opened or place not in self._kept:
                self._settleAt(place, engine, arranged)
                yield
        proxies.services[:] = [arranged[place] for place in self._places]
        yield from self._closing()

    def _settleAt(
        self, place: Place, engine: Engine | None, arranged: dict[Place, ProxyListener]
    ) -> None:
        """
        Begin to use the new listener of a place.
        """
        listener, each = self._opened.pop(place, None), arranged.get(place)
        if engine is not None and listener is not None:
            engine.give(listener, place.serviceName, place.listener)
        if each is None:
            each = arranged[place] = ProxyListener(self._balancer, place.serviceName, place.index)
            each.setName(place.name)
            each.become(place.serviceName, place.index, place.name, listener)
            each.setServiceParent(self._balancer.proxies)
        else:
            old = each.become(place.serviceName, place.index, place.name, listener)
            self._release(each, old)

    def _release(self, before: ProxyListener, listener: ListenerShare | None) -> None:
        """
        Close a listener later. Clients in the backlog of an inherited socket would wait in vain.
        """
        if listener is not None:
            if before.running:
                listener.drain()
            self._unused.append(listener)


def _mayOverlap(ours: ListenAddress, wanted: ListenAddress) -> bool:
    """
    Tell whether two different addresses may have a socket in common.
    """
    if not isinstance(ours, TCPAddress) or not isinstance(wanted, TCPAddress):
        return False
    if ours.port != wanted.port:
        return False
    # A name may stand for any address; one literal address is not another.
    return not all(each.isLiteral and each.host not in EVERY for each in (ours, wanted))
