"""
Fetching a document again and again by HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS

from txlb.clients._body import Body, TooLong
from txlb.clients._reason import reasonOf
from txlb.errors import TxlbError, shortened

#: Seconds until a connection is there.
CONNECT_TIMEOUT = 5.0

#: Characters of the tag of a document that are sent back, at most.
MAX_TAG = 512

#: Characters of what a server says that messages have, at most.
MAX_SHOWN = 200


class FetchError(TxlbError):
    """
    A document that could not be fetched.
    """


@dataclass(frozen=True, slots=True)
class Fetched:
    """
    A document.

    @ivar data: its bytes.
    @ivar tag: names this version of it (C{ETag}); empty if the server has none.
    """

    data: bytes
    tag: str = ""


class Fetcher:
    """
    Fetches the document of one URL. Redirections are not followed, so that neither the document
    nor the credentials come from, or go to, another place than the one that is configured.

    @param reactor: makes the connections.
    @param url: C{http://} or C{https://}.
    @param most: bytes of the document at most.
    @param timeout: seconds from a request to the end of its answer.
    @param policy: verifies the server, for C{https}.
    """

    def __init__(
        self, reactor: Any, url: str, *, most: int, timeout: float, policy: IPolicyForHTTPS
    ) -> None:
        self._reactor = reactor
        self._url = url
        self._most = most
        self._timeout = timeout
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = 1
        self._agent = Agent(reactor, policy, CONNECT_TIMEOUT, pool=self._pool)

    async def fetch(self, headers: Mapping[str, str], tag: str = "") -> Fetched | None:
        """
        Fetch the document.

        @param headers: more headers of the request, such as C{Authorization}.
        @param tag: the tag of the version that is known; empty for none.
        @return: the document; L{None} if it is the version that is known.
        @raise FetchError: there is no document, and why.
        """
        asked = Deferred.fromCoroutine(self._exchange(headers, tag))
        asked.addTimeout(self._timeout, self._reactor)
        try:
            return await asked
        except (CancelledError, FetchError):
            raise
        except TooLong as error:
            raise FetchError(f"{self._url}: {error}") from None
        except Exception as error:  # noqa: BLE001 - twisted.web has many, of one meaning
            raise FetchError(f"{self._url}: {shortened(reasonOf(error), MAX_SHOWN)}") from None

    async def _exchange(self, headers: Mapping[str, str], tag: str) -> Fetched | None:
        sent = Headers({"Accept": ["application/json"], "User-Agent": ["txlb"]})
        for name, value in headers.items():
            sent.setRawHeaders(name, [value])
        if tag:
            sent.setRawHeaders("If-None-Match", [tag])
        response = await self._agent.request(b"GET", self._url.encode("ascii"), sent)
        if response.code == 200:
            collected = Body(self._most)
            response.deliverBody(collected)
            return Fetched(await collected.done, _tagOf(response.headers))
        unread = Body(self._most)
        response.deliverBody(unread)
        if response.code == 304 and tag:
            await unread.done
            return None
        unread.done.addErrback(lambda _: None)
        unread.done.cancel()
        raise FetchError(f"{self._url} answers {_told(response)}")

    def close(self) -> Deferred[None]:
        """
        Close the connection that is kept.

        @return: fires with L{None} when it is closed. It does not fail.
        """
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


def _tagOf(headers: Headers) -> str:
    """
    Return the tag of a document; empty if it has none that can be sent back.
    """
    tag = _first(headers, b"ETag")
    return tag if len(tag) <= MAX_TAG and tag.isascii() and tag.isprintable() else ""


def _first(headers: Headers, name: bytes) -> str:
    found = headers.getRawHeaders(name) or [b""]
    return found[0].decode("latin-1")


def _told(response: Any) -> str:
    """
    Describe an answer that has no document.
    """
    told = f"{response.code} {response.phrase.decode('latin-1')}"
    if 300 <= response.code < 400 and (to := _first(response.headers, b"Location")):
        told += f", a redirection to {to!r}, which is not followed; if it is right, write that URL"
    return shortened(told, MAX_SHOWN)
