"""
Tests for L{txlb.admin.control._door}; L{tests.cloning.test_controlsocket} has those with an
application.
"""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace

from twisted.internet.error import ConnectionDone
from twisted.plugin import getPlugins
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.admin.control.test_protocol import Wire, request
from tests.admin.targets import FakeClones
from tests.proxy.fakes import ReactorCase
from txlb.admin.control import ClonesDoor, _clients, _door
from txlb.admin.control._door import PATIENCE
from txlb.admin.control._protocol import ControlProtocol
from txlb.interfaces import IControlClients, IControlDoor


class DoorTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(_door, "time", SimpleNamespace(monotonic=self.reactor.seconds))
        self.clones = FakeClones()
        self.clones.manager.drain("clones", "tcp-8080", "clone0")
        self.clones.past = [(1000.0, each) for each in self.clones.manager.events]
        self.door = ClonesDoor(self.clones, self.reactor)
        verifyObject(IControlClients, self.door)

    def test_plugin(self) -> None:
        """
        It is what Twisted finds.
        """
        [door] = getPlugins(IControlDoor)
        verifyObject(IControlDoor, door)
        self.assertIsInstance(door.open(self.clones, self.reactor), ClonesDoor)

    def test_history(self) -> None:
        """
        The history begins with what was before it.
        """
        before = len(self.clones.past)
        self.assertTrue(before)
        self.clones.manager.ready("clones", "tcp-8080", "clone0")
        events = self.door.history.since(0)
        self.assertGreater(len(events), before)
        self.assertEqual({when for _, when, _ in events[:before]}, {1000.0})

    def test_stranger(self) -> None:
        """
        Another user's process is sent away.
        """
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.patch(os, "geteuid", lambda: 12345)
        self.patch(_clients, "peerUser", lambda _: 54321)
        self.door.accepted(near.detach())
        self.assertEqual(far.recv(1), b"")
        self.assertEqual(self.reactor.adopted, [])

    def test_close(self) -> None:
        """
        It ends at once if there are no clients.
        """
        self.successResultOf(self.door.close())
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.door.accepted(near.detach())
        self.assertEqual(far.recv(1), b"")

    def client(self) -> tuple[ControlProtocol, Wire]:
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.door.accepted(near.detach())
        (_, _, factory) = self.reactor.adopted[-1]
        protocol: ControlProtocol = factory.buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        return protocol, wire

    def test_answered(self) -> None:
        """
        Requests under way are answered, and connections end after that.
        """
        asks, wire = self.client()
        _, idle = self.client()
        asks.dataReceived(request("Roll") + request("Status"))
        [(_, done)] = self.clones.calls
        self.reactor.pump([0.01] * 20)
        wire.clear()
        done.callback(7)
        closed = self.door.close()
        self.assertTrue(idle.disconnecting)
        self.assertIsNone(idle.producer)
        self.reactor.pump([0.01] * 20)
        self.assertIn(b"generation 7 serves", wire.value())
        self.assertTrue(wire.disconnecting)
        self.assertFalse(wire.aborted)
        self.assertNoResult(closed)
        for protocol in tuple(self.door._clients._clients):
            protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_givenUp(self) -> None:
        """
        A request that waits for something is given up.
        """
        asks, wire = self.client()
        asks.dataReceived(request("Upgrade"))
        self.reactor.pump([0.01] * 20)
        self.door.close()
        self.assertIn(b"the client is gone", wire.value())
        self.assertTrue(wire.disconnecting)

    def test_patience(self) -> None:
        """
        A client that does not read its answer is dropped after a while.
        """
        protocol, wire = self.client()
        wire.full = True
        protocol.dataReceived(request("Status"))
        protocol.pauseProducing()
        protocol.dataReceived(request("Status"))
        self.door.close()
        self.reactor.advance(PATIENCE - 0.1)
        self.assertFalse(wire.aborted)
        self.reactor.pump([0.1] * 3)
        self.assertTrue(wire.aborted)
