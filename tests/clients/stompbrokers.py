"""
Brokers of STOMP that a test plays, in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from zope.interface import implementer

from txlb.clients import StompBroker, StompSettings
from txlb.testing import FlowTransport
from txlb.wire import HEART_BEAT, StompFrame, StompReader, encodeStomp

#: Seconds from one look of the brokers at their connections to the next.
PUMP = 0.05


class Link:
    """
    A connection, with the broker's eyes.

    @ivar frames: the frames that have come.
    @ivar subscriptions: the destinations by the identifiers of subscriptions.
    """

    def __init__(self, url: str, protocol: Any) -> None:
        self.url = url
        self.reader = StompReader()
        self.frames: list[StompFrame] = []
        self.subscriptions: dict[str, str] = {}
        self.beats = 0
        self.transport = FlowTransport(protocol)

    def take(self) -> list[StompFrame]:
        data = self.transport.take()
        self.beats += data == HEART_BEAT
        frames = self.reader.feed(data)
        self.frames += frames
        return frames

    def send(
        self, command: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        if not self.transport.closed:
            self.transport.send(encodeStomp(StompFrame(command, headers or {}, body)))

    def beat(self) -> None:
        if not self.transport.closed:
            self.transport.send(HEART_BEAT)

    def message(self, body: bytes, destination: str = "/topic/hosts") -> None:
        """
        Pass a message to those who have subscribed to its destination.
        """
        for number, each in self.subscriptions.items():
            if each == destination:
                self.send("MESSAGE", {"subscription": number, "destination": destination}, body)


class Brokers:
    """
    Brokers that do what clients ask, as long as the test lets them.

    @param case: the test; C{StompSettings.endpoint} leads here until its end.
    @param clock: has the time in which they work.

    @ivar away: the URLs of brokers that refuse connections.
    @ivar links: all connections so far.
    @ivar silent: whether they do nothing.
    @ivar answer: the headers of C{CONNECTED}.
    """

    def __init__(self, case: Any, clock: Clock) -> None:
        self.clock = clock
        self.away: set[str] = set()
        self.links: list[Link] = []
        self.tried: list[str] = []
        self.silent = False
        self.beating = True
        self.waits = False
        self.connecting: list[Deferred[Any]] = []
        self.answer = {"version": "1.2", "heart-beat": "1000,1000"}
        self._last = 0.0
        case.patch(StompSettings, "endpoint", lambda _, __, broker: Endpoint(self, broker))
        clock.callLater(PUMP, self._pump)

    @property
    def link(self) -> Link:
        """
        The last connection.
        """
        return self.links[-1]

    @property
    def sent(self) -> list[StompFrame]:
        """
        All messages that clients have sent.
        """
        return [each for link in self.links for each in link.frames if each.command == "SEND"]

    def connect(self, url: str, factory: Any) -> Deferred[Any]:
        self.tried.append(url)
        if self.waits:
            self.connecting.append(Deferred())
            return self.connecting[-1]
        if url in self.away:
            return fail(Refused())
        protocol = factory.buildProtocol(None)
        self.links.append(Link(url, protocol))
        return succeed(protocol)

    def _pump(self) -> None:
        self.clock.callLater(PUMP, self._pump)
        if self.silent:
            return
        beats = self.beating and self.clock.seconds() - self._last >= 1.0
        if beats:
            self._last = self.clock.seconds()
        for link in self.links:
            if link.transport.closed:
                continue
            for frame in link.take():
                self.serve(link, frame)
            if beats:
                link.beat()

    def serve(self, link: Link, frame: StompFrame) -> None:
        if frame.command == "CONNECT":
            link.send("CONNECTED", self.answer)
        elif frame.command == "SUBSCRIBE":
            link.subscriptions[frame.get("id")] = frame.get("destination")
        elif frame.command == "SEND":
            for each in self.links:
                each.message(frame.body, frame.get("destination"))
        if frame.get("receipt"):
            link.send("RECEIPT", {"receipt-id": frame.get("receipt")})


@implementer(IStreamClientEndpoint)
class Endpoint:
    def __init__(self, brokers: Brokers, broker: StompBroker) -> None:
        self._brokers, self._url = brokers, str(broker)

    def connect(self, factory: Any) -> Deferred[Any]:
        return self._brokers.connect(self._url, factory)
