"""
Cloned applications whose clones accept by themselves, as processes.
"""

from __future__ import annotations

import os
import signal
from types import MappingProxyType

from tests.integration.cloned import CloningTestCase
from tests.integration.programs import waitUntil
from tests.integration.support import Load, connect, request

#: A Python that has no epoll, as on systems other than Linux.
NO_EPOLL = """
import select
del select.epoll
"""


class SharingTestCase(CloningTestCase):
    def ask(self) -> bytes:
        """
        Ask for the page.

        @return: the name of the clone.
        """
        return request(connect(self.port)).rpartition(b"\n")[2].split()[1]

    def takesOver(self) -> None:
        """
        The manager is killed, and no client notices; a rolling restart works afterwards.
        """
        with Load(lambda: self.port, 2) as load:
            waitUntil(lambda: load.done > 20)
            killed = self.manager()
            os.kill(killed, signal.SIGKILL)
            waitUntil(lambda: self.manager() != killed)
            waitUntil(self.settled)
            done = load.done
            waitUntil(lambda: load.done > done + 20)
        self.assertEqual((load.refused, load.failures), (0, []))
        self.application("second")
        os.kill(self.manager(), signal.SIGHUP)
        waitUntil(lambda: "generation 1 serves" in self.program.output)
        waitUntil(lambda: b"second" in request(connect(self.port)))


class ReusePortTests(SharingTestCase):
    more = MappingProxyType({"sharing": "reuseport"})

    def test_life(self) -> None:
        """
        Each clone has a queue of its own.
        """
        self.begin()
        self.assertIn("each clone has an accept queue of its own", self.program.output)
        waitUntil(lambda: self.ask() == b"clone0")
        waitUntil(lambda: self.ask() == b"clone1")
        self.takesOver()


class NoEpollTests(SharingTestCase):
    def test_life(self) -> None:
        """
        Without epoll the clones share the accept queue.
        """
        self.write("sitecustomize.py", NO_EPOLL)
        path = os.environ.get("PYTHONPATH", "")
        self.environment = MappingProxyType({"PYTHONPATH": f"{self.folder}:{path}"})
        self.begin()
        self.assertIn("share the accept queue, as this Python has no epoll", self.program.output)
        self.assertIn("reactor class: twisted.internet.pollreactor", self.program.output)
        self.assertIn(self.ask(), {b"clone0", b"clone1"})
        self.takesOver()
