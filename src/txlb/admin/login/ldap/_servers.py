"""
The servers of one directory, and the connections to them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from txlb.admin.login._means import Means
from txlb.admin.login._refused import LoginRefused
from txlb.admin.login._unreached import Unreached
from txlb.admin.login.ldap._conversation import Conversation
from txlb.admin.login.ldap._errors import ResultError, ServerError
from txlb.admin.login.ldap._messages import BUSY, UNAVAILABLE
from txlb.errors import TxlbError
from txlb.process import UnusableFile, readSmallFile

#: Connections at a time to the servers of a directory.
MAX_CONNECTIONS = 4

#: Users that may wait for a connection.
MAX_WAITING = 256

#: Seconds after which a connection that is not used is closed.
IDLE = 30.0

#: The longest file of certificates, in bytes.
MAX_CA = 1_048_576

PORTS = {"ldap": 389, "ldaps": 636}

Answer = TypeVar("Answer")

_BEGIN = b"-----BEGIN CERTIFICATE-----"


def trustRootOf(path: str | None) -> Any:
    """
    Read the certificates of the authorities that are trusted.

    @param path: a file; L{None} for those of the system.
    @raise TxlbError: the file can't be used.
    """
    if path is None:
        return platformTrust()
    try:
        data, _ = readSmallFile(path, MAX_CA)
        parts = data.split(_BEGIN)[1:]
        found = [Certificate.loadPEM(_BEGIN + part) for part in parts]
    except UnusableFile as error:
        raise TxlbError(f"ca of <ldap>: {path} {error}") from None
    except OSError as error:
        raise TxlbError(f"ca of <ldap>: {path} can't be read: {error.strerror}") from None
    except Exception as error:
        raise TxlbError(f"ca of <ldap>: {path} has a certificate that is none") from error
    if not found:
        raise TxlbError(f"ca of <ldap>: {path} has no certificate in PEM")
    return trustRootFromCertificates(found)


class Servers:
    """
    The servers of a directory, which are asked in their order. There are at most
    L{MAX_CONNECTIONS} connections; logins wait for one in turn.

    @param urls: their URLs.
    @param timeout: seconds to connect, and for each answer.
    @param trust: the authorities that are trusted.
    """

    def __init__(self, urls: Sequence[str], timeout: float, trust: Any, means: Means) -> None:
        self._urls = urls
        self._timeout = timeout
        self._trust = trust
        self._means = means
        # Reading the authorities of the system takes time.
        self._options: dict[str, Any] = {}
        self._unreached = Unreached(means)
        self._used = 0
        self._waiting: deque[Deferred[None]] = deque()
        # Connections that wait to be used again, with their servers; the last used is last.
        self._idle: list[tuple[str, Conversation]] = []
        self._busy: set[Conversation] = set()
        self._closed = False

    async def ask(self, talk: Callable[[Conversation], Awaitable[Answer]]) -> Answer:
        """
        Have a conversation with the first server that answers.

        @param talk: is called with a connection, and again with another one if it fails
            with L{ServerError}.
        @raise ServerError: no server gives a usable answer.
        """
        if self._waiting or self._used >= MAX_CONNECTIONS:
            if len(self._waiting) >= MAX_WAITING:
                raise ServerError(f"{MAX_WAITING} logins wait for the directory already")
            turn: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(turn)
            await self._patiently(turn)
        else:
            self._used += 1
        try:
            return await self._askInTurn(talk)
        finally:
            self._used -= 1
            deadlines = self._means.deadlines
            if self._waiting and deadlines is not None:
                # Each in a turn of its own: if a server can't be reached, all that wait fail one
                # after the other.
                deadlines.after(0.0, self._next)

    def _next(self) -> None:
        """
        Let the user that has waited for longest have a connection.
        """
        if self._waiting and self._used < MAX_CONNECTIONS:
            self._used += 1
            self._waiting.popleft().callback(None)

    async def _patiently(self, turn: Deferred[None]) -> None:
        """
        Wait for a connection, as long as for an answer.
        """
        deadlines = self._means.deadlines
        limit = None if deadlines is None else deadlines.after(self._timeout, turn.cancel)
        try:
            await turn
        except CancelledError:
            raise ServerError(
                f"all {MAX_CONNECTIONS} connections to the directory are in use"
            ) from None
        finally:
            if limit is not None:
                limit.cancel()

    async def _askInTurn(self, talk: Callable[[Conversation], Awaitable[Answer]]) -> Answer:
        faults: list[str] = []
        while self._idle:
            url, conversation = self._idle.pop()
            try:
                return await self._talk(url, conversation, talk)
            except ServerError:
                # A server closes connections that are not used. A new one tells more.
                continue
        for url in self._urls:
            try:
                conversation = await self._reach(url)
                return await self._talk(url, conversation, talk)
            except ServerError as error:
                faults.append(f"{url}: {error}")
        raise ServerError("; ".join(faults))

    async def _talk(
        self,
        url: str,
        conversation: Conversation,
        talk: Callable[[Conversation], Awaitable[Answer]],
    ) -> Answer:
        self._busy.add(conversation)
        kept = False
        try:
            answer = await talk(conversation)
            kept = True
        except LoginRefused:
            kept = True
            raise
        except ResultError as error:
            kept = True
            if error.code in {BUSY, UNAVAILABLE}:
                raise ServerError(f"the server is busy: {error}") from None
            raise
        finally:
            self._busy.discard(conversation)
            if kept and conversation.usable and not self._closed:
                self._keep(url, conversation)
            else:
                conversation.abort("not needed")
        return answer

    def _keep(self, url: str, conversation: Conversation) -> None:
        kept = (url, conversation)
        self._idle.append(kept)

        def close() -> None:
            if kept in self._idle:
                self._idle.remove(kept)
                conversation.abort("not needed")

        deadlines = self._means.deadlines
        if deadlines is None:
            close()
        else:
            deadlines.after(IDLE, close)

    async def _reach(self, url: str) -> Conversation:
        """
        Connect to a server, unless it could not be reached a moment ago.
        """
        why = self._unreached.why(url)
        if why is not None:
            raise ServerError(why)
        try:
            return await self._connect(url)
        except ServerError as error:
            self._unreached.add(url, str(error))
            raise

    async def _connect(self, url: str) -> Conversation:
        means = self._means
        if means.deadlines is None or self._closed:
            raise ServerError("the balancer stops")
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or PORTS[parts.scheme]
        options = self._options.get(host)
        if options is None:
            options = self._options[host] = optionsForClientTLS(host, trustRoot=self._trust)
        endpoint: Any = HostnameEndpoint(means.reactor, host, port, timeout=self._timeout)
        if parts.scheme == "ldaps":
            endpoint = wrapClientTLS(options, endpoint)
        deadlines, timeout = means.deadlines, self._timeout
        factory = Factory.forProtocol(lambda: Conversation(deadlines, timeout))
        factory.noisy = False
        means.giveWay()
        connecting: Deferred[Any] = endpoint.connect(factory)
        means.giveWay()
        limit = deadlines.patience(timeout, connecting.cancel)
        try:
            made = await connecting
        except Exception as error:  # noqa: BLE001 - endpoints fail in many ways
            raise ServerError(f"it can't be reached: {_text(error)}") from None
        finally:
            limit.cancel()
        # The endpoint of TLS gives the protocol inside of it.
        conversation = cast("Conversation", made)
        self._busy.add(conversation)
        try:
            if parts.scheme == "ldap":
                await conversation.startTLS(options)
            await conversation.whenSecure()
        finally:
            self._busy.discard(conversation)
        return conversation

    def close(self) -> None:
        """
        Close all connections. What is under way fails.
        """
        self._closed = True
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            turn.errback(ServerError("the source was closed"))
        idle, self._idle = self._idle, []
        for _, conversation in idle:
            conversation.abort("the source was closed")
        for conversation in tuple(self._busy):
            conversation.abort("the source was closed")


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
