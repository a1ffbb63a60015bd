"""
Tests for L{txlb.proxy._listeningsocket}.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import Any

from tests.proxy.fakes import ReactorCase
from txlb.process import EXHAUSTED
from txlb.proxy._listeningsocket import BATCH, EXHAUSTED_PAUSE, ListeningSocket


class ScriptedSocket:
    """
    A listening socket whose accept a test decides on.

    @ivar script: what each accept raises or gives; when it is used up nobody
        waits.
    """

    def __init__(self, script: list[object]) -> None:
        self.script = script
        self.closed = False
        self.accepts = 0

    def _accept(self) -> object:
        self.accepts += 1
        if not self.script:
            raise BlockingIOError(errno.EAGAIN, "nobody")
        answer = self.script.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer, ("192.0.2.1", 1)

    def fileno(self) -> int:
        return 99

    def close(self) -> None:
        self.closed = True


class CountingSocket:
    """
    A real listening socket.

    @ivar accepts: how often a client was asked for.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.fileno = sock.fileno
        self.accepts = 0

    def _accept(self) -> object:
        self.accepts += 1
        return self._sock._accept()  # type: ignore[attr-defined]


class ListeningSocketTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.taken: list[Any] = []
        self.held: list[OSError] = []

    def listening(self, *script: object) -> tuple[ListeningSocket, ScriptedSocket]:
        sock = ScriptedSocket(list(script))
        return self.listeningOn(sock), sock

    def listeningOn(self, sock: Any) -> ListeningSocket:
        """
        Accept the clients of a socket.
        """
        listening = ListeningSocket(
            sock,
            self.reactor,
            self.deadlines,
            lambda client, _: self.taken.append(client),
            self.held.append,
        )
        listening.open()
        return listening

    def test_batch(self) -> None:
        """
        Many clients are taken in one turn, but not so many that others would
        have to wait.
        """
        self.listening(*range(BATCH + 10))
        self.reactor.readable()
        self.assertEqual(self.taken, list(range(BATCH)))
        self.reactor.readable()
        self.assertEqual(self.taken, list(range(BATCH + 10)))

    def test_comeAlone(self) -> None:
        """
        If a client came alone, the socket is not asked for another one. Clients that come
        together are taken in one turn.
        """
        with socket.create_server(("127.0.0.1", 0)) as real, contextlib.ExitStack() as clients:
            real.setblocking(False)
            sock = CountingSocket(real)
            self.listeningOn(sock)
            for count, accepts in ((1, 1), (3, 4), (1, 1)):
                sock.accepts = 0
                for _ in range(count):
                    clients.enter_context(socket.create_connection(real.getsockname()))
                self.reactor.readable()
                self.assertEqual((len(self.taken), sock.accepts), (count, accepts))
                for fd in self.taken:
                    os.close(fd)
                self.taken.clear()

    def test_oneIsGone(self) -> None:
        """
        A client that has gone before it was taken does not stop the others.
        """
        self.listening("a", OSError(errno.ECONNABORTED, "gone"), OSError(errno.EPERM, "no"), "b")
        self.reactor.readable()
        self.assertEqual(self.taken, ["a", "b"])
        self.assertEqual(self.held, [])

    def test_exhausted(self) -> None:
        """
        Where the system has nothing to give, accepting pauses without being
        watched (it would be woken up for nothing all the time), and goes on.
        """
        for number in EXHAUSTED:
            listening, sock = self.listening("a", OSError(number, os.strerror(number)), "b")
            self.taken.clear()
            self.reactor.readable()
            self.assertEqual(self.taken, ["a"])
            self.assertEqual([error.errno for error in self.held], [number])
            self.assertEqual(self.reactor.getReaders(), [])
            self.reactor.advance(EXHAUSTED_PAUSE / 2)
            self.assertEqual(self.reactor.getReaders(), [])
            self.reactor.advance(EXHAUSTED_PAUSE)
            self.reactor.readable()
            self.assertEqual(self.taken, ["a", "b"])
            listening.close()
            self.assertTrue(sock.closed)
            self.held.clear()

    def test_closedInAPause(self) -> None:
        """
        A socket that is closed while it pauses does not open again.
        """
        listening, sock = self.listening(OSError(errno.EMFILE, "many"))
        self.reactor.readable()
        listening.close()
        self.assertTrue(sock.closed)
        self.reactor.advance(1)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(len(self.deadlines), 0)

    def test_rest(self) -> None:
        """
        A socket that rests takes nobody until it is opened again, even if the reactor's turn
        had begun. It can be opened and put to rest twice.
        """
        listening, sock = self.listening("a")
        for each in ("b", "c"):
            listening.open()
            self.reactor.readable()
            sock.script.append(each)
            listening.rest()
            listening.rest()
            self.reactor.readable()
            self.assertEqual(sock.script, [each])
            self.assertEqual(self.reactor.getReaders(), [])
        listening.open()
        self.reactor.readable()
        self.assertEqual(self.taken, ["a", "b", "c"])

    def test_restInAPause(self) -> None:
        """
        The end of a pause for lack of descriptors opens no socket that rests. To open one
        does not cut the pause short.
        """
        listening, _ = self.listening(OSError(errno.EMFILE, "many"), "a")
        self.reactor.readable()
        listening.open()
        self.assertEqual(self.reactor.getReaders(), [])
        listening.rest()
        self.reactor.advance(EXHAUSTED_PAUSE * 2)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(len(self.deadlines), 0)
        listening.open()
        self.reactor.readable()
        self.assertEqual(self.taken, ["a"])

    def test_drain(self) -> None:
        """
        To drain takes everybody, beyond a batch, until nobody waits or the
        system has nothing to give.
        """
        listening, sock = self.listening(*range(BATCH * 3))
        listening.drain()
        self.assertEqual(len(self.taken), BATCH * 3)
        sock.script = ["x", OSError(errno.EMFILE, "many"), "y"]
        listening.drain()
        self.assertEqual(self.taken[-1], "x")
        self.assertEqual(sock.script, ["y"])
