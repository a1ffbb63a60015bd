"""
The agent: tells balancers what is left of a machine or a process.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from socket import AF_INET6
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from txlb._reactor import pickedReactor
from txlb.connecting import hostOf, lacksIPv6, placesOf, tcpAddressOf
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import AddressError, ListenError, ModelError
from txlb.model import (
    Address,
    AddressLike,
    InheritedAddress,
    TCPAddress,
    UNIXAddress,
    checkClock,
    parseListenAddress,
    shown,
)
from txlb.model.kinds import Seconds, Whole
from txlb.process import SocketFile, UNIXPort, listenUNIX
from txlb.resources._measures import MachineMeasure, Measure, ProcessMeasure
from txlb.resources._serving import MAX_CONNECTIONS, AgentFactory
from txlb.wire import AgentHealth, AgentReply, AgentState

#: The default address to listen on, which only this machine reaches.
DEFAULT_LISTEN = "127.0.0.1:9999"

#: How many of the last measurements are averaged.
SAMPLES = 3

#: How often in an interval the agent measures how late the reactor is.
TICKS = 10

_log = Logger()


class AgentService(Service):
    """
    An agent that reports what is left, in HAProxy's agent-check protocol: one line, such as
    C{75%}, on each connection. Make it the child of an application, or of another service::

        AgentService("*:9999", scope="process").setServiceParent(application)

    The report is the average of the last three measurements, and at least 1 %, as 0 % would
    put the host out; only the function C{available} can report 0 %. The agent says C{ready} and
    C{up} only after it said something else, so that it takes back only its own reports.

    @param listen: the address to listen on: C{host:port}, C{*:9999}, C{[::1]:9999} or
        C{unix:/path}.
    @param scope: the thing to measure: C{machine}, C{process}, or L{None} for none.
    @param available: a function of the application that returns the share that is left, from
        0 for nothing to 1 for all, or L{None} if it does not know. It is called on each
        connection, and has to be quick. The agent reports the lower one of it and the
        measurement. If it raises an error, that is logged, and the agent reports no percentage.
    @param interval: seconds from one measurement to the next, 0.1 to 60.
    @param maxConnections: how many connections there may be at once; further ones are closed.
    @param reactor: by default the global one, from when the service starts.
    @raise AddressError: C{listen} is no address to listen on.
    @raise ModelError: C{scope} or C{interval} is wrong, or there is nothing to report.
    @raise TxlbError: psutil is needed and not installed.

    @ivar connections: how many connections the host should have at most; L{None}
        to leave it out, 0 for no limit.
    """

    def __init__(
        self,
        listen: AddressLike = DEFAULT_LISTEN,
        scope: str | None = "machine",
        available: Callable[[], float | None] | None = None,
        *,
        interval: float = 1.0,
        maxConnections: int = MAX_CONNECTIONS,
        reactor: Any = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        address = parseListenAddress(listen)
        if isinstance(address, InheritedAddress):
            raise AddressError(
                f"an agent can't listen on {address}; give it host:port or unix:/path"
            )
        self.address: Address = address
        if scope not in {"machine", "process", None}:
            raise ModelError(f"scope of an agent is {scope!r}; it is 'machine', 'process' or None")
        if scope is None and available is None:
            raise ModelError("an agent without a scope needs a function that says what is left")
        if available is not None and not callable(available):
            raise ModelError(
                f"available of an agent is {shown(available)}; it is a function or None"
            )
        interval = Seconds(0.1, 60.0).check(interval, "interval of an agent")
        Whole(1, 1_000_000).check(maxConnections, "maxConnections of an agent")
        checkClock(seconds)
        self.connections: int | None = None
        self._available = available
        self._interval = interval
        self._maxConnections = maxConnections
        self._reactor = reactor
        self._seconds = seconds
        self._measure: Measure | None = None
        if scope is not None:
            self._measure = MachineMeasure() if scope == "machine" else ProcessMeasure(seconds)
        self._samples: deque[float] = deque(maxlen=SAMPLES)
        self._state: AgentState | None = None
        self._health: AgentHealth | None = None
        self._reason = ""
        self._broken = False
        self._deadlines: Deadlines | None = None
        self._next: Deadline | None = None
        self._taken = self._lag = 0.0
        self._factory: AgentFactory | None = None
        self._ports: list[IListeningPort | UNIXPort] = []

    # Reports

    def drain(self) -> None:
        """
        Say that the host is to get nothing new, until L{ready}.
        """
        self._state = AgentState.DRAIN

    def maintenance(self) -> None:
        """
        Say that the host is in maintenance, until L{ready}.
        """
        self._state = AgentState.MAINT

    def ready(self) -> None:
        """
        Take L{drain} or L{maintenance} back.
        """
        self._state = AgentState.READY

    def down(self, reason: str = "") -> None:
        """
        Say that the host is down, until L{up}.

        @param reason: for people, at most 512 printable characters.
        @raise ValueError: the reason is not fit for a line.
        """
        AgentReply(health=AgentHealth.DOWN, reason=reason)
        self._health, self._reason = AgentHealth.DOWN, reason

    def up(self) -> None:
        """
        Take L{down} back.
        """
        self._health, self._reason = AgentHealth.UP, ""

    def reply(self) -> AgentReply:
        """
        Return the report of now.
        """
        return AgentReply(
            percent=self._percent(),
            maxConnections=self.connections,
            state=self._state,
            health=self._health,
            reason=self._reason,
        )

    def _percent(self) -> int | None:
        measured = sum(self._samples) / len(self._samples) if self._samples else None
        percent = None if measured is None else max(round(100 * measured), 1)
        if self._available is None:
            return percent
        try:
            said = self._available()
            if said is not None and not 0 <= said <= 1:
                raise ValueError(f"what is left is {said!r}; it is 0 to 1")  # noqa: TRY301
        except Exception:  # noqa: BLE001 - it is the application's own
            if not self._broken:
                _log.failure("the agent does not know what is left")
            self._broken = True
            return None
        self._broken = False
        if said is None:
            return percent
        # Rounded up, so that only 0 itself is 0 %.
        own = math.ceil(100 * said)
        return own if percent is None else min(own, percent)

    # Start and stop

    @property
    def addresses(self) -> list[Address]:
        """
        The addresses that it listens on, with the port that the system chose; empty if it
        does not listen.
        """
        found: list[Address] = []
        for port in self._ports:
            if isinstance(port, UNIXPort):
                found.append(self.address)
            else:
                name: Any = port.getHost()
                found.append(tcpAddressOf(name))
        return found

    def bind(self) -> None:
        """
        Listen. The start of the service does this if it was not done before.

        @raise ListenError: the address can't be had.
        """
        if self._ports:
            return
        self._reactor = pickedReactor(self._reactor)
        self._deadlines = Deadlines(self._reactor, self._seconds)
        self._factory = AgentFactory(self.reply, self._deadlines, self._maxConnections)
        try:
            self._ports = self._listen(self._factory)
        except CannotListenError as error:
            reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
            raise ListenError(str(self.address), reason) from None
        except OSError as error:
            raise ListenError(str(self.address), error.strerror or str(error)) from None

    def _listen(self, factory: AgentFactory) -> list[IListeningPort | UNIXPort]:
        address = self.address
        if isinstance(address, UNIXAddress):
            sock = listenUNIX(address)
            return [UNIXPort(sock, SocketFile(address.path), factory, self._reactor)]
        listen = self._reactor.listenTCP
        if not address.host:
            try:
                # A socket for IPv6 and IPv4, if the machine has IPv6.
                return [listen(address.port, factory, interface="::")]
            except CannotListenError:
                return [listen(address.port, factory)]
        if address.isLiteral:
            return [listen(address.port, factory, interface=address.host)]
        return self._listenAtName(address, factory)

    def _listenAtName(
        self, address: TCPAddress, factory: AgentFactory
    ) -> list[IListeningPort | UNIXPort]:
        """
        Listen at all addresses of a name, with one port.
        """
        ports: list[Any] = []
        refused: CannotListenError | None = None
        try:
            for family, name in placesOf(address):
                port = ports[0].getHost().port if ports else address.port
                try:
                    ports.append(self._reactor.listenTCP(port, factory, interface=hostOf(name)))
                except CannotListenError as error:
                    number = getattr(error.socketError, "errno", None)
                    if family != AF_INET6 or not lacksIPv6(number):
                        raise
                    refused = error
        except BaseException:
            for each in ports:
                each.stopListening()
            raise
        if not ports and refused is not None:
            raise refused
        return ports

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise ListenError: the address can't be had.
        """
        self.bind()
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Begin to measure, and to answer.

        @raise ListenError: the address can't be had.
        """
        self.bind()
        super().startService()
        where = ", ".join(map(str, self.addresses))
        _log.info("the agent listens on {where}", where=where)
        if self._measure is not None:
            self._taken, self._lag = self._seconds(), 0.0
            self._tickLater()

    def stopService(self) -> Any:
        """
        Answer no more.

        @return: fires with L{None} when it listens no more.
        """
        super().stopService()
        if self._next is not None:
            self._next.cancel()
        if self._factory is not None:
            self._factory.closeAll()
        if self._deadlines is not None:
            self._deadlines.stop()
        self._samples.clear()
        ports, self._ports = self._ports, []
        stopped = [maybeDeferred(port.stopListening) for port in ports]
        return DeferredList(stopped).addCallback(lambda _: None)

    def _tickLater(self) -> None:
        if self._deadlines is not None:
            due = self._seconds() + self._interval / TICKS
            self._next = self._deadlines.at(due, lambda: self._tick(due))

    def _tick(self, due: float) -> None:
        now = self._seconds()
        self._lag = max(self._lag, now - due)
        # Half a tick less, as ticks are a little late; an interval has fewer ticks if they
        # are very late.
        if now - self._taken >= self._interval * (1 - 0.5 / TICKS):
            self._take(self._lag)
            self._taken, self._lag = now, 0.0
        self._tickLater()

    def _take(self, lag: float) -> None:
        if self._measure is not None:
            try:
                self._samples.append(self._measure.left(lag))
            except Exception:  # noqa: BLE001 - the system may not tell
                self._samples.clear()
                _log.failure("the agent can't measure")
