"""
A probe that asks for a JSON document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from txlb.interfaces import IResourceProbe
from txlb.model import TCPAddress
from txlb.model.kinds import Number, Word
from txlb.model.options import Option, Text
from txlb.resources._connecting import ProbeEndpoint, ProbeFailed
from txlb.resources._registry import ProbeKind, ProbeTarget

#: The most bytes that an answer may have.
MAX_BODY = 64 * 1024


@implementer(IResourceProbe)
class HTTPProbe:
    """
    Asks for a JSON document with GET and takes a number out of it.
    """

    def __init__(self, options: Mapping[str, Any], reactor: Any) -> None:
        self._reactor = reactor
        self._path: str = options["path"]
        self._field: list[str] = options["field"].split(".")
        self._full: float = options["full"]
        self._means: str = options["means"]

    def probe(self, target: ProbeTarget) -> Deferred[float | None]:
        """
        See L{IResourceProbe.probe}.
        """
        endpoint = ProbeEndpoint(self._reactor, target.address)
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        agent = Agent.usingEndpointFactory(self._reactor, _Always(endpoint), pool)
        where = str(target.address) if isinstance(target.address, TCPAddress) else "localhost"
        headers = Headers({"User-Agent": ["txlb"], "Accept": ["application/json"]})
        asked: Deferred[Any] = agent.request(
            b"GET", f"http://{where}{self._path}".encode("ascii"), headers
        )
        found: Deferred[float | None] = asked.addCallback(_read).addCallback(self._found)
        return found

    def _found(self, body: bytes) -> float:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ProbeFailed(f"the answer is no JSON: {error}") from None
        for name in self._field:
            if not isinstance(value, dict) or name not in value:
                raise ProbeFailed(f"the answer has no field {'.'.join(self._field)!r}")
            value = value[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or _isNaN(value):
            raise ProbeFailed(f"field {'.'.join(self._field)!r} is {value!r:.60}, not a number")
        # A whole number may be too large to be divided, so it is compared first.
        share = 1.0 if value >= self._full else max(value, 0) / self._full
        return 1.0 - share if self._means == "load" else share


def _isNaN(value: float) -> bool:
    # A whole number may be too large to be made a float.
    return value != value  # noqa: PLR0124 - only NaN is not itself


def _read(response: IResponse) -> Deferred[bytes]:
    body = _Body()
    response.deliverBody(body)
    if response.code != 200:
        body.stop()
        raise ProbeFailed(f"HTTP {response.code}")
    return body.done


@implementer(IAgentEndpointFactory)
class _Always:
    """
    Goes to one endpoint whatever the URL says.
    """

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:
        return self._endpoint


class _Body(Protocol):
    """
    Collects so much of a body.

    @ivar done: fires with all of it. Where it is cancelled the connection is
        gone.
    """

    def __init__(self) -> None:
        self._data = b""
        self.done: Deferred[bytes] = Deferred(lambda _: self.stop())

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > MAX_BODY:
            self.stop()
            self._fail(ProbeFailed(f"the answer has more than {MAX_BODY} bytes"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(self._data)
        else:
            self._fail(ProbeFailed("the answer has no end"))

    def stop(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            # Nothing of ours is left to be sent, so this closes it at once.
            transport.loseConnection()

    def _fail(self, error: ProbeFailed) -> None:
        if not self.done.called:
            self.done.errback(error)


HTTP = ProbeKind(
    "http",
    "Asks for a JSON document by HTTP and takes a number out of it.",
    HTTPProbe,
    (
        Option(
            "path",
            Text(r"/[\x21-\x7e]*", "a path that begins with /, of printable ASCII characters"),
            "The path to ask for.",
            "/load",
        ),
        Option(
            "field",
            Text(r"[^\s.]+(\.[^\s.]+)*", "a name, or names with dots between them"),
            "The field that has the number; with dots between names, fields in fields.",
            "available",
        ),
        Option(
            "means",
            Word(("available", "load")),
            "Whether the number says what is left, or what is used.",
            "available",
        ),
        Option("full", Number(1e-9, 1e9), "The number that stands for all of the host.", 1.0),
    ),
)
