"""
Tests for L{txlb.proxy.ClientConnection}.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from tests.proxy.fakes import ReactorCase
from txlb.model import Listener
from txlb.proxy import AcceptedClient, ClientConnection
from txlb.proxy._acceptedclient import MOST_EARLY
from txlb.wire import Done

LISTENER = Listener(("127.0.0.1", 80))


class ClientConnectionTests(ReactorCase):
    def test_plain(self) -> None:
        """
        Without a preface the socket tells everything.
        """
        ours, theirs = self.tcpPair()
        local, peer = ours.getsockname(), ours.getpeername()
        client = ClientConnection(ours.detach(), peer, LISTENER)
        self.assertEqual((client.localAddress, client.peer), (local, theirs.getsockname()))
        self.assertEqual((client.clientAddr, client.sourceAddress), (peer, peer))
        self.assertEqual((client.isUNIX, client.listener), (False, LISTENER))
        self.assertEqual((client.serverName, client.alpn, client.leftover), (None, (), b""))
        client.close()
        self.assertEqual(theirs.recv(1), b"")

    def test_preface(self) -> None:
        """
        A preface tells of the client; its address is written in the one way.
        """
        client = ClientConnection(-1, ("192.0.2.7", 1), LISTENER)
        client.found = Done(("::ffff:203.0.113.9", 99), "www.example", b"rest", ("h2", "http/1.1"))
        self.assertEqual(client.clientAddr, ("203.0.113.9", 99))
        self.assertEqual(client.sourceAddress, ("203.0.113.9", 99))
        self.assertEqual(client.serverName, "www.example")
        self.assertEqual((client.alpn, client.leftover), (("h2", "http/1.1"), b"rest"))
        client.found = Done()
        self.assertEqual((client.clientAddr, client.sourceAddress), (client.peer, client.peer))

    def test_mapped(self) -> None:
        """
        An IPv4 client of a socket for both families has its IPv4 address, and the header
        gets the address that the system has told.
        """
        peer = ("::ffff:192.0.2.7", 5, 0, 0)
        client = ClientConnection(-1, peer, LISTENER)
        self.assertEqual((client.clientAddr, client.sourceAddress), (("192.0.2.7", 5), peer))

    def test_UNIX(self) -> None:
        """
        A client of a UNIX socket is known by the path where it came in.
        """
        path = self.socketPath()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            self.connect(path)
            ours, peer = listener.accept()
        client = ClientConnection(ours.detach(), peer, LISTENER)
        self.assertEqual((client.isUNIX, client.localAddress), (True, path))
        self.assertEqual(client.clientAddr, (f"unix:{path}", 0))
        client.close()
        self.assertEqual(ClientConnection(-1, None, LISTENER).sourceAddress, "")

    def test_reactors(self) -> None:
        """
        A client that the reactor has accepted tells its own address, and closes itself.
        """
        closed: list[bool] = []

        class Transport:
            def getHost(self) -> Any:
                return self

            name = os.fsencode("unused")

            def loseConnection(self) -> None:
                closed.append(True)

        accepted = AcceptedClient(lambda *_: None)
        accepted.transport = Transport()
        client = ClientConnection(-1, ("192.0.2.7", 1), LISTENER, accepted)
        self.assertEqual(client.localAddress, "")
        client.close()
        self.assertEqual(closed, [True])

    def test_earlyBytes(self) -> None:
        """
        Before a client has a host its bytes have a bound. Then a layer of TLS may deliver all that
        it has before the side begins, and nothing is lost.
        """
        seen: list[object] = []

        class Transport:
            def abortConnection(self) -> None:
                seen.append("aborted")

        class Side:
            transport: Any = None

            def connectionMade(self) -> None:
                seen.append("made")

            def dataReceived(self, data: bytes) -> None:
                seen.append(len(data))

        for hasHost in (False, True):
            seen.clear()
            accepted = AcceptedClient(lambda *_: None)
            accepted.transport = Transport()
            if hasHost:
                side: Any = Side()
                accepted.handTo(side)
            for _ in range(2):
                accepted.dataReceived(bytes(MOST_EARLY - 1))
            accepted.begin()
            expected: list[object] = ["made", 2 * (MOST_EARLY - 1)] if hasHost else ["aborted"]
            self.assertEqual(seen, expected)
