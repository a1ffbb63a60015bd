"""
Tests for L{txlb.cloning._passing}: connections that the manager accepts and passes.
"""

from __future__ import annotations

import array
import errno
import os
import socket
from types import MappingProxyType
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.cloning.inside import InsideTestCase
from txlb.cloning import CloneGroup
from txlb.cloning._granter import PAUSE
from txlb.cloning._ownhosts import SERVICE
from txlb.cloning._passing import MOST_UNREAD, MOST_WAITING, PassedClient, Passing
from txlb.pool import HostPool
from txlb.wire import (
    MAX_FIRST,
    Back,
    Bye,
    Hello,
    Message,
    Status,
    decodeGrants,
    encodeGrants,
)

NAME = "tcp-127.0.0.1-0"


class PassingTestCase(InsideTestCase):
    scheduler = "sticky"

    def begin(self) -> CloneGroup:
        """
        Begin the application, and wait for its clones.
        """
        self.main = self.group()
        self.until(lambda: self.joined(self.main, self.processes))
        self.reactor.turn(5)
        return self.main

    @property
    def pool(self) -> HostPool:
        assert self.main.manager is not None
        return self.main.manager.pools.getPool(SERVICE, NAME)

    @property
    def passing(self) -> Passing:
        assert self.main.manager is not None
        found = self.main.manager._granters[0].passing
        assert found is not None
        return found

    def connectFrom(self, address: str) -> socket.socket:
        """
        Connect as a client of an address.
        """
        client = socket.create_connection(("127.0.0.1", self.port), 5, (address, 0))
        client.setblocking(False)
        self.addCleanup(client.close)
        return client

    def clientsOf(self, name: bytes, count: int) -> list[str]:
        """
        Find addresses of clients that go to a clone.
        """
        wanted = f"clone{int(name) - 1}"
        found = []
        for number in range(1, 250):
            address = f"127.0.0.{number}"
            chosen = self.pool.explain((address, 1)).chosen
            if chosen is not None and chosen.name == wanted:
                found.append(address)
        return found[:count]


class ServingTests(PassingTestCase):
    def test_sticky(self) -> None:
        """
        A client is served by one clone, with its own address, and the counts are right.
        """
        self.begin()
        addresses = [f"127.0.0.{number}" for number in range(1, 17)]
        first = [self.answer(self.connectFrom(each)) for each in addresses]
        self.assertEqual({*first}, {b"1", b"2"})
        again = [self.connectFrom(each) for each in addresses]
        self.assertEqual([self.answer(each) for each in again], first)
        self.until(lambda: self.pool.active == 32)
        again[0].send(b"hello")
        self.assertEqual(self.answer(again[0]), b"hello")
        peers = {
            transport.getPeer().host
            for group in self.groups[1:]
            for listener in group._listeners
            for transport in listener.connections
        }
        self.assertEqual(peers, set(addresses))
        for each in again:
            each.close()
        self.until(lambda: self.pool.active == 16)
        # Nothing is left in the manager's hands.
        [first_, second] = self.main.manager.clones  # type: ignore[union-attr]
        self.assertFalse(first_.accounts[0].passed or second.accounts[0].passed)

    def test_denied(self) -> None:
        """
        Clients of networks that are not allowed are closed, also by a clone that accepts
        by itself.
        """
        self.scheduler = "leastc"
        self.admission = MappingProxyType({"deny": ["127.0.0.9"]})
        self.begin()
        self.assertIn(self.answer(self.connectFrom("127.0.0.8")), {b"1", b"2"})
        self.assertEqual(self.answer(self.connectFrom("127.0.0.9")), b"")
        self.reactor.removeReader(self.main.manager._granters[0])  # type: ignore[union-attr]
        self.assertIn(self.answer(self.connectFrom("127.0.0.8")), {b"1", b"2"})
        self.assertEqual(self.answer(self.connectFrom("127.0.0.9")), b"")

    def test_full(self) -> None:
        """
        If no clone has room, the manager accepts nothing: clients wait in the accept queue.
        """
        self.maxConnections = 1
        self.begin()
        clients = [self.connectFrom(f"127.0.0.{number}") for number in range(1, 6)]
        self.pass_(0.3, 60)
        self.assertEqual(self.main._listeners[0].queued, 3)
        self.assertEqual(self.pool.active, 2)
        served = [each for each in clients if self.has(each)]
        self.assertEqual(len(served), 2)
        served[0].close()
        self.until(lambda: self.main._listeners[0].queued == 2)

    def has(self, client: socket.socket) -> bool:
        try:
            return bool(client.recv(100))
        except BlockingIOError:
            return False

    def test_noDescriptors(self) -> None:
        """
        A manager without descriptors accepts nothing for a while.
        """
        self.begin()
        listener = self.main._listeners[0]
        sock, listener._queue = listener._queue, mock.Mock(wraps=listener._queue)
        listener._queue.accept.side_effect = OSError(errno.EMFILE, "none left")
        for each in self.groups[1:]:
            each.clone._watch.stop()  # type: ignore[union-attr]
        client = self.connect()
        self.reactor.turn(5)
        listener._queue = sock
        self.pass_(PAUSE / 2)
        self.assertFalse(self.has(client))
        self.pass_(PAUSE)
        self.assertIn(self.answer(client), {b"1", b"2"})


