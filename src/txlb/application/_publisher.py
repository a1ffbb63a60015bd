"""
Events as messages.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from txlb._reactor import pickedReactor
from txlb.config import EventsSettings
from txlb.deadlines import Backlog, Deadlines
from txlb.discovery import credentialsIn, readFiles
from txlb.errors import ModelError
from txlb.manager import ProxyManager
from txlb.model.kinds import BROKERS, DESTINATION
from txlb.pool import Event

if TYPE_CHECKING:
    from txlb.application.service import LoadBalancedService
    from txlb.clients import StompClient, StompSettings

_log = Logger()


class EventPublisher(Service):
    """
    Publishes the events of a balancer as JSON through a broker of STOMP, each at most once::

        EventPublisher(
            services.manager, "stomp://127.0.0.1:61613", "/topic/txlb.events"
        ).setServiceParent(application)

    A message is an object with what C{Event.asDict} has, C{at}, the time in ISO 8601, C{from}, the
    name of the balancer, C{run}, the time at which it began, and C{number}, which counts the events
    of one run: where it has a gap, events were lost. Events wait for a broker as long as they fit
    into what waits; the others are dropped and counted. Nothing waits for the broker.

    @param manager: has the events.
    @param brokers: the URLs of brokers, with spaces between them, or their
        C{txlb.clients.StompSettings}, or a function that returns these later, before each
        connection.
    @param destination: the topic.
    @param name: the name of the balancer; by default that of the machine.
    @param reactor: by default the global one, from when the service starts.
    @param seconds: a monotonic clock.
    @param now: the wall clock, in seconds since 1970.
    @raise ModelError: something of it breaks a rule.

    @ivar manager: see above.
    @ivar destination: the topic.
    @ivar published: the number of events that were sent, or wait for a broker.
    @ivar dropped: the number of events that were dropped.
    @ivar trouble: why there is no broker now; empty if there is one.
    @ivar isUp: whether a broker takes events now.
    """

    #: Those of this process that run.
    _running: list[EventPublisher] = []  # noqa: RUF012 - one list for the process

    def __init__(
        self,
        manager: ProxyManager,
        brokers: str | StompSettings | Callable[[], Awaitable[StompSettings]],
        destination: str,
        *,
        name: str | None = None,
        reactor: Any = None,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.manager = manager
        if isinstance(brokers, str):
            # The client is imported only by those that need it.
            from txlb.clients import StompSettings  # noqa: PLC0415 - see above

            brokers = StompSettings(BROKERS.check(brokers, "brokers of a publisher"))
        self._brokers = brokers
        self.destination = DESTINATION.check(destination, "destination of a publisher")
        self._name = socket.gethostname() if name is None else name
        self._reactor = reactor
        self._seconds, self._now = seconds, now
        self._deadlines: Deadlines | None = None
        self._backlog: Backlog[tuple[int, float, Event]] | None = None
        self._client: StompClient | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._number, self._run = 0, ""
        self.published = self.dropped = 0
        self._dropping = False
        self.trouble = ""
        self.isUp = False

    @classmethod
    def of(cls, manager: ProxyManager) -> list[EventPublisher]:
        """
        Return those that run and publish the events of a manager.
        """
        return [each for each in cls._running if each.manager is manager]

    def startService(self) -> None:
        """
        Publish what happens from now on.
        """
        from txlb.clients import StompClient  # noqa: PLC0415 - as above

        super().startService()
        self._reactor = pickedReactor(self._reactor)
        self._number, self._run = 0, _written(self._now())
        deadlines = self._deadlines = Deadlines(self._reactor, self._seconds)
        self._backlog = Backlog(deadlines, self._publish)
        self._client = StompClient(
            self._reactor, self._brokers, deadlines, up=self._up, down=self._down
        )
        self._client.start()
        self._unsubscribe = self.manager.subscribe(self._happened)
        self._running.append(self)

    def stopService(self) -> Deferred[None]:
        """
        Publish what waits, as far as the broker takes it, and take leave.

        @return: fires with L{None} when that is done, or when the broker had its time for it. It
            does not fail.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._running.remove(self)
        if self._backlog is not None:
            self._backlog.flush()
        client, self._client = self._client, None
        deadlines = self._deadlines
        if client is None or deadlines is None:
            return succeed(None)
        return client.stop().addCallback(lambda _: deadlines.stop())

    def _happened(self, event: Event) -> None:
        self._number += 1
        if self._backlog is not None:
            # If very many come at once, they are written over several turns of the reactor.
            self._backlog.add(((self._number, self._now(), event),))

    def _publish(self, item: tuple[int, float, Event]) -> None:
        number, when, event = item
        if self._client is None:
            return
        message = {
            "number": number,
            "run": self._run,
            "from": self._name,
            "at": _written(when),
            **event.asDict(),
        }
        body = json.dumps(message, default=str).encode()
        if self._client.send(self.destination, body, {"content-type": "application/json"}):
            self.published += 1
            return
        self.dropped += 1
        if not self._dropping:
            self._dropping = True
            _log.warn("events for {to} are dropped: no broker takes them", to=self.destination)

    def _up(self) -> None:
        self.trouble, self.isUp = "", True
        _log.info("events are published to {to}", to=self.destination)
        if self._dropping:
            self._dropping = False
            _log.warn(
                "{count} events for {to} were dropped so far",
                count=self.dropped,
                to=self.destination,
            )

    def _down(self, reason: str) -> None:
        if not self.trouble:
            _log.warn(
                "events are not published to {to}: {reason}; trying again",
                to=self.destination,
                reason=reason,
            )
        self.trouble, self.isUp = reason, False


def _written(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")


def _labelOf(setting: str) -> str:
    return f"{setting} of <events>"


def publisherOf(settings: EventsSettings, balancer: LoadBalancedService) -> EventPublisher:
    """
    Make the publisher that a configuration file asks for. The files that it names are read before
    each connection, so that they may be replaced.
    """

    async def brokers() -> StompSettings:
        from txlb.clients import StompSettings  # noqa: PLC0415 - as above

        options = asdict(settings)
        files = await balancer.slices.aside(readFiles, options, "", _labelOf)
        try:
            return StompSettings(
                settings.url,
                user=settings.user or "",
                virtualHost=settings.virtualHost,
                heartBeat=settings.heartBeat,
                **credentialsIn(files),
            )
        except ModelError as error:
            raise ModelError(f"{error}, of <events>") from None

    return EventPublisher(balancer.manager, brokers, settings.destination, name=settings.name)
