"""
Tests for L{txlb.clients._fetcher} and L{txlb.clients._reason}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers

from tests.fired import fired
from txlb.clients import Fetched, Fetcher, FetchError, TLSPolicy
from txlb.clients import _fetcher as fetcher
from txlb.clients._reason import reasonOf

URL = "http://127.0.0.1:80/x"


class Response:
    """
    An answer whose body comes when the test says so.
    """

    def __init__(self, code: int, phrase: bytes = b"OK", **headers: str) -> None:
        self.code, self.phrase = code, phrase
        self.headers = Headers({name: [value] for name, value in headers.items()})
        self.transport = StringTransport()

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self.transport)

    def end(self, data: bytes = b"", error: Exception | None = None) -> None:
        if data:
            self.protocol.dataReceived(data)
        self.protocol.connectionLost(Failure(error or ResponseDone()))


class FetcherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.requests: list[Headers] = []
        self.answers: list[Deferred[Any]] = []
        self.patch(fetcher, "Agent", lambda *_, **__: self)
        self.fetcher = Fetcher(self.clock, URL, most=10, timeout=5.0, policy=TLSPolicy())

    def request(self, method: bytes, url: bytes, headers: Headers) -> Deferred[Any]:
        self.assertEqual((method, url), (b"GET", URL.encode()))
        self.requests.append(headers)
        self.answers.append(Deferred())
        return self.answers[-1]

    def fetch(self, tag: str = "", **headers: str) -> Deferred[Fetched | None]:
        return Deferred.fromCoroutine(self.fetcher.fetch(headers, tag))

    def test_document(self) -> None:
        got = self.fetch(Authorization="x")
        self.assertEqual(self.requests[0].getRawHeaders("Authorization"), ["x"])
        self.assertFalse(self.requests[0].hasHeader("If-None-Match"))
        response = Response(200, ETag='W/"1"')
        self.answers[0].callback(response)
        response.end(b"[]")
        self.assertEqual(fired(got), Fetched(b"[]", 'W/"1"'))

    def test_same(self) -> None:
        got = self.fetch('"1"')
        self.assertEqual(self.requests[0].getRawHeaders("If-None-Match"), ['"1"'])
        response = Response(304)
        self.answers[0].callback(response)
        response.end()
        self.assertIsNone(fired(got))

    def test_wrongTags(self) -> None:
        for tag in ("x" * 1000, "ä"):
            got = self.fetch()
            response = Response(200, ETag=tag)
            self.answers[-1].callback(response)
            response.end(b"[]")
            self.assertEqual(fired(got), Fetched(b"[]", ""))

    def test_statuses(self) -> None:
        """
        No other status has a document, and a redirection is not followed.
        """
        for response, told in (
            (Response(500, b"Oh"), "answers 500 Oh"),
            (Response(304, b"Not Modified"), "answers 304 Not Modified"),
            (Response(204, b"No Content"), "answers 204"),
            (Response(302, b"Found", Location="http://a/"), "a redirection to 'http://a/'"),
        ):
            got = self.fetch()
            self.answers[-1].callback(response)
            self.assertIn(told, self.failureResultOf(got, FetchError).getErrorMessage())
            self.assertEqual(len(self.requests), len(self.answers))

    def test_tooLong(self) -> None:
        got = self.fetch()
        response = Response(200)
        self.answers[0].callback(response)
        response.protocol.dataReceived(b"x" * 11)
        failure = self.failureResultOf(got, FetchError)
        self.assertIn("more than 10 bytes", failure.getErrorMessage())
        self.assertTrue(response.transport.disconnected)

    def test_cut(self) -> None:
        got = self.fetch()
        response = Response(200)
        self.answers[0].callback(response)
        response.end(b"[", ResponseFailed([Failure(Refused())]))
        self.failureResultOf(got, FetchError)

    def test_silent(self) -> None:
        """
        The time is that of the whole answer, also if bytes come.
        """
        got = self.fetch()
        response = Response(200)
        self.answers[0].callback(response)
        for _ in range(5):
            self.clock.advance(1.0)
        self.assertIn(URL, self.failureResultOf(got, FetchError).getErrorMessage())

    def test_refused(self) -> None:
        got = self.fetch()
        self.answers[0].errback(Refused())
        self.assertIn("refused", self.failureResultOf(got, FetchError).getErrorMessage())

    def test_cancelled(self) -> None:
        got = self.fetch()
        got.cancel()
        self.failureResultOf(got)

    def test_close(self) -> None:
        self.assertIsNone(fired(self.fetcher.close()))


class ReasonTests(SynchronousTestCase):
    def test_reasons(self) -> None:
        inner = ResponseFailed([Failure(Refused("x"))])
        self.assertIn("x", reasonOf(ResponseFailed([Failure(inner)])))
        self.assertEqual(reasonOf(ZeroDivisionError()), "ZeroDivisionError")
        cancelled = ResponseFailed([Failure(CancelledError())])
        self.assertEqual(reasonOf(cancelled), "no answer in time")
        self.assertEqual(reasonOf(ResponseFailed([])), str(ResponseFailed([])))