class HangingTests(PassingTestCase):
    def hang(self, group: CloneGroup) -> Any:
        """
        Let a clone read nothing more.
        """
        assert group.clone is not None
        link = group.clone._link
        self.reactor.removeReader(link)
        return link

    def test_late(self) -> None:
        """
        Connections that a clone does not take in time go to another one, and are not
        served twice when the clone goes on.
        """
        self.begin()
        link = self.hang(self.groups[1])
        addresses = self.clientsOf(b"1", 3)
        clients = [self.connectFrom(each) for each in addresses]
        self.reactor.turn(5)
        began = self.reactor.now
        self.assertEqual([self.answer(each) for each in clients], [b"2"] * 3)
        self.assertLess(self.reactor.now - began, 0.08)
        self.assertFalse(self.pool.getHost("clone0").ready)
        self.reactor.addReader(link)
        self.until(lambda: self.pool.getHost("clone0").ready)
        self.assertEqual(len(self.groups[1]._listeners[0].connections), 0)
        self.assertEqual(self.answer(self.connectFrom(addresses[0])), b"1")
        clients[0].send(b"on")
        self.assertEqual(self.answer(clients[0]), b"on")

    def test_dead(self) -> None:
        """
        A clone dies with connections that it has not read: another one gets them.
        """
        self.begin()
        group = self.groups[1]
        link = self.hang(group)
        clients = [self.connectFrom(each) for each in self.clientsOf(b"1", 3)]
        self.reactor.turn(5)
        self.starts = False
        assert group.clone is not None
        group.clone.whenLost = lambda: None
        link.close()
        self.assertEqual([self.answer(each) for each in clients], [b"2"] * 3)
        self.assertEqual(self.passing.waits, 0)

    def test_managerDead(self) -> None:
        """
        The manager dies, and a clone has unread connections from it: it serves them.
        """
        self.begin()
        self.hang(self.groups[1])
        clients = [self.connectFrom(each) for each in self.clientsOf(b"1", 3)]
        self.reactor.turn(5)
        manager = self.main.manager
        assert manager is not None
        manager.stop()
        manager.close()
        self.main.manager = None
        assert self.groups[1].clone is not None
        self.reactor.addReader(self.groups[1].clone._link)
        self.assertEqual([self.answer(each) for each in clients], [b"1"] * 3)

    def test_bound(self) -> None:
        """
        A clone has a bounded number of unread connections; more wait in the queue.
        """
        self.begin()
        self.hang(self.groups[1])
        [address] = self.clientsOf(b"1", 1)
        clients = [self.connectFrom(address) for _ in range(MOST_UNREAD + 5)]
        self.reactor.turn(10)
        record = self.main.manager.clones[0]  # type: ignore[union-attr]
        self.assertEqual(len(record.accounts[0].passed), MOST_UNREAD)
        self.assertEqual(self.main._listeners[0].queued, 5)
        self.assertEqual({self.answer(each) for each in clients}, {b"2"})


