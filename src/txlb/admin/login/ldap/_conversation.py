"""
One connection to a directory server.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.admin.login.ldap import _messages as messages
from txlb.admin.login.ldap._errors import ResultError, ServerError
from txlb.admin.login.ldap._messages import Entry, Reference, Result
from txlb.deadlines import Deadline, Deadlines

#: Bytes of the answers of one operation.
MAX_ANSWER = 4_194_304


@implementer(IHandshakeListener)
class Conversation(Protocol):
    """
    A connection, on which one operation is under way at a time. It is of no use after an
    operation has failed with L{ServerError}.

    @param timeout: seconds for each answer.
    @ivar usable: whether another operation can be sent.
    """

    # Twisted declares it as not there yet.
    transport: Any

    def __init__(self, deadlines: Deadlines, timeout: float) -> None:
        self._deadlines = deadlines
        self._timeout = timeout
        self._buffer = bytearray()
        self._number = 0
        self._answer: Deferred[Any] | None = None
        self._entries: list[Entry] = []
        self._most = 0
        self._bytes = 0
        self._deadline: Deadline | None = None
        self._isSecure = False
        self._secured: Deferred[None] | None = None
        self.usable = True
        self._lost: str | None = None

    def whenSecure(self) -> Deferred[None]:
        """
        Wait until the certificate of the server is checked.

        @return: fires with L{None}; fails with L{ServerError}.
        """
        if self._isSecure:
            return succeed(None)
        if self._lost is not None:
            return fail(ServerError(self._lost))
        waiting: Deferred[None] = Deferred(lambda _: self.abort("cancelled"))
        self._secured = waiting
        self._deadline = self._deadlines.patience(self._timeout, self._tooSlow)
        return waiting

    # Operations

    async def startTLS(self, options: Any) -> None:
        """
        Begin TLS. The certificate of the server is checked when L{whenSecure} says so.

        @raise ServerError: the server does not want it.
        """
        result: Result = await self._send(messages.startTLSRequest())
        if result.code != messages.SUCCESS:
            self.abort("TLS refused")
            raise ServerError(f"the server does not begin TLS: {result.text or result.code}")
        if self._buffer:
            # An attacker could put answers before the first protected one.
            self.abort("text before TLS")
            raise ServerError("the server has sent something between its answer and TLS")
        self.transport.startTLS(options)

    async def bind(self, dn: str, password: bytes) -> None:
        """
        Log in to the directory, anonymously if both are empty.

        @raise ResultError: the server refuses.
        """
        result: Result = await self._send(messages.bindRequest(dn, password))
        _check(result)

    async def search(self, request: Any, most: int) -> list[Entry]:
        """
        Search.

        @param most: how many entries are taken; more are an error.
        @raise ResultError: the server refuses. If it has more entries, the code is
            L{messages.SIZE_LIMIT_EXCEEDED}.
        """
        self._entries, self._most = [], most
        result: Result = await self._send(request)
        if result.code != messages.NO_SUCH_OBJECT:
            _check(result)
        found, self._entries = self._entries, []
        return found

    def _send(self, request: Any) -> Deferred[Any]:
        if self._lost is not None or self._answer is not None:
            raise ServerError(self._lost or "an operation is under way")
        self._number += 1
        self._bytes = 0
        answer: Deferred[Any] = Deferred(lambda _: self.abort("cancelled"))
        self._answer = answer
        self._deadline = self._deadlines.patience(self._timeout, self._tooSlow)
        self.transport.write(messages.encode(self._number, request))
        return answer

    def _tooSlow(self) -> None:
        self.abort(f"no answer within {self._timeout:g} s")

    def _finish(self, result: Any) -> None:
        answer, self._answer = self._answer, None
        if self._deadline is not None:
            self._deadline.cancel()
        if answer is not None:
            answer.callback(result)

    # The connection

    def handshakeCompleted(self) -> None:
        """
        Note that the certificate is the right one, and that what comes is protected.
        """
        self._isSecure = True
        if self._deadline is not None:
            self._deadline.cancel()
        waiting, self._secured = self._secured, None
        if waiting is not None:
            waiting.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes of the server.
        """
        self._bytes += len(data)
        self._buffer += data
        if self._bytes > MAX_ANSWER:
            self.abort(f"an answer is longer than {MAX_ANSWER} bytes")
            return
        try:
            while self.usable and (message := messages.takeMessage(self._buffer)) is not None:
                self._take(*messages.decodeMessage(message))
        except ServerError as error:
            self.abort(str(error))

    def _take(self, number: int, content: Entry | Result | Reference) -> None:
        if self._answer is None or number != self._number:
            raise ServerError("the server has sent what was not asked for")
        if isinstance(content, Result):
            self._finish(content)
        elif isinstance(content, Entry):
            self._entries.append(content)
            if len(self._entries) > self._most:
                raise ServerError(f"the server has sent more than {self._most} entries")

    def abort(self, why: str) -> None:
        """
        Close the connection at once. An operation under way fails.
        """
        self._fail(why)
        if self.transport is not None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fail what is under way, as the connection is gone.
        """
        text = reason.getErrorMessage() or type(reason.value).__name__
        self._fail(f"the connection was lost: {_plain(reason, text)}")

    def _fail(self, why: str) -> None:
        self.usable = False
        if self._lost is None:
            self._lost = why
        if self._deadline is not None:
            self._deadline.cancel()
        answer, self._answer = self._answer, None
        secured, self._secured = self._secured, None
        for waiting in (answer, secured):
            if waiting is not None:
                waiting.errback(ServerError(self._lost))


def _check(result: Result) -> None:
    if result.code == messages.SUCCESS:
        return
    if result.code == messages.REFERRAL:
        raise ResultError(result.code, "the server refers to another one, which is not followed")
    text = result.text or f"result {result.code}"
    raise ResultError(result.code, text)


def _plain(reason: Failure, text: str) -> str:
    """
    Return the reason for which the connection was lost, in words.
    """
    if type(reason.value).__name__ == "VerificationError":
        return "the certificate of the server is for another name"
    if "SSL" not in type(reason.value).__module__:
        return text
    return f"the certificate of the server is not trusted or has expired, or TLS failed ({text})"
