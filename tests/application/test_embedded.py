"""
Tests for L{txlb.application._embedded}. C{integration/test_upgrade_applications.py} has upgrades of
real applications.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from benchmarks.ports import ports
from tests.application.balancers import ServiceCase
from tests.proxy.fakes import logOf
from txlb.application import NoUpgrades
from txlb.application._embedded import EmbeddedUpgrading
from txlb.errors import ConfigurationConflict, TxlbError
from txlb.model import ProxyHost
from txlb.upgrade import ENVIRONMENT


class FakeSuccessor:
    """
    Stands for the part that talks with the process before.
    """

    def __init__(self, changes: dict[str, object]) -> None:
        self.changes = changes
        self.declined: list[str] = []

    def decline(self, reason: str) -> None:
        """
        Remember the reason.
        """
        self.declined.append(reason)


@implementer(IListeningPort)
class FakePort:
    def fileno(self) -> int:
        """
        Return a number that no file has.
        """
        return 999_999

    def getHost(self) -> Any:
        """
        Return an address of a UNIX socket.
        """

        class Host:
            name = "/run/app"

        return Host()

    def startListening(self) -> None: ...

    def stopListening(self) -> None: ...


class EmbeddedTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(signal, "getsignal", lambda _: signal.SIG_IGN)
        self.balancer(f"127.0.0.1:{ports.take()}")
        self.embedded = self.made()
        self.patch(self.reactor, "getReaders", lambda: self.readers)
        self.readers: list[Any] = []

    def made(self) -> EmbeddedUpgrading:
        return EmbeddedUpgrading(self.lbs, self.reactor)

    def begin(self, embedded: EmbeddedUpgrading) -> None:
        embedded.start(lambda: None)
        self.addCleanup(embedded.stop)

    def reason(self) -> str:
        """
        Return the reason for which there is no upgrade.
        """
        error = self.assertRaises(TxlbError, self.embedded.check)
        failure = self.failureResultOf(self.embedded.upgrade())
        self.assertEqual(failure.getErrorMessage(), str(error))
        return str(error)

    def test_whyNot(self) -> None:
        """
        Each reason why there is no upgrade has its sentence.
        """
        self.assertIn("does not run", self.reason())
        self.start()
        self.begin(self.embedded)
        self.assertEqual(len(self.embedded.check().listeners), 1)
        self.readers.append(FakePort())
        self.assertIn("itself listens on /run/app", self.reason())
        self.readers.clear()
        other = self.made()
        other.start(lambda: None)
        self.assertIn("2 balancers run in this process", self.reason())
        other.stop()
        self.assertEqual(self.embedded.check().moves, 0)

    def test_changes(self) -> None:
        """
        What was changed live comes to the successor, whose application may be another one.
        """
        self.assertEqual(self.successResultOf(self.embedded.handedChanges()), {})
        self.manager.setWeight("web", "main", "h0", 7)
        changes = self.successResultOf(self.embedded.handedChanges())
        self.manager.setWeight("web", "main", "h0", 1)
        self.manager.addHost("web", "main", "new", "127.0.0.1:7002")
        following = self.made()
        self.patch(following, "_successor", FakeSuccessor(dict(changes)))
        following.takeChanges()
        hosts = self.manager.getGroup("web", "main").hosts
        self.assertEqual([(host.name, host.weight) for host in hosts], [("h0", 7), ("new", 1)])
        # Once is enough.
        self.manager.setWeight("web", "main", "h0", 3)
        following.takeChanges()
        self.assertEqual(self.manager.getHost("web", "main", "h0").weight, 3)

    def test_conflict(self) -> None:
        self.manager.setWeight("web", "main", "h0", 7)
        changes = self.successResultOf(self.embedded.handedChanges())
        self.manager.setWeight("web", "main", "h0", 5)
        following = self.made()
        self.patch(following, "_successor", FakeSuccessor(dict(changes)))
        error = self.assertRaises(ConfigurationConflict, following.takeChanges)
        self.assertIn("the application", str(error))

    def test_unsayable(self) -> None:
        """
        If the application has what no file can say, live changes can't be handed over.
        """
        self.lbs.setCheck("web", "main", lambda _target: True)
        embedded = self.made()
        self.assertEqual(self.successResultOf(embedded.handedChanges()), {})
        self.manager.setWeight("web", "main", "h0", 7)
        failure = self.failureResultOf(embedded.handedChanges())
        self.assertIn("what a file can't say", failure.getErrorMessage())

    def test_failure(self) -> None:
        """
        An exception that ends the successor is told to the process before.
        """
        successor = FakeSuccessor({})
        self.patch(self.embedded, "_successor", successor)
        seen: list[object] = []
        self.patch(self.embedded, "_hook", lambda *error: seen.append(error))
        self.embedded._failed(ValueError, ValueError("no port"), None)
        self.embedded._failed(ValueError, ValueError(), None)
        self.assertEqual(successor.declined, ["no port", "ValueError"])
        self.assertEqual(len(seen), 2)

    def test_noSuccessor(self) -> None:
        """
        A process without a predecessor begins as usual.
        """
        self.assertFalse(self.embedded.begin())
        self.embedded.takeChanges()
        self.embedded.decline("nothing")
        self.assertFalse(EmbeddedUpgrading.isSuccessor())
        self.patch(os, "environ", {ENVIRONMENT: "3"})
        self.assertTrue(EmbeddedUpgrading.isSuccessor())
        self.assertFalse(EmbeddedUpgrading.isPossible(MemoryReactorClock()))

    def test_signal(self) -> None:
        """
        SIGUSR2 asks for an upgrade; the log has the reason why there is none.
        """
        events = logOf(self)
        self.embedded._upgradeBySignal()
        texts = [str(event.get("log_format")) for event in events]
        self.assertIn("SIGUSR2: another process is to take over", texts)
        self.assertIn("no upgrade: {problem}", texts)

    def test_pidFile(self) -> None:
        """
        The pid file is written when the process before has ended.
        """
        written: list[str] = []
        self.begin(self.embedded)
        file = self.embedded._pidFile
        self.patch(file, "write", lambda: written.append("written"))
        file.takeOver("/nowhere/pid")
        self.embedded.predecessorGone()
        self.reactor.advance(1.0)
        self.assertEqual(written, [])
        self.patch(self.embedded, "_before", 1 << 30)
        self.reactor.advance(1.0)
        self.assertEqual(written, ["written"])
        file.leave()

    def test_takenOver(self) -> None:
        hook = sys.excepthook
        self.addCleanup(setattr, sys, "excepthook", hook)
        self.patch(self.embedded, "_hook", hook)
        called: list[str] = []
        self.embedded.start(lambda: called.append("served"))
        self.addCleanup(self.embedded.stop)
        self.embedded.takenOver()
        self.assertEqual(called, ["served"])
        self.assertIs(sys.excepthook, hook)

    def test_host(self) -> None:
        """
        Hosts that were added live are handed over.
        """
        self.manager.addHost("web", "main", "more", "127.0.0.1:7005")
        changes = self.successResultOf(self.embedded.handedChanges())
        self.manager.delHost("web", "main", "more")
        following = self.made()
        self.patch(following, "_successor", FakeSuccessor(dict(changes)))
        following.takeChanges()
        [_, more] = self.manager.getGroup("web", "main").hosts
        self.assertEqual(more, ProxyHost("more", "127.0.0.1", 7005))


class NoUpgradesTests(SynchronousTestCase):
    def test_refused(self) -> None:
        refusing = NoUpgrades("start it again")
        self.assertIn("again", str(self.assertRaises(TxlbError, refusing.check)))
        self.assertIn("again", self.failureResultOf(refusing.upgrade()).getErrorMessage())
