"""
The change from the present listeners to the wanted ones.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from txlb.application._listener import ProxyListener
from txlb.errors import ListenError
from txlb.model import ListenAddress, Listener, ProxyService, TCPAddress, UNIXAddress
from txlb.process import changeSocket
from txlb.proxy import AnyListener, ReactorListener

if TYPE_CHECKING:
    from txlb.application._engine import Engine
    from txlb.application._runs import Runs


#: The literal addresses that stand for every interface.
EVERY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only looked for


@dataclass(frozen=True, slots=True)
class Place:
    """
    One wanted listener.

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
    One change of a balancer's listeners. First L{open}; then, when everything else has
    been changed, L{settle}, or else L{undo}.

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
        self._opened: dict[Place, AnyListener] = {}
        #: The sockets whose files were changed, as they are and as they were.
        self._changed: list[tuple[UNIXAddress, UNIXAddress]] = []
        left = [(each, each.serviceName, each.configured.place) for each in present]
        for sameService in (True, False):
            for place in self._places:
                if place in self._kept or not (sameService or place.listener.isFixed):
                    continue
                for each in left:
                    owner = each[1] if sameService else place.serviceName
                    if (owner, each[2]) == (place.serviceName, place.listener.place):
                        self._kept[place] = each[0]
                        left.remove(each)
                        break
        self._left = [each[0] for each in left]

    def open(self, engine: Engine) -> None:
        """
        Listen at new addresses, without accepting, and accept the clients in the
        backlogs of listeners that go.

        @raise ListenError: the balancer can't listen on an address.
        """
        for place in self._places:
            kept = self._kept.get(place)
            if kept is None or kept.listener is None:
                self._opened[place] = self._open(engine, place.listener)
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
            and not isinstance(kept.listener, ReactorListener)
            and present != wanted
            and isinstance(present, UNIXAddress)
            and isinstance(wanted, UNIXAddress)
        ):
            # Listed first, because a part of the change may be done when it raises.
            self._changed.append((wanted, present))
            changeSocket(present, wanted)

    def _open(self, engine: Engine, wanted: Listener) -> AnyListener:
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
        Close the new listeners, and give changed socket files their former rights.
        """
        for listener in self._opened.values():
            listener.close()
        self._opened.clear()
        for wanted, present in self._changed:
            with contextlib.suppress(ListenError):
                changeSocket(wanted, present)
        self._changed.clear()

    def settle(self, engine: Engine | None) -> None:
        """
        Apply the new listeners, after everything else has been changed.
        """
        proxies = self._balancer.proxies
        # Names may be exchanged.
        proxies.namedServices.clear()
        arranged, unused = [], []
        for place in self._places:
            opened = self._opened.get(place)
            each = self._kept.get(place) or self._spare(place.serviceName)
            listener = opened or (each.listener if place in self._kept and each else None)
            if engine is not None and listener is not None:
                engine.give(listener, place.serviceName, place.listener)
            if each is None:
                each = ProxyListener(self._balancer, place.serviceName, place.index)
                each.setName(place.name)
                each.become(place.serviceName, place.index, place.name, listener)
                each.setServiceParent(proxies)
            else:
                proxies.namedServices[place.name] = each
                unused.append(each.become(place.serviceName, place.index, place.name, listener))
            arranged.append(each)
        for each in self._left:
            unused.append(each.release())
            each.running = 0
            each.parent = None
        proxies.services[:] = arranged
        for listener in unused:
            if listener is not None:
                listener.close()

    def _spare(self, serviceName: str) -> ProxyListener | None:
        """
        Find a listener of the service that is left over: it has moved.
        """
        for each in self._left:
            if each.serviceName == serviceName:
                self._left.remove(each)
                return each
        return None


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
