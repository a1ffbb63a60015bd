"""
One connection to a broker of STOMP.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.clients._stomperror import StompError, StompUnreachable
from txlb.clients._stompsettings import MOST_BEAT, StompBroker, StompSettings
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import shortened
from txlb.wire import (
    HEART_BEAT,
    StompFrame,
    StompFrameError,
    StompReader,
    encodeStomp,
    parseHeartBeat,
)

#: Seconds that a broker has for the answer to C{CONNECT}, and for a receipt.
ANSWER_TIMEOUT = 5.0

#: A broker that has sent nothing for so many times the agreed time is left: one heart-beat may be
#: late.
MARGIN = 2.0

#: Receipts that are waited for at once.
MAX_RECEIPTS = 100

#: Characters of an error of a broker that are shown.
MAX_TOLD = 200


class ConnectionOwner(Protocol):
    """
    The part that has the connection.
    """

    def connected(self, connection: StompConnection) -> None:
        """
        Use the connection: the broker has accepted it.
        """

    def heard(self, frame: StompFrame) -> None:
        """
        Take a message.
        """

    def writable(self, connection: StompConnection) -> None:
        """
        Write again: what was written before has left.
        """

    def lost(self, connection: StompConnection, error: StompError) -> None:
        """
        Use it no more. It is called once, also if the broker has not accepted it.
        """


@implementer(IPushProducer)
class StompConnection(TwistedProtocol):
    """
    One connection to a broker, from C{CONNECT} on. Owned by a L{txlb.clients.StompClient}.

    @param broker: the place of the broker.
    @param settings: the user, the password and the heart-beat.
    @param deadlines: has the times.
    @param owner: is told what happens.

    @ivar accepted: whether the broker has accepted it.
    @ivar paused: whether what was written still waits to leave, so that nothing more is written.
    """

    def __init__(
        self,
        broker: StompBroker,
        settings: StompSettings,
        deadlines: Deadlines,
        owner: ConnectionOwner,
    ) -> None:
        self._broker = broker
        self._settings = settings
        self._deadlines = deadlines
        self._owner: ConnectionOwner | None = owner
        self._reader = StompReader()
        self.accepted = False
        self.paused = False
        self._receipts: dict[str, tuple[Deferred[None], Deadline]] = {}
        self._number = 0
        # When the last bytes came and went.
        self._heard = self._wrote = 0.0
        self._allowed = self._every = 0.0
        self._look: Deadline | None = None
        self._beat: Deadline | None = None

    # From the transport

    def connectionMade(self) -> None:
        if self._owner is None:
            self._abort()
            return
        self._transport.registerProducer(self, True)
        settings = self._settings
        headers = {
            "accept-version": "1.2",
            "host": settings.virtualHost,
            "heart-beat": f"{settings.milliseconds},{settings.milliseconds}",
        }
        if settings.user:
            headers |= {"login": settings.user, "passcode": settings.password}
        self._look = self._deadlines.patience(ANSWER_TIMEOUT, self._noAnswer)
        self._heard = self._deadlines.seconds()
        self.write(StompFrame("CONNECT", headers))

    @property
    def _transport(self) -> Any:
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        if self._owner is None:
            return
        self._heard = self._deadlines.seconds()
        try:
            for frame in self._reader.feed(data):
                self._got(frame)
        except StompFrameError as error:
            self._end(StompError(f"{self._broker} does not speak STOMP 1.2: {error}"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(StompUnreachable(f"{self._broker}: {reason.getErrorMessage()}"))

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        if self._owner is not None and self.accepted:
            self._owner.writable(self)

    def stopProducing(self) -> None:
        self.paused = True

    # Frames

    def _got(self, frame: StompFrame) -> None:
        if self._owner is None:
            return
        if frame.command == "ERROR":
            self._end(StompError(f"{self._broker} tells an error: {_told(frame)}"))
        elif not self.accepted:
            self._accept(frame)
        elif frame.command == "MESSAGE":
            self._owner.heard(frame)
        elif frame.command == "RECEIPT":
            found = self._receipts.pop(frame.get("receipt-id"), None)
            if found is not None:
                found[1].cancel()
                found[0].callback(None)
        else:
            self._end(StompError(f"{self._broker} has sent the frame {frame.command}"))

    def _accept(self, frame: StompFrame) -> None:
        """
        Read the answer to C{CONNECT}.
        """
        version = frame.get("version")
        if frame.command != "CONNECTED" or version != "1.2":
            self._end(
                StompError(
                    f"{self._broker} has answered with {frame.command} {version[:20]!r}, and not "
                    "with STOMP 1.2"
                )
            )
            return
        can, wants = parseHeartBeat(frame.get("heart-beat"))
        ours = self._settings.milliseconds
        agreed = max(can, ours) / 1000
        if not can or agreed > MOST_BEAT:
            self._end(
                StompError(
                    f"{self._broker} sends no heart-beat within {MOST_BEAT:g} s, so a silent one "
                    "would not be noticed; let it send them"
                )
            )
            return
        self.accepted = True
        self._allowed = agreed * MARGIN
        self._every = max(wants, ours) / 1000 / MARGIN if wants else 0.0
        self._listen()
        if self._every:
            self._beat = self._deadlines.after(self._every, self._sendBeat)
        if self._owner is not None:
            self._owner.connected(self)

    def write(self, frame: StompFrame) -> None:
        """
        Write a frame.

        @raise StompFrameError: it can't be written.
        """
        self.writeBytes(encodeStomp(frame))

    def writeBytes(self, data: bytes) -> None:
        """
        Write a frame that was encoded.
        """
        if self._owner is not None:
            self._wrote = self._deadlines.seconds()
            self._transport.write(data)

    def withReceipt(self, frame: StompFrame, timeout: float = ANSWER_TIMEOUT) -> Deferred[None]:
        """
        Write a frame, and wait for its receipt.

        @param timeout: seconds that the broker has for it.
        @return: fires with L{None} when the receipt is there. It fails with L{StompUnreachable}
            if the connection ends before, if there is none in time, or if too many are waited for,
            with L{StompError} if the broker tells an error.
        @raise StompFrameError: it can't be written.
        """
        if self._owner is None or len(self._receipts) >= MAX_RECEIPTS:
            return fail(StompUnreachable(f"{self._broker} has too much to confirm, or is lost"))
        self._number += 1
        name = str(self._number)
        data = encodeStomp(
            StompFrame(frame.command, {**frame.headers, "receipt": name}, frame.body)
        )
        waiting: Deferred[None] = Deferred()
        late = self._deadlines.patience(timeout, lambda: self._noReceipt(name))
        self._receipts[name] = waiting, late
        self.writeBytes(data)
        return waiting

    def _noReceipt(self, name: str) -> None:
        found = self._receipts.pop(name, None)
        if found is not None:
            found[0].errback(StompUnreachable(f"{self._broker} has not confirmed a frame in time"))

    # Times

    def _noAnswer(self) -> None:
        self._end(StompUnreachable(f"{self._broker} has not answered within {ANSWER_TIMEOUT:g} s"))

    def _listen(self) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look = self._deadlines.patience(self._allowed, self._lookAtSilence, self._heard)

    def _lookAtSilence(self) -> None:
        now = self._deadlines.seconds()
        slept = self._deadlines.sleptSince(self._heard)
        if now - self._heard - slept >= self._allowed:
            self._end(StompUnreachable(f"{self._broker} has sent nothing for {self._allowed:g} s"))
        else:
            self._listen()

    def _sendBeat(self) -> None:
        if self._owner is None:
            return
        now = self._deadlines.seconds()
        # What waits to leave does its work.
        if not self.paused and now - self._wrote >= self._every:
            self.writeBytes(HEART_BEAT)
        self._beat = self._deadlines.after(
            max(self._wrote + self._every - now, self._every / 4), self._sendBeat
        )

    # The end

    def disconnect(self, timeout: float) -> Deferred[None]:
        """
        Take leave: the broker has what was written before once it has confirmed that.

        @param timeout: seconds that it has for it.
        @return: fires with L{None} when it has confirmed it, or had its time. It does not fail.
        """
        if not self.accepted or self._owner is None:
            self.close()
            waiting: Deferred[None] = Deferred()
            waiting.callback(None)
            return waiting
        leaving = self.withReceipt(StompFrame("DISCONNECT"), timeout)
        leaving.addErrback(lambda reason: reason.trap(StompError) and None)
        leaving.addCallback(lambda _: self.close())
        return leaving

    def close(self) -> None:
        """
        Close the connection. The owner is told no more.
        """
        self._owner = None
        self._end(StompUnreachable(f"the connection to {self._broker} is closed"))

    def _end(self, error: StompError) -> None:
        owner, self._owner = self._owner, None
        for deadline in (self._look, self._beat):
            if deadline is not None:
                deadline.cancel()
        self._look = self._beat = None
        receipts, self._receipts = self._receipts, {}
        for waiting, late in receipts.values():
            late.cancel()
            waiting.errback(error)
        self._abort()
        if owner is not None:
            owner.lost(self, error)

    def _abort(self) -> None:
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.unregisterProducer()  # type: ignore[attr-defined]  # it is one of TCP or TLS
            transport.abortConnection()  # type: ignore[attr-defined]  # likewise


def _told(frame: StompFrame) -> str:
    """
    Return what an error says, for people: its header and its first line, as there are brokers
    whose bodies are stack traces.
    """
    line = frame.body[:1000].decode("utf-8", "replace").strip().partition("\n")[0]
    text = ": ".join(filter(None, (frame.get("message"), line)))
    shown = "".join(each if each.isprintable() else "?" for each in text.strip())
    return shortened(shown, MAX_TOLD) or "without words"
