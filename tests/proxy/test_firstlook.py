"""
Tests for L{txlb.proxy._firstlook}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.wire.hellos import hello
from txlb.interfaces import IPreface
from txlb.model import Listener
from txlb.proxy import ClientConnection
from txlb.proxy._entrance import Entrance
from txlb.proxy._firstlook import FIRST, FirstLook
from txlb.wire import Done, NeedMore, Reject

HELLO = hello("a.example")


class FirstLookTests(SynchronousTestCase):
    def setUp(self) -> None:
        listener = Listener("127.0.0.1:443", serverNames="a.example", prefaceTimeout=3)
        self.client = ClientConnection(-1, ("192.0.2.1", 4711), listener)
        self.entrance = Entrance({"web": listener})
        self.made: list[IPreface] = []
        make = self.entrance.preface

        def preface(client: ClientConnection) -> IPreface:
            self.made.append(make(client))
            return self.made[-1]

        self.patch(self.entrance, "preface", preface)
        self.look = FirstLook(self.entrance, self.client)

    def test_whole(self) -> None:
        """
        Bytes that are the whole preface need no reader.
        """
        self.assertEqual((self.look.timeout, self.look.maxBytes), (3.0, FIRST))
        done = self.look.feed(HELLO)
        assert isinstance(done, Done)
        self.assertEqual((done.serverName, done.leftover), ("a.example", HELLO))
        self.assertEqual(self.made, [])

    def test_pieces(self) -> None:
        """
        A reader takes pieces, and has the bound from then on.
        """
        self.assertIsInstance(self.look.feed(HELLO[:20]), NeedMore)
        self.assertEqual(self.look.maxBytes, self.made[0].maxBytes)
        self.assertLess(self.look.maxBytes, FIRST)
        done = self.look.feed(HELLO[20:])
        assert isinstance(done, Done)
        self.assertEqual(done.serverName, "a.example")
        self.assertEqual(len(self.made), 1)

    def test_garbage(self) -> None:
        self.assertIsInstance(self.look.feed(b"GET / HTTP/1.1"), Reject)

    def test_silent(self) -> None:
        """
        The reader decides about a client that sends nothing.
        """
        answer = self.look.end("it is late")
        self.assertIsInstance(answer, Reject)
        self.assertEqual(len(self.made), 1)
