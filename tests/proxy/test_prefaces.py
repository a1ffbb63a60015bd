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

    def come(self, peer: tuple[str, int], **settings: Any) -> socket.socket:
        """
        @return: the client's end.
        """
        listener = Listener(
            "127.0.0.1:443", serverNames="a.example", maxPrefacesPerClient=2, **settings
        )
        ours, client = self.pair()
        # Before the sockets are closed, whose descriptors the readers have.
        self.addCleanup(self.prefaces.stop, shared=True)
        connection = ClientConnection(ours.fileno(), peer, listener)
        self.prefaces.read(connection, Entrance({"web": listener}), self.verdicts.append)
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

    def test_proxy(self) -> None:
        """
        A trusted proxy is not bounded, but each of its clients is as soon as its header is read.
        """
        settings = {"proxyProtocol": "v1", "trusted": "192.0.2.1"}
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
