"""
Tests for L{txlb.admin.web._answering}.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.admin.web.asking import TOKENS, Client, ConsoleCase, parsed
from txlb.admin.web import _tree
from txlb.admin.web._answering import STALLED


class SlowReaderTests(ConsoleCase):
    hosts = 300

    def read(self) -> Client:
        client = Client(self)
        client.send(
            b"GET /api/v1/services HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
            + TOKENS["full"].encode()
            + b"\r\n\r\n"
        )
        return client

    def test_paused(self) -> None:
        """
        Nothing is made while the client does not read.
        """
        client = self.read()
        client.channel.pauseProducing()
        first = client.take()
        self.assertLess(len(first), 60_000)
        self.assertEqual(client.take(), b"")
        client.channel.resumeProducing()
        answer = parsed(first + client.take())
        [service] = answer.json["services"]
        self.assertEqual(len(service["groups"][0]["hosts"]), 300)

    def test_stalled(self) -> None:
        """
        A client that reads nothing for long is dropped.
        """
        client = self.read()
        client.channel.pauseProducing()
        client.channel.pauseProducing()
        self.turn(int(STALLED) + 2, 1.0)
        self.assertTrue(client.transport.gone)

    def test_gone(self) -> None:
        client = self.read()
        client.leave()
        self.turn()
        self.assertFalse(self.console.work.pending)

    def test_failure(self) -> None:
        """
        An answer that fails in the middle does not look like a whole one.
        """

        def broken(*_: object) -> Iterator[bytes]:
            yield from (b"{", b"}")
            raise RuntimeError("no more")

        self.patch(_tree, "_servicePieces", broken)
        client = self.read()
        self.assertFalse(client.take().endswith(b"0\r\n\r\n"))
        self.assertTrue(client.transport.gone)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
