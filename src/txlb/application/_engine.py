"""
What all parts of a running balancer share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txlb.application._events import EventLog
from txlb.application._timer import PoolTimer
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import ModelError
from txlb.manager import ProxyManager
from txlb.model import Address
from txlb.proxy import (
    ConnectionRecord,
    FastRelay,
    Frontend,
    Listener,
    Loop,
    Origins,
    PortableRelay,
    Tally,
    whyNotFast,
)
from txlb.resolve import NameService

#: Seconds that the first look-ups of hosts' names may hold up accepting.
FIRST_LOOKUPS = 5.0

_log = Logger()


class Engine:
    """
    One run of a balancer, from listening to the end of the last connection.
    Owned by its L{txlb.application.service.LoadBalancedService}, which makes a
    new one for each run.

    @param record: see L{setRecord}.
    @raise ModelError: a service asks for a relay that can't be had here.
    """

    def __init__(
        self,
        manager: ProxyManager,
        reactor: Any,
        record: Callable[[ConnectionRecord], object] | None,
    ) -> None:
        self._manager = manager
        self._reactor = reactor
        # The pools' clock, as attempts say their deadlines by it.
        self.deadlines = Deadlines(reactor, manager.seconds)
        self.tally = Tally()
        self._origins = Origins()
        self._names = NameService(manager, reactor, self.deadlines)
        self._timer = PoolTimer(manager, self.deadlines)
        self._ready: Deferred[None] = Deferred()
        self._unsubscribe: Callable[[], None] | None = None
        self._whyNotFast = whyNotFast(reactor)
        wanted = any(each.relay != PortableRelay.name for each in manager.services.values())
        self._loop: Loop | None = None
        if wanted and self._whyNotFast is None:
            self._loop = Loop(reactor, self.deadlines)
        self._frontends = {
            name: Frontend(
                name,
                manager,
                reactor,
                self.deadlines,
                self.tally,
                loop=self._loop,
                origins=self._origins,
            )
            for name in manager.services
        }
        self.setRecord(record)
        for service in manager.services.values():
            if service.relay == FastRelay.name and self._whyNotFast is not None:
                raise ModelError(
                    f"service {service.name!r} asks for the fast relay, but {self._whyNotFast}; "
                    "relay='auto' takes the portable one then"
                )

    def setRecord(self, record: Callable[[ConnectionRecord], object] | None) -> None:
        """
        @param record: is called with the record of each connection that has
            ended; L{None} for no records.
        """
        for frontend in self._frontends.values():
            frontend.record = record

    def listen(self, serviceName: str, address: Address) -> Listener:
        """
        Listen for a service, without accepting yet.

        @raise ListenError: the address can't be had.
        """
        frontend = self._frontends[serviceName]
        watcher = self._reactor
        if self._loop is not None and frontend.relay.name == FastRelay.name:
            watcher = self._loop
        return Listener(address, watcher, self.deadlines, frontend.accepted)

    def start(self) -> None:
        """
        Begin to serve the pools, and find out when clients can be served.
        """
        if self._loop is None:
            self.tally.fitThisProcess(self._reactor)
        else:
            # The reactor watches but one descriptor of the loop's.
            self._loop.pipes.most = self.tally.fitThisProcess(None, self._loop.pipes.most)
            self._loop.start()
        for name, frontend in self._frontends.items():
            _log.info(
                "{service}: the {relay} relay, as {why}",
                service=name,
                relay=frontend.relay.name,
                why=self._why(name),
            )
        self._unsubscribe = self._manager.subscribe(EventLog())
        self._manager.onError = _observerFailed
        self._timer.startService()
        self._names.startService()
        answered = self._names.whenAnswered()
        patience = self.deadlines.after(FIRST_LOOKUPS, answered.cancel)
        answered.addErrback(lambda _: None)
        answered.addCallback(lambda _: self._becomeReady(patience))

    def _why(self, serviceName: str) -> str:
        """
        Why a service has the relay that it has.
        """
        asked = self._manager.getService(serviceName).relay
        if asked != "auto":
            return "the configuration says"
        return "nothing speaks against it" if self._whyNotFast is None else self._whyNotFast

    def _becomeReady(self, patience: Deadline) -> None:
        patience.cancel()
        self._ready.callback(None)

    def whenReady(self, action: Callable[[], object]) -> None:
        """
        Do something once clients can be served: where hosts have names, after
        the first look-ups, but within five seconds.
        """
        self._ready.addCallback(lambda _: action() and None)

    def clientOf(
        self, host: str, port: int, serverHost: str | None = None, serverPort: int | None = None
    ) -> object:
        """
        Who is behind a connection that a host has.

        @raise UnknownConnection: there is none, or it can't be told which.
        """
        if not self._origins.keeping:
            self._origins.keeping = True
            for frontend in self._frontends.values():
                frontend.relay.noteOrigins()
        return self._origins.clientOf(host, port, serverHost, serverPort)

    def stop(self, graceTime: float) -> Deferred[None]:
        """
        Wait for the connections to end.

        @param graceTime: seconds after which those that are left are reset.
        @return: fires with L{None} when there is none left. It does not fail.
        """
        if self.tally.active:
            _log.info(
                "waiting {graceTime:g} s for {active} connections to end",
                graceTime=graceTime,
                active=self.tally.active,
            )
        self.deadlines.after(graceTime, self._graceIsOver)
        return self.tally.whenEmpty().addCallback(lambda _: self._end())

    def _graceIsOver(self) -> None:
        _log.warn("resetting {active} connections that did not end", active=self.tally.active)
        self.abortAll()

    def _end(self) -> None:
        self._timer.stopService()
        self._names.stopService()
        if self._loop is not None:
            self._loop.stop()
        self.deadlines.stop()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def abortAll(self) -> None:
        """
        Reset every connection.
        """
        for frontend in self._frontends.values():
            frontend.abortAll()


def _observerFailed(error: Exception) -> None:
    _log.error("an observer of events failed: {error!r}", error=error)