class PlayedTests(PassingTestCase):
    """
    A clone that a test plays.
    """

    def setUp(self) -> None:
        super().setUp()
        self.starts = False
        self.main = self.group()
        self.until(lambda: len(self.spawned) == 2)
        self.tokens: dict[socket.socket, int] = {}

    def say(self, sock: socket.socket, *messages: Message) -> None:
        for message in messages:
            sock.send(encodeGrants(message))
        self.reactor.turn(5)

    def heard(self, sock: socket.socket) -> tuple[Message, list[int]]:
        data, ancillary, _, _ = sock.recvmsg(40_000, socket.CMSG_SPACE(1024))
        found = array.array("i")
        for _, _, raw in ancillary:
            found.frombytes(raw)
        return decodeGrants(data), list(found)

    def play(self, slot: int) -> socket.socket:
        assert self.main._rendezvous is not None
        sock = self.main._rendezvous.connect()
        self.addCleanup(sock.close)
        self.reactor.turn(3)
        self.say(sock, Hello(1, slot, 0, listeners=(NAME,), active=(0,)))
        _, [token] = self.heard(sock)
        self.addCleanup(os.close, token)
        self.tokens[sock] = token
        return sock

    def test_couldNotRead(self) -> None:
        """
        A connection that a clone could not receive goes to another clone, and the clone
        gets no more until it reports.
        """
        poor, other = self.play(0), self.play(1)
        client = self.connectFrom(self.clientsOf(b"1", 1)[0])
        self.reactor.turn(5)
        _, [descriptor] = self.heard(poor)
        os.close(descriptor)
        os.eventfd_read(self.tokens[poor])
        self.say(poor, Back(0, 0))
        self.assertFalse(self.pool.getHost("clone0").ready)
        _, [descriptor] = self.heard(other)
        with socket.socket(fileno=descriptor) as served:
            self.assertEqual(served.getpeername(), client.getsockname())
        self.say(poor, Status(0, 1, 0))
        self.assertTrue(self.pool.getHost("clone0").ready)

    def test_whileDraining(self) -> None:
        """
        A clone that is about to end gives a connection back.
        """
        poor, other = self.play(0), self.play(1)
        self.connectFrom(self.clientsOf(b"1", 1)[0])
        self.reactor.turn(5)
        _, [descriptor] = self.heard(poor)
        os.close(descriptor)
        os.eventfd_read(self.tokens[poor])
        self.say(poor, Bye(), Back(0, 0), Back(0, 17), Back(9, 0))
        _, [descriptor] = self.heard(other)
        os.close(descriptor)

    def test_unsendable(self) -> None:
        """
        A connection that can't be sent to a clone goes to another one.
        """
        self.play(0)
        other = self.play(1)
        record = self.main.manager.clones[0]  # type: ignore[union-attr]
        with mock.patch.object(record.link, "send", return_value=False):
            self.connectFrom(self.clientsOf(b"1", 1)[0])
            self.reactor.turn(10)
        _, [descriptor] = self.heard(other)
        os.close(descriptor)
        self.assertFalse(self.pool.getHost("clone0").ready)

    def test_stopped(self) -> None:
        """
        A manager that ends closes what has come back and has no clone.
        """
        poor = self.play(0)
        client = self.connect()
        self.reactor.turn(5)
        _, [descriptor] = self.heard(poor)
        os.close(descriptor)
        poor.close()
        self.reactor.turn(5)
        self.assertEqual(self.passing.waits, 1)
        self.main.stop()
        self.assertEqual(self.answer(client), b"")


class FedTests(SynchronousTestCase):
    """
    Connections that a balancer has accepted.
    """

    def setUp(self) -> None:
        self.listener = mock.Mock(isPassed=True)
        self.passing = Passing(0, self.listener, lambda _: True)

    def client(self, first: bytes = b"") -> PassedClient:
        return PassedClient(-1, ("192.0.2.1", 1), ("192.0.2.1", 1), first=first)

    def test_order(self) -> None:
        """
        They come in their order, and none from the accept queue.
        """
        clients = [self.client() for _ in range(3)]
        for each in clients:
            self.assertTrue(self.passing.add(each))
        self.assertEqual(self.passing.waits, 3)
        self.assertIs(self.passing.next(), clients[0])
        self.passing.putBack(clients[0])
        self.assertEqual(self.passing.takeAll(), clients)
        self.assertIsNone(self.passing.next())
        self.listener.take.assert_not_called()

    def test_bounds(self) -> None:
        """
        Too many of them, and one of which too much was read, stay the balancer's.
        """
        self.assertFalse(self.passing.add(self.client(bytes(MAX_FIRST + 1))))
        for _ in range(MOST_WAITING):
            self.assertTrue(self.passing.add(self.client(bytes(9))))
        self.assertFalse(self.passing.add(self.client()))
        self.passing.takeAll()
