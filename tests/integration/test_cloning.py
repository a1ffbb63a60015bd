"""
Applications that are cloned: processes of twistd, kills, restarts, and clients that are to
notice nothing.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.integration.cloned import CloningTestCase
from tests.integration.programs import Program, environment, waitUntil
from tests.integration.support import (
    TWISTD,
    Downloads,
    Load,
    connect,
    readAll,
    request,
)


class ServingTests(CloningTestCase):
    def test_even(self) -> None:
        """
        Connections go to the clones by turns, and each is one of its clone's own.
        """
        self.begin()
        counts = Counter(self._hold() for _ in range(20))
        self.assertEqual(sorted(counts.values()), [10, 10])
        self.assertEqual({name.split()[1] for name in counts}, {b"clone0", b"clone1"})

    def _hold(self) -> bytes:
        sock = connect(self.port)
        self.addCleanup(sock.close)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while b"clone" not in data or not re.search(rb"clone\d \d+$", data):
            data += sock.recv(1000)
        return data.rpartition(b"\n")[2]

    def test_startedByHand(self) -> None:
        """
        The same file started once more is one more clone; when it is stopped it goes, and
        the others stay.
        """
        self.begin()
        more = Program((*TWISTD, "-n", "-y", self.folder / "app.tac"), self.folder, environment())
        self.addCleanup(more.stop)
        pid = b"%d" % more.process.pid
        waitUntil(lambda: any(request(connect(self.port)).endswith(pid) for _ in range(3)))
        self.assertEqual(more.stop(), -signal.SIGTERM)
        self.assertEqual(len({request(connect(self.port)) for _ in range(9)}), 2)

    def test_UNIX(self) -> None:
        """
        A UNIX socket is shared likewise, and its file goes with the application.
        """
        path = self.shortFolder() / "web.sock"
        self.endpoint = f"unix:{path}:mode=600"
        program = self.begin()
        answers = set()
        for _ in range(6):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10)
                sock.connect(str(path))
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answers.add(readAll(sock).rpartition(b"\n")[2])
        self.assertEqual(len(answers), 2)
        self.assertEqual(program.stop(), -signal.SIGTERM)
        self.assertFalse(path.exists())

    def test_stopped(self) -> None:
        """
        SIGTERM ends all processes, and long answers under way come whole.
        """
        program = self.begin()
        downloads = Downloads(self.port, "/long", 4)
        waitUntil(lambda: downloads.running == 4)
        self.assertEqual(program.stop(), -signal.SIGTERM)
        waitUntil(lambda: not downloads.running)
        self.assertEqual(downloads.failures, [])
        self.assertEqual(len(set(downloads.digests)), 1)
        waitUntil(lambda: not self.ours())


class StandbyTests(CloningTestCase):
    def test_takes(self) -> None:
        """
        The manager is killed: the process that stands by manages, and no clone does at any
        time; then another process stands by. No client is refused, reset, or gets a short
        answer.
        """
        self.begin()
        clones = self.joined()
        with Load(lambda: self.port, 4) as load:
            for _ in range(2):
                waitUntil(lambda done=load.done: load.done > done + 50)  # type: ignore[misc]
                next_ = self.standby()
                os.kill(self.manager(), signal.SIGKILL)
                waitUntil(lambda next_=next_: self.manager() == next_)  # type: ignore[misc]
                waitUntil(self.settled)
        self.assertEqual((load.refused, load.failures), (0, []))
        self.assertEqual(self.joined(), clones)
        self.assertEqual(clones & set(self.pids(r"process (\d+) manages")), set())

    def test_dead(self) -> None:
        """
        Manager and standby are killed at once: a clone manages until a fresh process does.
        """
        self.begin()
        clones = self.joined()
        with Load(lambda: self.port, 4) as load:
            waitUntil(lambda: load.done > 50)
            first = self.manager()
            os.kill(self.standby(), signal.SIGKILL)
            os.kill(first, signal.SIGKILL)
            waitUntil(lambda: self.manager() != first)
            waitUntil(self.settled)
        self.assertEqual((load.refused, load.failures), (0, []))
        self.assertTrue(clones & set(self.pids(r"process (\d+) manages")))

    def test_killed(self) -> None:
        """
        The process that stands by is killed: another one comes.
        """
        self.begin()
        killed = self.standby()
        os.kill(killed, signal.SIGKILL)
        waitUntil(lambda: self.standby() != killed)
        waitUntil(self.settled)


class KillTests(CloningTestCase):
    more: Mapping[str, Any] = MappingProxyType({"standby": False})

    def test_manager(self) -> None:
        """
        The manager is killed, again and again, under load: no client is refused, reset, or
        gets a short answer; and each time a fresh process manages in the end.
        """
        self.begin()
        downloads = Downloads(self.port, "/long", 2)
        with Load(lambda: self.port, 4) as load:
            for _ in range(3):
                waitUntil(lambda done=load.done: load.done > done + 50)  # type: ignore[misc]
                killed = self.manager()
                os.kill(killed, signal.SIGKILL)
                waitUntil(lambda killed=killed: self.manager() != killed)  # type: ignore[misc]
                waitUntil(self.settled)
        self.assertEqual((load.refused, load.failures), (0, []))
        waitUntil(lambda: not downloads.running)
        self.assertEqual(downloads.failures, [])
        self.assertEqual(len(set(downloads.digests)), 1)
        self.show(f"{load.done} requests, none failed")

    def test_managerHangs(self) -> None:
        """
        If the manager is stopped, the clones serve what it leaves in the queue.
        """
        self.begin()
        os.kill(self.manager(), signal.SIGSTOP)
        self.addCleanup(os.kill, self.manager(), signal.SIGCONT)
        waits = []
        for _ in range(5):
            began = time.monotonic()
            self.assertIn(b"clone", request(connect(self.port)))
            waits.append(time.monotonic() - began)
        self.show(f"the longest wait was {max(waits) * 1000:.0f} ms")

    def test_clone(self) -> None:
        """
        A clone is killed: the other one serves, and a new one comes.
        """
        self.begin()
        with Load(lambda: self.port, 2) as load:
            waitUntil(lambda: load.done > 20)
            killed = min(self.joined())
            os.kill(killed, signal.SIGKILL)
            waitUntil(lambda: len(self.joined() - {killed}) == self.processes)
        # Only those that the clone had at that moment.
        self.assertLessEqual(len(load.failures), 2)
        self.assertEqual(load.refused, 0)


class HeldStartsTests(CloningTestCase):
    """
    Managers die faster than processes start.
    """

    def application(self, release: str = "first", before: str = "") -> Path:
        before = (
            "import time\n"
            f"open({str(self.folder / 'born')!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
            f"while os.path.exists({str(self.folder / 'hold')!r}): time.sleep(0.05)"
        )
        return super().application(release, before)

    def born(self) -> list[int]:
        """
        The processes that have read the application, in order.
        """
        return [int(line) for line in (self.folder / "born").read_text().splitlines()]

    def test_counted(self) -> None:
        """
        The next manager counts what starts already, be it a clone or an heir, and starts no
        more.
        """
        program = self.begin()
        hold = self.folder / "hold"
        hold.touch()
        os.kill(min(self.joined()), signal.SIGKILL)
        waitUntil(lambda: len(self.born()) == 5)
        os.kill(program.process.pid, signal.SIGKILL)
        # The one that stood by manages, and starts the next one seconds later.
        waitUntil(lambda: len(self.born()) == 6)
        os.kill(self.pids(r"process (\d+) manages")[-1], signal.SIGKILL)
        waitUntil(lambda: len(self.pids(r"process (\d+) manages")) == 3)
        hold.unlink()
        heir = self.born()[5]
        waitUntil(lambda: self.pids(r"process (\d+) manages")[-1] == heir)
        waitUntil(lambda: len(self.born()) == 7 and self.pids(r"process (\d+) stands by"))
        waitUntil(lambda: self.pids(r"process (\d+) stands by")[-1] == self.born()[6])
        waitUntil(lambda: len(self.ours()) == 4)
        self.assertEqual(len(self.born()), 7, program.output)
        self.assertNotIn("one too many", program.output)


class RestartTests(CloningTestCase):
    def test_roll(self) -> None:
        """
        SIGHUP replaces the clones by ones that run the new release, and SIGUSR2 the
        manager, without a client's noticing.
        """
        program = self.begin()
        with Load(lambda: self.port, 4) as load:
            waitUntil(lambda: load.done > 20)
            self.application("second")
            os.kill(self.manager(), signal.SIGHUP)
            program.waitFor("generation 1 serves")
            waitUntil(lambda: b"second" in self.kinds(load))
            first = self.manager()
            os.kill(first, signal.SIGUSR2)
            waitUntil(lambda: self.manager() != first and not self.isOurs(first))
            waitUntil(self.settled)
            load.answers.clear()
            waitUntil(lambda: load.done > 50)
        self.assertEqual((load.refused, load.failures), (0, []))
        self.assertEqual(self.kinds(load), {b"second"})

    def test_broken(self) -> None:
        """
        A release that does not start stops the roll; the old one goes on.
        """
        program = self.begin()
        before = self.joined()
        with Load(lambda: self.port, 2) as load:
            self.application("broken", "raise SystemExit(7)")
            os.kill(self.manager(), signal.SIGHUP)
            program.waitFor("a clone of the new generation does not start")
            waitUntil(lambda done=load.done: load.done > done + 20)  # type: ignore[misc]
        self.assertEqual((load.refused, load.failures), (0, []))
        self.assertEqual(self.joined(), before)
        self.assertEqual(self.kinds(load), {b"first"})


class PassingTests(CloningTestCase):
    """
    Connections that the manager accepts and passes to the clones.
    """

    more = MappingProxyType({"scheduler": "sticky"})

    def ask(self, address: str) -> bytes:
        """
        Ask as a client of a certain address; return the answer, an empty one if the connection was
        closed.
        """
        sock = socket.create_connection(("127.0.0.1", self.port), 10, (address, 0))
        self.addCleanup(sock.close)
        try:
            return request(sock)
        except OSError:
            return b""  # reset, or ended before the answer

    def sameTwice(self, clients: list[str]) -> dict[str, bytes]:
        """
        Ask for all clients until two rounds have the same answers. On a machine that is busy a
        clone may take a client that the manager leaves waiting.
        """
        rounds: list[dict[str, bytes]] = []

        def same() -> bool:
            rounds.append({client: self.ask(client) for client in clients})
            return rounds[-2:-1] == rounds[-1:]

        waitUntil(same)
        return rounds[-1]

    def reunited(self) -> bool:
        """
        Tell whether all clones have joined the process that manages now.
        """
        latest = self.program.output.rpartition(" manages ")[2]
        return len(re.findall(r"clone\d+ has joined", latest)) == self.processes

    def test_sticky(self) -> None:
        """
        Each client is served by one clone, whichever process manages; the log tells that
        connections are passed, and its price.
        """
        program = self.begin()
        self.assertIn("the scheduler sticky looks at the client's address", program.output)
        clients = [f"127.0.0.{number}" for number in range(1, 25)]
        first = self.sameTwice(clients)
        self.assertEqual(len({answer.split()[1] for answer in first.values()}), 2)
        killed = self.manager()
        os.kill(killed, signal.SIGKILL)
        waitUntil(lambda: self.manager() != killed)
        waitUntil(self.settled)
        waitUntil(self.reunited)
        self.assertEqual(self.sameTwice(clients), first)

    def test_managerKilled(self) -> None:
        """
        If the manager is killed under load, at most the connection in its hands is lost.
        """
        self.begin()
        downloads = Downloads(self.port, "/long", 2)
        with Load(lambda: self.port, 4) as load:
            for _ in range(3):
                waitUntil(lambda done=load.done: load.done > done + 50)  # type: ignore[misc]
                killed = self.manager()
                os.kill(killed, signal.SIGKILL)
                waitUntil(lambda killed=killed: self.manager() != killed)  # type: ignore[misc]
                waitUntil(self.settled)
        self.assertEqual(load.refused, 0)
        self.assertLessEqual(len(load.failures), 3)
        waitUntil(lambda: not downloads.running)
        self.assertEqual(downloads.failures, [])
        self.show(f"{load.done} requests, {len(load.failures)} failed in 3 kills")

    def test_denied(self) -> None:
        """
        A client of a network that is not allowed is closed, by the manager, and also while
        the manager hangs, by the clones.
        """
        self.more = MappingProxyType({"deny": ["127.0.0.9"]})
        self.begin()
        self.assertEqual(self.ask("127.0.0.8")[:5], b"first")
        self.assertEqual(self.ask("127.0.0.9"), b"")
        os.kill(self.manager(), signal.SIGSTOP)
        self.addCleanup(os.kill, self.manager(), signal.SIGCONT)
        self.assertEqual(self.ask("127.0.0.8")[:5], b"first")
        self.assertEqual(self.ask("127.0.0.9"), b"")


class ReactorTests(CloningTestCase):
    """
    Reactors without epoll: the manager watches the queues with an epoll of its own.
    """

    def test_select(self) -> None:
        self.serves("select")

    def test_poll(self) -> None:
        self.serves("poll")

    def test_asyncio(self) -> None:
        self.serves("asyncio")

    def serves(self, reactor: str) -> None:
        """
        Clients are served by both clones, also after a takeover.
        """
        self.options = (f"--reactor={reactor}",)
        self.begin()
        for _ in range(2):
            answers = Counter(request(connect(self.port)).split()[1] for _ in range(6))
            self.assertEqual(set(answers), {b"clone0", b"clone1"})
            killed = self.manager()
            os.kill(killed, signal.SIGKILL)
            waitUntil(lambda killed=killed: self.manager() != killed)  # type: ignore[misc]
            waitUntil(self.settled)
