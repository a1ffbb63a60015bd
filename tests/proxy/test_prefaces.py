"""
Tests for the prefaces of the clients of one service, and their bounds.
"""

from __future__ import annotations

import socket
from typing import Any

from tests.proxy.fakes import ReactorCase
from tests.wire.hellos import hello
from txlb.model import Listener
from txlb.proxy import ClientConnection
from txlb.proxy._entrance import Entrance
from txlb.proxy._prefaces import Prefaces
from txlb.wire import Done, Reject, encodeProxyV1

FULL = "2 connections of this client are in their preface (maxPrefacesPerClient)"
FIRST, SECOND = ("192.0.2.1", 1), ("192.0.2.2", 1)


class PrefacesTests(ReactorCase):
    """
    L{Prefaces}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.prefaces = Prefaces(self.reactor, self.deadlines)
        self.verdicts: list[Done | Reject] = []

    def come(self, peer: tuple[str, int], data: bytes = b"", **settings: Any) -> socket.socket:
        """
        @param data: the bytes that are there when it is accepted.
        @return: the client's end.
        """
        listener = Listener(
            "127.0.0.1:443", serverNames="a.example", maxPrefacesPerClient=2, **settings
        )
        ours, client = self.pair()
        # Before the sockets are closed, whose descriptors the readers have.
        self.addCleanup(self.prefaces.stop, shared=True)
        client.sendall(data)
        connection = ClientConnection(ours.fileno(), peer, listener)
        entrance = Entrance({"web": listener})
        answer = self.prefaces.read(connection, entrance, self.verdicts.append)
        if answer is not None:
            self.verdicts.append(answer)
        return client

    def send(self, client: socket.socket, data: bytes) -> None:
        client.sendall(data)
        self.reactor.readable()

    def test_bound(self) -> None:
        """
        A client has so many at once, and others don't wait for it.
        """
        first = self.come(FIRST)
        self.come(FIRST)
        self.assertEqual(self.verdicts, [])
        self.come(FIRST)
        self.assertEqual(self.verdicts, [Reject(FULL)])
        self.come(SECOND)
        self.assertEqual((len(self.prefaces), len(self.verdicts)), (3, 1))
        self.send(first, hello("a.example"))
        self.assertIsInstance(self.verdicts[1], Done)
        self.come(FIRST)
        self.assertEqual((len(self.prefaces), len(self.verdicts)), (3, 2))

    def test_there(self) -> None:
        """
        What is there at once is no longer in its preface: it is decided, however many are.
        """
        for _ in range(3):
            self.come(FIRST, hello("a.example") + b"rest")
        found = self.verdicts.pop()
        assert isinstance(found, Done)
        self.assertEqual((found.serverName, found.leftover[-4:]), ("a.example", b"rest"))
        self.assertEqual((len(self.verdicts), len(self.prefaces)), (2, 0))
        self.assertEqual((self.reactor.getReaders(), len(self.deadlines)), ([], 0))

    def test_thereInPart(self) -> None:
        """
        What is there at once and is not whole, or wrong, is read by a reader.
        """
        message = hello("a.example")
        client = self.come(FIRST, message[:20])
        self.assertEqual((self.verdicts, len(self.prefaces)), ([], 1))
        self.send(client, message[20:])
        self.assertIsInstance(self.verdicts.pop(), Done)
        for wrong, reason in (
            (b"GET / HTTP/1.0\r\n", "it speaks no TLS"),
            (message[:44] + b"\xff" * (len(message) - 44), "its ClientHello ends too early"),
        ):
            self.verdicts.clear()
            self.come(SECOND, wrong)
            [answer] = self.verdicts
            assert isinstance(answer, Reject)
            self.assertEqual(answer.reason, reason)

    def test_thereFromAProxy(self) -> None:
        """
        A header that is there at once tells the client, who is bounded.
        """
        settings: dict[str, Any] = {"proxyProtocol": "v1", "trusted": "192.0.2.1"}
        header = encodeProxyV1(("203.0.113.5", 7), ("192.0.2.9", 443))
        self.come(FIRST, header + hello("a.example"), **settings)
        found = self.verdicts.pop()
        assert isinstance(found, Done)
        self.assertEqual(found.clientAddr, ("203.0.113.5", 7))
        for _ in range(3):
            self.come(FIRST, header, **settings)
        self.assertEqual((self.verdicts, len(self.prefaces)), ([Reject(FULL)], 2))

    def test_proxy(self) -> None:
        """
        A trusted proxy is not bounded, but each of its clients is as soon as its header is read.
        """
        settings: dict[str, Any] = {"proxyProtocol": "v1", "trusted": "192.0.2.1"}
        header = encodeProxyV1(("203.0.113.5", 7), ("192.0.2.9", 443))
        clients = [self.come(FIRST, **settings) for _ in range(5)]
        self.assertEqual(self.verdicts, [])
        for client in clients:
            # The header, and the beginning of a ClientHello.
            self.send(client, header + hello("a.example")[:20])
        self.assertEqual(self.verdicts, [Reject(FULL)] * 3)
        self.assertEqual(len(self.prefaces), 2)
        self.send(clients[0], hello("a.example")[20:])
        self.assertIsInstance(self.verdicts[-1], Done)
        # What comes at once is no longer in its preface.
        self.send(self.come(FIRST, **settings), header + hello("a.example"))
        self.assertIsInstance(self.verdicts[-1], Done)
        # Other clients of the address are.
        for _ in range(3):
            self.come(SECOND, **settings)
        self.assertEqual(self.verdicts[-1], Reject(FULL))

    def test_stop(self) -> None:
        """
        All are rejected, and nothing stays counted.
        """
        for peer in (FIRST, FIRST, SECOND):
            self.come(peer)
        self.prefaces.stop(shared=False)
        self.assertEqual(self.verdicts, [Reject("the balancer stops")] * 3)
        self.assertEqual((len(self.prefaces), len(self.prefaces._perClient)), (0, 0))
