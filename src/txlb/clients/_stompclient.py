"""
A client of brokers of STOMP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.clients._stompconnection import ANSWER_TIMEOUT, StompConnection
from txlb.clients._stomperror import StompError, StompUnreachable
from txlb.clients._stompsettings import CONNECT_TIMEOUT, StompBroker, StompSettings
from txlb.deadlines import JITTER, Deadline, Deadlines, Retry
from txlb.errors import TxlbError
from txlb.wire import StompFrame, StompFrameError, encodeStomp

#: Seconds of the first pause before another try, and of a pause at most.
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0

#: Seconds after which a connection is a good one, so that the next pause is short.
GOOD = 5.0

#: Messages that may wait to be sent, and their bytes.
MAX_WAITING = 1000
MAX_WAITING_BYTES = 1024 * 1024

#: Seconds that a broker has at the end.
LEAVE_TIMEOUT = 2.0

_log = Logger()


def longestReturn(brokers: int) -> float:
    """
    Return the seconds in which a client finds the one of so many brokers that is back, however
    long none was there.
    """
    return brokers * LONGEST_PAUSE * (1 + JITTER)


class StompClient:
    """
    A client of one broker or more. It connects to the first that accepts it, in their order, and
    if the connection ends or the broker is silent to the next one, after a pause that grows and
    is longer or shorter at random.

    It sends each message once at most: a message may be lost with its connection. A message that
    does not fit into what waits is dropped and counted.

    @param reactor: makes the connections.
    @param settings: the brokers, or a function that is called before each connection, and returns
        them later, such as one that reads a file with a password.
    @param deadlines: has the times.
    @param up: is called when a broker has accepted the connection and all subscriptions.
    @param down: is called with a sentence each time that a broker does not accept the connection,
        and when one ends.
    @param random: the source of chance.

    @ivar dropped: the number of messages that were dropped.
    """

    def __init__(
        self,
        reactor: Any,
        settings: StompSettings | Callable[[], Awaitable[StompSettings]],
        deadlines: Deadlines,
        *,
        up: Callable[[], object] | None = None,
        down: Callable[[str], object] | None = None,
        random: Random | None = None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._deadlines = deadlines
        self._up, self._down = up, down
        self._retry = Retry(
            deadlines, self._connect, random, first=FIRST_PAUSE, longest=LONGEST_PAUSE
        )
        self._at = 0
        self._running = False
        self._connecting: Deferred[Any] | None = None
        self._late: Deadline | None = None
        self._good: Deadline | None = None
        # The connection, from its beginning on.
        self._connection: StompConnection | None = None
        self._isUp = False
        self._subscriptions: dict[str, tuple[str, Callable[[StompFrame], object]]] = {}
        self._waiting: deque[bytes] = deque()
        self._waitingBytes = 0
        self.dropped = 0

    @property
    def isUp(self) -> bool:
        """
        Whether a broker has accepted the connection and all subscriptions.
        """
        return self._isUp

    @property
    def waiting(self) -> int:
        """
        The number of messages that wait to be sent.
        """
        return len(self._waiting)

    def subscribe(self, destination: str, heard: Callable[[StompFrame], object]) -> None:
        """
        Subscribe to a destination, before L{start}.

        @param heard: is called with each message. What it raises is logged.
        """
        self._subscriptions[str(len(self._subscriptions) + 1)] = destination, heard

    def start(self) -> None:
        """
        Connect, and stay connected.
        """
        self._running = True
        self._connect()

    def stop(self) -> Deferred[None]:
        """
        Take leave of the broker. What waits is sent before, as far as the connection takes it.

        @return: fires with L{None} when the broker has confirmed it, or had its time. It does not
            fail.
        """
        self._running = False
        self._retry.stop()
        self._forget()
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        connection, self._connection = self._connection, None
        if connection is None:
            return succeed(None)
        self._flush(connection)
        return connection.disconnect(LEAVE_TIMEOUT)

    def _forget(self) -> None:
        self._isUp = False
        for deadline in (self._late, self._good):
            if deadline is not None:
                deadline.cancel()
        self._late = self._good = None

    # Connecting

    def _connect(self) -> None:
        if not self._running or self._connecting is not None or self._connection is not None:
            return
        connecting = self._connecting = Deferred.fromCoroutine(self._open())
        # A name may take any time to be found.
        self._late = self._deadlines.patience(2 * CONNECT_TIMEOUT, connecting.cancel)
        connecting.addCallbacks(self._made, self._notMade)

    async def _open(self) -> StompConnection:
        given = self._settings
        settings = given if isinstance(given, StompSettings) else await given()
        self._at %= len(settings.brokers)
        broker = StompBroker.of(settings.brokers[self._at])
        factory = Factory.forProtocol(
            lambda: StompConnection(broker, settings, self._deadlines, self)
        )
        factory.noisy = False
        try:
            made: Any = await settings.endpoint(self._reactor, broker).connect(factory)
        except CancelledError:
            raise StompUnreachable(f"{broker}: no answer in time") from None
        except Exception as error:  # noqa: BLE001 - endpoints have many, of one meaning
            raise StompUnreachable(f"{broker}: {str(error) or type(error).__name__}") from None
        connection: StompConnection = made
        return connection

    def _made(self, connection: StompConnection) -> None:
        self._connecting = None
        if self._late is not None:
            self._late.cancel()
            self._late = None
        # It can't be accepted yet.
        self._connection = connection

    def _notMade(self, reason: Failure) -> None:
        self._connecting = None
        if not self._running:
            return
        if reason.check(TxlbError, CancelledError) is None:
            _log.failure("a broker could not be connected to", reason)
        self._failed(reason.getErrorMessage() or "no settings in time")

    def _failed(self, reason: str) -> None:
        self._forget()
        self._at += 1
        self._retry.later()
        if self._down is not None:
            self._down(reason)

    # From the connection

    def connected(self, connection: StompConnection) -> None:
        """
        Subscribe.
        """
        subscribing = Deferred.fromCoroutine(self._subscribe(connection))
        subscribing.addErrback(self._notSubscribed, connection)

    async def _subscribe(self, connection: StompConnection) -> None:
        for number, (destination, _) in self._subscriptions.items():
            await connection.withReceipt(
                StompFrame("SUBSCRIBE", {"id": number, "destination": destination, "ack": "auto"})
            )
        if connection is self._connection:
            self._isUp = True
            self._good = self._deadlines.after(GOOD, self._retry.good)
            self._flush(connection)
            if self._up is not None:
                self._up()

    def _notSubscribed(self, reason: Failure, connection: StompConnection) -> None:
        if reason.check(StompError, StompFrameError) is None:
            _log.failure("a broker could not be used", reason)
        # If the connection has ended that was told already.
        if connection is self._connection:
            self._connection = None
            connection.close()
            self._failed(reason.getErrorMessage())

    def heard(self, frame: StompFrame) -> None:
        """
        Pass a message to its subscriber.
        """
        found = self._subscriptions.get(frame.get("subscription"))
        if found is not None:
            try:
                found[1](frame)
            except Exception:  # noqa: BLE001 - a subscriber fails for itself alone
                _log.failure("a message of {destination} was not used", destination=found[0])

    def writable(self, connection: StompConnection) -> None:
        """
        Send what waits.
        """
        if self._isUp:
            self._flush(connection)

    def lost(self, connection: StompConnection, error: StompError) -> None:
        """
        Connect again.
        """
        if connection is self._connection:
            self._connection = None
            self._failed(str(error))

    # Sending

    def send(self, destination: str, body: bytes, headers: Mapping[str, str] | None = None) -> bool:
        """
        Send a message now, or once a broker takes it, at most once. It never waits.

        @return: whether it was sent or waits; if not it is dropped and counted.
        """
        try:
            data = encodeStomp(_message(destination, body, headers))
        except StompFrameError:
            self.dropped += 1
            return False
        connection = self._connection
        if self._isUp and connection is not None and not connection.paused and not self._waiting:
            connection.writeBytes(data)
            return True
        if len(self._waiting) >= MAX_WAITING or self._waitingBytes + len(data) > MAX_WAITING_BYTES:
            self.dropped += 1
            return False
        self._waiting.append(data)
        self._waitingBytes += len(data)
        return True

    def _flush(self, connection: StompConnection) -> None:
        while self._waiting and not connection.paused:
            data = self._waiting.popleft()
            self._waitingBytes -= len(data)
            connection.writeBytes(data)

    def deliver(
        self,
        destination: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        timeout: float = ANSWER_TIMEOUT,
    ) -> Deferred[None]:
        """
        Send a message now, and wait for the broker's receipt.

        @param timeout: seconds that it has for it.
        @return: fires with L{None} when the broker has it. It fails with L{StompUnreachable} if
            there is no broker, or none that confirms it in time, with L{StompError} if it tells
            an error, and with L{StompFrameError} if the message can't be written.
        """
        connection = self._connection
        if not self._isUp or connection is None or connection.paused:
            return fail(StompUnreachable("no broker takes a message now"))
        try:
            return connection.withReceipt(_message(destination, body, headers), timeout)
        except StompFrameError as error:
            return fail(error)


def _message(destination: str, body: bytes, headers: Mapping[str, str] | None) -> StompFrame:
    return StompFrame("SEND", {**(headers or {}), "destination": destination}, body)
