"""
Tests for L{txlb.cloning._sharing}, L{txlb.cloning._counting} and L{txlb.cloning._served}: clones
that accept by themselves.
"""

from __future__ import annotations

import select
import socket
import sys
from collections import Counter
from unittest import mock

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.cloning.inside import InsideTestCase
from tests.proxy.fakes import logOf, takesIPv6
from txlb.cloning import CloneGroup, CloningError, _group
from txlb.cloning import _listener as module
from txlb.cloning._listenersettings import ListenerSettings, listenerSettings
from txlb.cloning._ownhosts import SERVICE
from txlb.cloning._sharing import Sharing, sharingNamed, whyNoGrants
from txlb.model import ProxyHost
from txlb.pool import HostPool


class WordTests(SynchronousTestCase):
    def test_named(self) -> None:
        self.assertIs(sharingNamed("queue"), Sharing.QUEUE)
        with self.assertRaisesRegex(CloningError, "sharing is 'no': give one of 'grants', 'queue'"):
            sharingNamed("no")
        with self.assertRaisesRegex(CloningError, "sharing is None"):
            sharingNamed(None)

    def test_nothingToChoose(self) -> None:
        """
        What would have no effect is refused.
        """
        with self.assertRaisesRegex(CloningError, "no scheduler chooses a clone"):
            listenerSettings("roundr", sharing="reuseport")
        with self.assertRaisesRegex(CloningError, "there are hosts beside them"):
            listenerSettings("leastc", hosts=[ProxyHost.at("a", "10.0.0.1:80")], sharing="queue")


class ProbeTests(SynchronousTestCase):
    def test_here(self) -> None:
        self.assertEqual(whyNoGrants(), "")

    def test_notLinux(self) -> None:
        with mock.patch.object(sys, "platform", "freebsd14"):
            self.assertEqual(whyNoGrants(), "grants need Linux, and this system is freebsd14")

    def test_noEpoll(self) -> None:
        with mock.patch.object(select, "epoll", side_effect=OSError(1, "Operation not permitted")):
            self.assertIn("no epoll (Operation not permitted)", whyNoGrants())
        with mock.patch.object(select, "epoll"):
            del select.epoll
            self.assertEqual(whyNoGrants(), "this Python has no epoll")

    def test_noEventfd(self) -> None:
        with mock.patch("os.eventfd"):
            import os  # noqa: PLC0415 - its function is gone for a moment

            del os.eventfd
            self.assertEqual(whyNoGrants(), "this Python has no eventfd")


class SharingTestCase(InsideTestCase):
    sharing = Sharing.QUEUE

    def listenerSettings(self) -> ListenerSettings:
        return ListenerSettings.of(maxConnections=self.maxConnections, sharing=self.sharing)

    def begin(self) -> CloneGroup:
        self.main = manager = self.group()
        self.until(lambda: self.joined(manager, self.processes))
        return manager

    @property
    def pool(self) -> HostPool:
        assert self.main.manager is not None
        return self.main.manager.pools.getPool(SERVICE, self.main._listeners[0].name)

    def closeAll(self, clients: list[socket.socket]) -> None:
        for each in clients:
            each.close()
        self.until(lambda: not self.pool.active)


class QueueTests(SharingTestCase):
    def test_accept(self) -> None:
        """
        All clones accept, none of the connections is the manager's, and the manager counts them.
        """
        self.begin()
        clients = [self.connect() for _ in range(20)]
        counts = Counter(self.answer(each) for each in clients)
        self.assertEqual({*counts}, {b"1", b"2"})
        self.until(lambda: self.pool.active == 20)
        self.closeAll(clients)
        self.assertEqual(sum(host.counters.connections for host in self.pool.hosts), 20)

    def test_drained(self) -> None:
        """
        A clone that an administrator takes out accepts nothing until it is brought back.
        """
        manager = self.begin()
        assert manager.manager is not None
        pools, name = manager.manager.pools, manager._listeners[0].name
        pools.drain(SERVICE, name, "clone0")
        self.pass_(0.6)
        self.assertEqual({self.answer(self.connect()) for _ in range(8)}, {b"2"})
        pools.ready(SERVICE, name, "clone0")
        self.pass_(0.6)
        pools.drain(SERVICE, name, "clone1")
        self.pass_(0.6)
        self.assertEqual({self.answer(self.connect()) for _ in range(8)}, {b"1"})

    def test_managerLost(self) -> None:
        """
        Clients don't notice that the manager is gone, and the next one counts them.
        """
        first = self.begin()
        client = self.connect()
        self.answer(client)
        assert first.manager is not None
        self.starts = False
        first.manager.stop()
        first.manager.close()
        assert first._rendezvous is not None
        first._rendezvous.unlock()
        self.assertIn(self.answer(self.connect()), {b"1", b"2"})

    def test_lost(self) -> None:
        """
        A clone that dies counts nothing any more.
        """
        manager = self.begin()
        self.answer(self.connect())
        self.until(lambda: self.pool.active == 1)
        assert manager.manager is not None
        self.starts = False
        for record in manager.manager.clones:
            manager.manager._lost(record)
        self.assertEqual(self.pool.active, 0)

    def test_log(self) -> None:
        """
        The log says how connections are shared, why, and what that costs.
        """
        log = logOf(self)
        self.begin()
        [line] = [
            str(formatEvent(each)) for each in log if "accept queue" in str(formatEvent(each))
        ]
        self.assertIn("the clones share the accept queue, as sharing is set so", line)
        self.assertIn("a few clones may have most of the connections", line)


