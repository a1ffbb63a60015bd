"""
Tests for L{txlb.cloning._link}, on sockets.
"""

from __future__ import annotations

import array
import os
import socket
import subprocess
import sys
from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.reactors import TurnedEPoll
from txlb.cloning._link import Link, closeAll
from txlb.wire import Bye, Drain, Grant, GrantsError, Message, Passed, Ping, Refused, encodeGrants

#: Connects to a path, sends a message, forks a child that keeps the connection open, and
#: ends. The child ends when its standard input does.
FORKING = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.send(b"B")
if os.fork():
    os._exit(0)
sys.stdin.read()
"""


class LinkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = TurnedEPoll()
        self.addCleanup(self.reactor.close)
        self.received: list[Message] = []
        self.descriptors: list[int] = []
        self.lost = 0
        self.addCleanup(lambda: closeAll(self.descriptors))

    def pair(self) -> tuple[Link, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(theirs.close)
        theirs.settimeout(5)
        link = Link(ours, self.reactor)
        self.addCleanup(link.close)
        return link, theirs

    def start(self, link: Link) -> None:
        link.start(self.receive, self.lose)

    def receive(self, message: Message, descriptors: list[int]) -> None:
        self.received.append(message)
        self.descriptors += descriptors

    def lose(self) -> None:
        self.lost += 1

    def test_thereAndBack(self) -> None:
        link, theirs = self.pair()
        self.assertEqual((link.pid, link.uid), (os.getpid(), os.geteuid()))
        self.start(link)
        self.assertTrue(link.send(Grant(0, 3)))
        self.assertEqual(theirs.recv(100), b"G\x00\x00\x03")
        theirs.send(b"D")
        theirs.send(b"P" + bytes(7) + b"\x05")
        self.reactor.turnUntil(lambda: len(self.received) == 2)
        self.assertEqual(self.received, [Drain(), Ping(5)])

    def test_descriptors(self) -> None:
        link, theirs = self.pair()
        other = Link(theirs.dup(), self.reactor)
        self.addCleanup(other.close)
        self.start(link)
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.assertTrue(other.send(Bye(), (writing,)))
        os.close(writing)
        self.reactor.turnUntil(lambda: bool(self.received))
        [descriptor] = self.descriptors
        self.assertFalse(os.get_inheritable(descriptor))
        os.write(descriptor, b"through")
        self.assertEqual(os.read(reading, 100), b"through")

    def test_ended(self) -> None:
        """
        The end of the other process is told once.
        """
        link, theirs = self.pair()
        self.start(link)
        theirs.close()
        self.reactor.turnUntil(lambda: bool(self.lost))
        self.reactor.turn(3)
        self.assertEqual(self.lost, 1)
        self.assertFalse(link.isOpen)
        self.assertFalse(link.send(Bye()))

    def test_endedWithChild(self) -> None:
        """
        The end of the other process is seen although a child of it keeps the connection
        open.
        """
        path = os.path.relpath(self.mktemp())
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen()
        child = subprocess.Popen(
            [sys.executable, "-c", FORKING, os.path.abspath(path)], stdin=subprocess.PIPE
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.communicate)
        link = Link(listener.accept()[0], self.reactor)
        self.addCleanup(link.close)
        self.start(link)
        self.reactor.turnUntil(lambda: bool(self.lost))
        self.assertEqual((self.lost, self.received), (1, [Bye()]))

    def test_nonsense(self) -> None:
        """
        A process that talks nonsense is let go, and what it passes is closed.
        """
        link, theirs = self.pair()
        self.start(link)
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        rights = array.array("i", [writing])
        theirs.sendmsg([b"nonsense"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        os.close(writing)
        self.reactor.turnUntil(lambda: bool(self.lost))
        self.assertEqual((self.lost, self.received), (1, []))
        self.assertEqual(os.read(reading, 1), b"")

    def test_tooLong(self) -> None:
        link, theirs = self.pair()
        self.start(link)
        theirs.send(b"R" + b" " * 40_000)
        self.reactor.turnUntil(lambda: bool(self.lost))
        self.assertEqual((self.lost, self.received), (1, []))

    def test_full(self) -> None:
        """
        A process that reads nothing does not hold this one.
        """
        link, theirs = self.pair()
        self.start(link)
        sent = 0
        while link.send(Refused("x" * 10_000)):
            sent += 1
            self.assertLess(sent, 1000)
        self.assertGreater(sent, 1)
        self.assertTrue(link.isOpen)
        theirs.recv(100)

    def test_receive(self) -> None:
        """
        One message is waited for, before the reactor runs, for so long.
        """
        link, theirs = self.pair()
        theirs.send(b"Q")
        self.assertEqual(str(link.receive(5)[0]), "Quit()")
        self.assertRaises(TimeoutError, link.receive, 0.01)
        theirs.send(b"?")
        self.assertRaises(GrantsError, link.receive, 5)
        theirs.close()
        self.assertRaises(ConnectionResetError, link.receive, 5)

    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of its descriptors change nothing.
        """
        link, theirs = self.pair()
        self.start(link)
        link.doWrite()
        self.reactor.removeReader(link)
        link.connectionLost(Failure(ConnectionLost()))
        theirs.send(b"D")
        self.reactor.turnUntil(lambda: bool(self.received))
        death = link._death
        assert death is not None
        death.doWrite()
        self.reactor.removeReader(death)
        death.connectionLost(Failure(ConnectionLost()))
        self.assertIn(death, self.reactor.getReaders())
        link.close()
        death.connectionLost(Failure(ConnectionLost()))
        link.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(set(self.reactor.getReaders()), self.reactor._internalReaders)

    def test_notStarted(self) -> None:
        """
        What comes before it was started is read after that; nothing is called before.
        """
        link, theirs = self.pair()
        theirs.send(b"D")
        self.reactor.turn(2)
        self.assertEqual(self.received, [])
        self.start(link)
        self.reactor.turnUntil(lambda: bool(self.received))

    def test_otherEnd(self) -> None:
        """
        What is called if the other process goes may change.
        """
        link, theirs = self.pair()
        self.start(link)
        others: list[bool] = []
        link.whenLost(lambda: others.append(True))
        theirs.close()
        self.reactor.turnUntil(lambda: bool(others))
        self.assertEqual((self.lost, others), (0, [True]))

    def test_noRoomForDescriptors(self) -> None:
        """
        If this process has no room for the descriptor of a passed connection, the message
        comes without it. Other messages are of no use without theirs.
        """
        link, _ = self.pair()
        self.start(link)
        sock = link._sock
        faked: Any = mock.Mock(wraps=sock)
        link._sock = faked
        faked.recvmsg.side_effect = [
            (encodeGrants(Passed(3)), [], socket.MSG_CTRUNC, None),
            BlockingIOError(),
        ]
        link.doRead()
        self.assertEqual((self.received, self.descriptors), ([Passed(3)], []))
        faked.recvmsg.side_effect = [(encodeGrants(Bye()), [], socket.MSG_CTRUNC, None)]
        link.doRead()
        self.assertEqual((self.received, self.lost), ([Passed(3)], 1))

    def test_readToTheEnd(self) -> None:
        """
        What the other process sent before it ended is read, though it has left a message
        unread, for which the system reports an error first.
        """
        link, theirs = self.pair()
        self.start(link)
        link.send(Bye())
        theirs.send(encodeGrants(Ping(1)))
        theirs.send(encodeGrants(Ping(2)))
        theirs.close()
        self.reactor.turn(3)
        self.assertEqual((self.received, self.lost), ([Ping(1), Ping(2)], 1))
