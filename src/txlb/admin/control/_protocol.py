"""
The protocol of a client of the control socket.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.admin._access import READONLY, Caller
from txlb.admin._arguments import TEXT, WHOLE, Argument, readArguments
from txlb.admin._commands import findCommand
from txlb.admin._log import log, printable
from txlb.admin._rows import Row
from txlb.admin._target import Target
from txlb.admin._work import RationedWork
from txlb.admin.control._answers import Answer
from txlb.admin.control._wire import ERROR_CODES, BusyError
from txlb.admin.login import Session
from txlb.errors import (
    ConfigurationConflict,
    Remedy,
    TxlbError,
    UnknownConnection,
    UnknownName,
    firstLines,
    remedyLines,
)
from txlb.wire import REMEDIES

#: Bytes that a request may have.
MAX_REQUEST = 65_536

#: Requests of one client that may wait for their answers.
MAX_WAITING = 8

#: Turns of the reactor that a connection may take to become known: a host may be
#: told of it by the system before the balancer is.
TURNS = 3

#: Bytes of an error's message.
MAX_MESSAGE = 30_000

_CLIENT_ADDRESS = (
    Argument("host", TEXT, "the address from which the host sees the connection come"),
    Argument("port", WHOLE, "the port from which the host sees it come"),
    Argument("serverHost", TEXT, "the address at which the host has accepted it", None),
    Argument("serverPort", WHOLE, "the port at which the host has accepted it", None),
)


class ProtocolOwner(Protocol):
    """
    The owner of the protocols: the L{txlb.admin.control._clients.Clients} of a control socket.

    @ivar work: does the requests of all clients.
    """

    work: RationedWork

    def active(self, protocol: ControlProtocol) -> None:
        """
        Take note that a client has sent something.
        """

    def gone(self, protocol: ControlProtocol) -> None:
        """
        Forget a client that is gone.
        """

    def complain(self, text: str) -> None:
        """
        Log a misdeed of a client.
        """

    def nextTurn(self) -> Deferred[None]:
        """
        Return a L{Deferred} that fires with L{None} in the reactor's next turn.
        """


@implementer(IPushProducer)
class ControlProtocol(amp.AMP):
    """
    The connection of one client. If the client does not read its answers, its requests are
    not read either.

    It is a L{txlb.admin._work.Job}. Requests that come together are read and answered one
    after the other, and the others wait unread.

    @param caller: the client, as its avatar.
    @ivar session: its place in the register of sessions, which its owner sets.
    @ivar source: a text that no other client has.
    @ivar stage: 0.
    @ivar cost: seconds of work that it has had.
    """

    transport: Any
    stage = 0

    def __init__(self, clients: ProtocolOwner, target: Target, caller: Caller) -> None:
        super().__init__()
        self.caller = caller
        self.session: Session | None = None
        self.source = f"{id(self):x}"
        self.cost = 0.0
        self._clients = clients
        self._target = target
        # The request that is next, read but not begun.
        self._box: Any = None
        self._answer: Answer | None = None
        # The pages that are being made, each with a request that waits for it. There is more
        # than one if requests that waited for something are answered together.
        self._pages: deque[tuple[Answer, Deferred[Answer]]] = deque()
        self._unread = False
        self._dropped = False
        self._finishing = False
        self._requestBytes = 0
        self._waiting: set[Deferred[Any]] = set()
        # The remedies of errors whose boxes are about to be sent, by their tags.
        self._remedies: dict[bytes, tuple[Remedy, ...]] = {}

    # The connection

    def makeConnection(self, transport: Any) -> None:
        """
        Connect. AMP's own method would log a line for each client.
        """
        amp.BinaryBoxProtocol.makeConnection(self, transport)

    def connectionMade(self) -> None:
        """
        Let the transport say when the client does not read.
        """
        super().connectionMade()
        self.transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Cancel all that the client waits for, as it is gone.
        """
        self._clients.gone(self)
        self._box = self._answer = None
        for _, page in tuple(self._pages):
            page.cancel()
        self._pages.clear()
        for waiting in tuple(self._waiting):
            waiting.cancel()
        amp.BinaryBoxProtocol.connectionLost(self, reason)

    def drop(self, why: str) -> None:
        """
        Drop the client.

        @param why: for the log; C{""} for nothing.
        """
        if why:
            self._clients.complain(f"{self.caller.name} was disconnected: {why}")
        # The rest of its input is not looked at.
        self._dropped = self.paused = True
        self._box = None
        self._clients.work.remove(self)
        if self.transport is not None:
            self.transport.abortConnection()
        else:
            self._clients.gone(self)

    def finish(self) -> None:
        """
        Answer the requests that are under way and end the connection. Those that wait for
        something are given up.
        """
        self._finishing = self.paused = True
        for waiting in tuple(self._waiting):
            waiting.cancel()
        self._endIfDone()

    def _endIfDone(self) -> None:
        if self._finishing and not self._pages and self._box is None:
            self._finishing = False
            self._dropped = True
            # A producer that is registered keeps a connection open.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # Input, within bounds

    def dataReceived(self, data: bytes) -> None:
        """
        Take requests, or a part of one.
        """
        self._clients.active(self)
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        super().dataReceived(data)
        if self._box is not None and not self._unread:
            self._clients.work.add(self)

    def stringReceived(self, string: bytes) -> None:
        """
        Take a key or a value of a request.
        """
        self._requestBytes += len(string) + 2
        if self._requestBytes > MAX_REQUEST:
            self.drop(f"a request has at most {MAX_REQUEST} bytes")
            return
        super().stringReceived(string)

    def lengthLimitExceeded(self, length: int) -> None:
        """
        Drop a client that has sent a key of more than 255 bytes: this is no AMP.
        """
        self.drop("its input is no AMP")

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """
        Drop a client that has sent a descriptor: there is no use for one.
        """
        os.close(descriptor)
        self.drop("it has sent a descriptor")

    def ampBoxReceived(self, box: Any) -> None:
        """
        Take a whole request. The rest stays unread until it is answered.
        """
        self._requestBytes = 0
        if amp.COMMAND not in box:
            self.drop("its input is no request")
            return
        self._box = box
        self.paused = True
        self.transport.pauseProducing()

    def pauseProducing(self) -> None:
        """
        Stop, as the client does not read its answers.
        """
        self._unread = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """
        Go on, as the client reads its answers.
        """
        self._unread = False
        if self._box is not None or self._pages:
            self._clients.work.add(self)
        else:
            self._readOn()

    def _readOn(self) -> None:
        """
        Read the next request, unless there is a reason not to.
        """
        if self._finishing:
            self._endIfDone()
        elif not self._dropped and not self._unread and not self._pages and self._box is None:
            self.paused = False
            self.transport.resumeProducing()
            self._parse(b"")

    def work(self) -> bool:
        """
        Begin the next request, or go on with the answer to the one before.

        @return: whether there is more to do now.
        """
        if self._unread:
            return False
        if self._pages:
            self._goOnWithPage()
        elif self._box is not None:
            box, self._box = self._box, None
            super().ampBoxReceived(box)
        self._readOn()
        return bool(self._pages or self._box is not None) and not self._unread

    def _goOnWithPage(self) -> None:
        answer, page = self._pages[0]
        try:
            if answer.goOn():
                return
        except Exception:  # noqa: BLE001 - the client is told, as of an error at once
            del self._pages[0]
            page.errback(Failure())
        else:
            del self._pages[0]
            page.callback(answer)

    def unhandledError(self, failure: Failure) -> None:
        """
        Log an answer that could not be sent, and drop the client.
        """
        if not self.transport.disconnecting and not self._dropped:
            log.failure("an answer to {by} failed", failure, by=self.caller.name)
        self.transport.abortConnection()

    # Answers

    def locateResponder(self, name: bytes) -> Callable[[Any], Deferred[Any]]:
        """
        Return the function that answers a command. Values are read here and not by AMP, so
        that errors name a mistake in one.
        """
        word = name.decode("ascii", "replace")

        def respond(box: Any) -> Deferred[Any]:
            answering = maybeDeferred(self._respond, word, box)
            return answering.addErrback(self._asError, word, box.get(amp.ASK))

        return respond

    def _respond(self, word: str, box: Any) -> Any:
        texts = {
            key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
            for key, value in box.items()
            if key not in {amp.COMMAND, amp.ASK}
        }
        if word == "GetClientAddress":
            question: dict[str, Any] = readArguments(_CLIENT_ADDRESS, texts, word)
            return self._clientAddress(**question)
        if word == "More":
            readArguments((), texts, word)
            if self._answer is None:
                raise BusyError("there is no answer of which there could be more")
            answer, self._answer = self._answer, None
            return self._page(answer)
        command = findCommand(word)
        values = readArguments(command.arguments, texts, word)
        self._answer = None
        if command.access != READONLY:
            log.info(
                "{by}: {command} {values}",
                by=self.caller.name,
                command=command.name,
                values=printable(command.shown(texts)),
            )
        rows = command(self._target, self.caller, values)
        if not isinstance(rows, Deferred):
            return self._begin(rows)
        if len(self._waiting) >= MAX_WAITING:
            rows.addErrback(lambda _: None)
            rows.cancel()
            raise BusyError(f"{MAX_WAITING} requests wait for their answers already")
        return self._later(rows).addCallback(self._begin)

    def _begin(self, rows: Iterable[Row]) -> Deferred[Any]:
        return self._page(Answer(rows))

    def _page(self, answer: Answer) -> Deferred[Any]:
        """
        Make the next page of an answer, in slices.
        """
        page: Deferred[Answer] = Deferred()
        self._pages.append((answer, page))
        if not self._unread:
            self._clients.work.add(self)
        return page.addCallback(self._made)

    def _made(self, answer: Answer) -> Any:
        text, more = answer.page()
        self._answer = answer if more else None
        return amp.Box(rows=text.encode("ascii"), more=b"True" if more else b"False")

    def _later(self, waiting: Deferred[Any]) -> Deferred[Any]:
        self._waiting.add(waiting)

        def done(result: Any) -> Any:
            self._waiting.discard(waiting)
            return result

        return waiting.addBoth(done)

    def _clientAddress(
        self, host: str, port: int, serverHost: str | None, serverPort: int | None, turn: int = 0
    ) -> Any:
        try:
            found = self._target.balancer.getClientAddress(host, port, serverHost, serverPort)
        except UnknownConnection:
            if turn == TURNS:
                raise
        else:
            return amp.Box(host=found[0].encode("utf-8"), port=b"%d" % found[1])
        # The reactor looks at all connections once before this is due. There are only so
        # many of these as a client can send in so few turns.
        soon: Deferred[Any] = self._clients.nextTurn()
        return self._later(soon).addCallback(
            lambda _: self._clientAddress(host, port, serverHost, serverPort, turn + 1)
        )

    def sendBox(self, box: Any) -> None:
        """
        Send a box. An error with remedies has them as data too, so that the client can
        spell them for its own users.
        """
        remedies = self._remedies.pop(box.get(amp.ERROR), None)
        if remedies:
            rows = [[each.purpose, each.command, each.option] for each in remedies]
            box[REMEDIES.encode("ascii")] = json.dumps(rows).encode("ascii")
        super().sendBox(box)

    def _asError(self, failure: Failure, word: str, tag: bytes | None) -> Any:
        error = failure.value
        if isinstance(error, CancelledError):
            raise amp.RemoteAmpError(amp.UNKNOWN_ERROR_CODE, "the client is gone")
        if isinstance(error, UnknownName) and error.kind == "command":
            code = amp.UNHANDLED_ERROR_CODE.decode("ascii")
        elif isinstance(error, TxlbError):
            code = next(name for kind, name in ERROR_CODES if isinstance(error, kind))
        else:
            log.failure(
                "{by}: {command} failed", failure, by=self.caller.name, command=printable(word)
            )
            raise amp.RemoteAmpError(
                amp.UNKNOWN_ERROR_CODE,
                f"{word} failed in a way that it should not; the balancer's log says more",
            )
        lines, ways = [str(error)], []
        if isinstance(error, ConfigurationConflict):
            lines, ways = list(error.lines), remedyLines(error.remedies, lambda each: each.wire)
            if tag is not None:
                self._remedies[tag] = error.remedies
        message = "\n".join(firstLines(lines, "", len(lines), MAX_MESSAGE))
        if len(message) > MAX_MESSAGE:
            message = message[:MAX_MESSAGE] + "…"
        raise amp.RemoteAmpError(code.encode("ascii"), "\n".join([message, *ways]))
