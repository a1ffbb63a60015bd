"""
Tests for L{txlb.admin.login.ldap._servers}, without servers; C{integration/test_ldap.py} has them.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import clockAndDeadlines
from txlb.admin.login._means import Means
from txlb.admin.login._unreached import HOLD
from txlb.admin.login.ldap._errors import ServerError
from txlb.admin.login.ldap._servers import MAX_CONNECTIONS, MAX_WAITING, Servers

URLS = ("ldaps://one.example", "ldaps://two.example")


async def talk(conversation: Any) -> str:
    """
    Say which connection it was.
    """
    return str(conversation)


class FakeConversation:
    """
    A connection to a server.
    """

    usable = True

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        return self.url

    def abort(self, why: str) -> None:
        self.usable = False


class ServersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, deadlines = clockAndDeadlines()
        self.means = Means(maybeDeferred, self.clock, deadlines)
        self.servers = Servers(URLS, 5.0, None, self.means)
        # The tries to connect, which wait for the test.
        self.tries: list[tuple[str, Deferred[Any]]] = []
        self.patch(self.servers, "_connect", self.connect)

    async def connect(self, url: str) -> Any:
        tried: Deferred[Any] = Deferred()
        self.tries.append((url, tried))
        return await tried

    def ask(self) -> Deferred[str]:
        return Deferred.fromCoroutine(self.servers.ask(talk))

    def refuse(self, *urls: str) -> None:
        """
        Let the next tries fail, which are of these servers.
        """
        for url in urls:
            tried, waiting = self.tries.pop(0)
            self.assertEqual(tried, url)
            waiting.errback(ServerError("it can't be reached"))

    def fault(self, asked: Deferred[str]) -> str:
        return str(self.failureResultOf(asked, ServerError).value)

    def test_unreached(self) -> None:
        """
        A server that can't be reached is not tried again for a time, and the next one is.
        """
        first = self.ask()
        self.refuse(*URLS)
        both = f"{URLS[0]}: it can't be reached; {URLS[1]}: it can't be reached"
        self.assertEqual(self.fault(first), both)
        self.assertEqual(self.fault(self.ask()), both)
        self.assertEqual(self.tries, [])
        self.clock.advance(HOLD + 0.01)
        second = self.ask()
        self.refuse(URLS[0])
        third = self.ask()
        # The first server is held; the second is tried for both.
        self.assertEqual([url for url, _ in self.tries], [URLS[1]] * 2)
        for url, tried in self.tries:
            tried.callback(FakeConversation(url))
        for asked in (second, third):
            self.assertEqual(self.successResultOf(asked), URLS[1])

    def test_crowd(self) -> None:
        """
        Hundreds that wait for a connection fail one after the other, and each of them in a turn
        of its own.
        """
        all_ = [self.ask() for _ in range(MAX_CONNECTIONS + MAX_WAITING)]
        self.assertIn("wait for the directory already", self.fault(self.ask()))
        self.assertEqual(len(self.tries), MAX_CONNECTIONS)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(_depth() + 200)
        try:
            self.refuse(*[URLS[0]] * MAX_CONNECTIONS)
            self.refuse(*[URLS[1]] * MAX_CONNECTIONS)
            for _ in range(2 * len(all_)):
                self.clock.advance(0)
        finally:
            sys.setrecursionlimit(limit)
        for asked in all_:
            self.assertIn("it can't be reached", self.fault(asked))
        # Nothing is in use any more.
        self.clock.advance(HOLD + 0.01)
        asked = self.ask()
        url, tried = self.tries.pop()
        tried.callback(FakeConversation(url))
        self.assertEqual(self.successResultOf(asked), URLS[0])

    def test_inOrder(self) -> None:
        """
        One that comes later does not overtake those that wait.
        """
        first = [self.ask() for _ in range(MAX_CONNECTIONS)]
        waiting = self.ask()
        url, tried = self.tries.pop(0)
        tried.callback(FakeConversation(url))
        self.assertEqual(self.successResultOf(first[0]), URLS[0])
        late = self.ask()
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), URLS[0])
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(late), URLS[0])
        for url, tried in self.tries:
            tried.callback(FakeConversation(url))
        for asked in first[1:]:
            self.successResultOf(asked)

    def test_close(self) -> None:
        """
        If the source is closed, those that wait are told.
        """
        asked = [self.ask() for _ in range(MAX_CONNECTIONS + 2)]
        self.servers.close()
        for each in asked[-2:]:
            self.assertEqual(self.fault(each), "the source was closed")
        self.refuse(*[URLS[0]] * MAX_CONNECTIONS)
        self.refuse(*[URLS[1]] * MAX_CONNECTIONS)
        for each in asked[:-2]:
            self.fault(each)


def _depth() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth
