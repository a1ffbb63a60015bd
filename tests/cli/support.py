"""
What the tests of the command line have in common.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.targets import FakeBalancer
from tests.fired import fired
from txlb.admin._access import FULL, Caller
from txlb.admin._arguments import readArguments
from txlb.admin._commands import findCommand
from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.admin.control._answers import Answer
from txlb.cli import main
from txlb.errors import TxlbError
from txlb.wire import BoxReader, encodeBox

Box = dict[str, str]


class CommandTests(SynchronousTestCase):
    """
    What is said where, and the exit status.
    """

    def setUp(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        return status, self.out.getvalue(), self.err.getvalue()

    def exits(self, *arguments: str) -> object:
        return self.assertRaises(SystemExit, main, arguments).code

    def file(self, data: bytes) -> str:
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(data)
        return path


class Door:
    """
    A control socket with a thread behind it, which answers one request after the
    other with whatever a function returns; L{None} closes the connection, and bytes
    go out as they are.

    @ivar asked: the requests that have come.
    """

    def __init__(self, path: str, answer: Callable[[Box], Box | bytes | None]) -> None:
        self._answer = answer
        self.asked: list[Box] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(8)
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """
        Listen no more, and drop whoever is there.
        """
        for sock in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            with contextlib.suppress(OSError):
                self._talk(client)
            client.close()

    def _talk(self, client: socket.socket) -> None:
        reader = BoxReader()
        while data := client.recv(65_536):
            for box in reader.feed(data):
                self.asked.append(box)
                answer = self._answer(box)
                if answer is None:
                    return
                client.sendall(answer if isinstance(answer, bytes) else encodeBox(answer))


class BalancerTests(CommandTests):
    """
    The same, with a balancer to ask that does what the list of commands says.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(FilePath(self.folder).remove)
        self.path = os.path.join(self.folder, "control")
        self.balancer = FakeBalancer()
        history = History(now=lambda: 1_000_000.0)
        self.balancer.manager.subscribe(history)
        self.target = Target(self.balancer, None, history)
        self.left: Answer | None = None
        self.doors: list[Door] = []
        self.addCleanup(self.closeDoors)
        self.patch(os, "environ", {**os.environ, "TXLB_SOCKET": self.path})

    def open(self, answer: Callable[[Box], Box | bytes | None] | None = None) -> Door:
        """
        Let the balancer answer.
        """
        door = Door(self.path, answer or self.answer)
        self.doors.append(door)
        return door

    def closeDoors(self) -> None:
        for door in self.doors:
            door.close()

    def answer(self, box: Box) -> Box | bytes | None:
        values = {key: value for key, value in box.items() if not key.startswith("_")}
        word = box["_command"]
        try:
            if word == "GetClientAddress":
                found = self.balancer.getClientAddress(
                    values["host"],
                    int(values["port"]),
                    values.get("serverHost"),
                    int(values["serverPort"]) if "serverPort" in values else None,
                )
                return {"_answer": "1", "host": found[0], "port": str(found[1])}
            if word != "More":
                command = findCommand(word)
                caller = Caller("uid:7", FULL)
                rows = command(self.target, caller, readArguments(command.arguments, values, word))
                # None of them waits here.
                self.left = Answer(fired(rows) if isinstance(rows, Deferred) else rows)
            assert self.left is not None
            while self.left.goOn():
                pass
            text, more = self.left.page()
        except TxlbError as error:
            return {"_error": "1", "_error_code": "REFUSED", "_error_description": str(error)}
        return {"_answer": "1", "rows": text, "more": str(more)}
