"""
A probe that reads a JSON document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.connecting import OneProtocolFactory
from txlb.interfaces import IResourceProbe
from txlb.model import Address, TCPAddress
from txlb.model.kinds import Number, Word
from txlb.model.options import Option, Text
from txlb.resources._connecting import ProbeEndpoint, ProbeFailed
from txlb.resources._kind import ProbeKind
from txlb.resources._probeconnection import ProbeConnection
from txlb.resources._target import ProbeTarget
from txlb.wire import HTTPAnswerError, HTTPReader

#: The most bytes that an answer may have.
MAX_BODY = 64 * 1024


@implementer(IResourceProbe)
class HTTPProbe:
    """
    A probe that gets a JSON document and takes a number out of it.
    """

    def __init__(self, options: Mapping[str, Any], reactor: Any) -> None:
        self._reactor = reactor
        self._path: str = options["path"]
        self._field: list[str] = options["field"].split(".")
        self._full: float = options["full"]
        self._means: str = options["means"]

    def probe(self, target: ProbeTarget) -> Deferred[float | None]:
        lines = (
            f"GET {self._path} HTTP/1.1",
            f"Host: {_placeOf(target.address)}",
            "User-Agent: txlb",
            "Accept: application/json",
            "Connection: close",
            "\r\n",
        )
        connection = HTTPConnection("\r\n".join(lines).encode("ascii"))
        endpoint = ProbeEndpoint(self._reactor, target)
        connection.begin(endpoint.connect(OneProtocolFactory(connection)))
        return connection.done.addCallback(self._found)

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


def _placeOf(address: Address) -> str:
    """
    Return host and port for the header C{Host}. A zone has a meaning on this machine only, and
    is left out (RFC 9844, section 6).
    """
    if not isinstance(address, TCPAddress):
        return "localhost"
    return str(replace(address, host=address.host.partition("%")[0]))


def _isNaN(value: float) -> bool:
    # A whole number may be too large to be made a float.
    return value != value  # noqa: PLR0124 - only NaN is not itself


class HTTPConnection(ProbeConnection[bytes]):
    """
    One request, and the body of its answer, of at most L{MAX_BODY} bytes. The head is
    bounded by L{HTTPReader}.
    """

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        self._reader = HTTPReader()
        self._content = b""

    def dataReceived(self, data: bytes) -> None:
        try:
            self._content += self._reader.feed(data)
        except HTTPAnswerError as error:
            self.fail(ProbeFailed(str(error)))
            return
        status = self._reader.status
        if status is not None and status != 200:
            self.fail(ProbeFailed(f"HTTP {status}"))
        elif self._reader.received > MAX_BODY:
            self.fail(ProbeFailed(f"the answer has more than {MAX_BODY} bytes"))
        elif self._reader.complete:
            self.end(self._content)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            self._reader.ended()
        except HTTPAnswerError:
            self.fail(ProbeFailed("closed without an answer"))
            return
        # A reset is no end of a body.
        if self._reader.complete and reason.check(ConnectionDone):
            self.end(self._content)
        else:
            self.fail(ProbeFailed("the answer has no end"))


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
