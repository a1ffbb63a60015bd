"""
Tests for L{txlb.admin.login.radius._checker}, with sockets of the loopback interface that a
test's reactor reads when it is told to; C{integration/test_login_radius.py} has a real server.
"""

from __future__ import annotations

import os
import socket

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import clockAndDeadlines
from txlb.admin.login import Login, PasswordTry, SourceUnavailable
from txlb.admin.login._means import Means
from txlb.admin.login._unreached import HOLD
from txlb.admin.login.radius import RADIUSChecker
from txlb.config import AccessMap, RADIUSSource
from txlb.model import TCPAddress


class UnreachedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, deadlines = clockAndDeadlines()
        self.reactor = MemoryReactorClock()
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        secret = self.mktemp()
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, b"secret")
        os.close(descriptor)
        address = TCPAddress("127.0.0.1", self.server.getsockname()[1])
        settings = RADIUSSource(
            servers=(address,),
            secretFile=secret,
            timeout=1.0,
            retries=1,
            maps=(AccessMap(value="ops", access="operator"),),
        )
        self.checker = RADIUSChecker(
            settings, "radius", Means(maybeDeferred, self.reactor, deadlines)
        )

    def ask(self) -> Deferred[Login]:
        return self.checker.requestAvatarId(PasswordTry(b"anna", b"secret", "192.0.2.1"))

    def fault(self, asked: Deferred[Login]) -> str:
        return str(self.failureResultOf(asked, SourceUnavailable).value)

    def read(self) -> None:
        """
        Let the request that is under way look at its socket.
        """
        (reader,) = self.reactor.getReaders()
        reader.doRead()

    def test_dead(self) -> None:
        """
        A server where nothing listens is not asked again for a time.
        """
        self.server.close()
        asked = self.ask()
        self.read()
        self.assertIn("nothing listens there", self.fault(asked))
        self.assertIn("nothing listens there", self.fault(self.ask()))
        self.assertEqual(self.reactor.getReaders(), [])
        self.clock.advance(HOLD + 0.01)
        asked = self.ask()
        self.assertNoResult(asked)
        self.read()
        self.fault(asked)

    def test_silent(self) -> None:
        """
        A server may be silent about one user only, so it is asked about the next one.
        """
        asked = self.ask()
        for wait in (1, 2):
            self.clock.advance(wait)
        self.assertIn("no answer", self.fault(asked))
        asked = self.ask()
        self.assertNoResult(asked)
        self.checker.close()
        self.fault(asked)