class LimitTests(SharingTestCase):
    maxConnections = 3

    def test_limit(self) -> None:
        """
        Clients wait in the queue if all clones have as many connections as they may.
        """
        self.begin()
        clients = [self.connect() for _ in range(7)]
        self.until(lambda: self.pool.active == 6)
        self.pass_(1.0)
        self.assertEqual(self.pool.active, 6)
        self.assertEqual([host.active for host in self.pool.hosts], [3, 3])
        waiting = [each for each in clients if not self.hasCome(each)]
        self.assertEqual(len(waiting), 1)
        next(each for each in clients if each not in waiting).close()
        self.assertIn(self.answer(waiting[0]), {b"1", b"2"})

    def hasCome(self, client: socket.socket) -> bool:
        try:
            return bool(client.recv(1000))
        except BlockingIOError:
            return False


class FallBackTests(SharingTestCase):
    sharing = Sharing.GRANTS

    def test_noGrants(self) -> None:
        """
        Where the manager can't grant, the clones share the queue, and the log says why.
        """
        self.patch(module, "whyNoGrants", lambda: "this Python has no epoll")
        log = logOf(self)
        self.begin()
        self.assertIn(self.answer(self.connect()), {b"1", b"2"})
        [line] = [
            str(formatEvent(each)) for each in log if "accept queue" in str(formatEvent(each))
        ]
        self.assertIn("share the accept queue, as this Python has no epoll", line)


class ReusePortTests(SharingTestCase):
    sharing = Sharing.REUSEPORT

    def setUp(self) -> None:
        # Processes of the application end after the test, and this one is to have no part in it.
        self.status = mock.Mock(failed=False)
        self.patch(_group, "exitStatus", self.status)
        super().setUp()

    def test_accept(self) -> None:
        """
        Each clone has a queue of its own. The manager has none.
        """
        manager = self.begin()
        clients = [self.connect() for _ in range(64)]
        counts = Counter(self.answer(each) for each in clients)
        # Of 64 connections, one queue gets none once in 2**63 runs.
        self.assertEqual({*counts}, {b"1", b"2"})
        self.until(lambda: self.pool.active == 64)
        [listener] = manager._listeners
        self.assertEqual(listener.fileno(), -1)
        self.assertIsNone(listener.take())
        self.closeAll(clients)

    def test_drained(self) -> None:
        """
        A clone that is taken out serves those that wait, and leaves its place to the others.
        """
        manager = self.begin()
        assert manager.manager is not None
        pools, name = manager.manager.pools, manager._listeners[0].name
        waiting = [self.connect() for _ in range(16)]
        pools.drain(SERVICE, name, "clone0")
        self.pass_(0.6)
        self.assertEqual(sum(bool(self.answer(each)) for each in waiting), 16)
        self.assertEqual({self.answer(self.connect()) for _ in range(16)}, {b"2"})

    def test_IPv6(self) -> None:
        if not takesIPv6():
            return
        with socket.socket(socket.AF_INET6) as kept:
            module.reusePort(kept)
            kept.bind(("::1", 0))
            with module.sameAddress(kept) as one, module.sameAddress(kept) as other:
                self.assertEqual(one.getsockname(), kept.getsockname())
                self.assertEqual(other.getsockname(), kept.getsockname())
                # The one that only keeps the address gets no clients.
                socket.create_connection(one.getsockname()[:2], 5).close()

    def test_noRight(self) -> None:
        """
        A clone that can't listen there ends, and tells why.
        """
        log = logOf(self)
        with mock.patch.object(module, "sameAddress", side_effect=OSError(13, "Permission denied")):
            self.group()
            self.until(lambda: self.reactor.stopped > 0)
        self.assertTrue(self.status.failed)
        lines = [str(formatEvent(each)) for each in log]
        self.assertTrue(any("this process ends: " in each for each in lines), lines)
        self.assertTrue(any("Permission denied" in each for each in lines), lines)

    def test_log(self) -> None:
        log = logOf(self)
        self.begin()
        [line] = [
            str(formatEvent(each)) for each in log if "SO_REUSEPORT" in str(formatEvent(each))
        ]
        self.assertIn("one that dies loses those that wait", line)
