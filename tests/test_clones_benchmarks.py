"""
The benchmarks of cloned applications read and compute rightly. That they run is shown in
L{tests.integration.test_clones_benchmarks}.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.clones import _cloned, _throughput, _wrk, soak, visitors
from benchmarks.clones._cloned import Log, until
from benchmarks.clones._hangs import Hangs
from benchmarks.clones._kills import Kills, timesRow
from benchmarks.clones._longanswers import LongAnswers
from benchmarks.clones._rolls import Rolls
from benchmarks.clones._throughput import Site, inOrder, table
from benchmarks.clones._wrk import Measured, Wrk, parse
from benchmarks.clones.content import PERIOD, part
from benchmarks.clones.visitors import Connections, Downloads, Visitors
from benchmarks.clones.wsgi import application
from benchmarks.peers.webapp import page
from benchmarks.programs import ProgramError
from benchmarks.soak import Crowd
from benchmarks.traffic import Backend, Events, Pace, bulkHead

WRK = """Running 1s test @ http://127.0.0.1:8080/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.65ms    2.16ms  45.37ms   93.96%
    Req/Sec    22.10k     2.30k   24.48k    80.00%
  Latency Distribution
     50%    1.25ms
     75%    2.02ms
     90%  980.00us
     99%    1.02s
  22009 requests in 1.00s, 3.70MB read
Requests/sec:  21985.37
Transfer/sec:      3.69MB
"""

WRK_ERRORS = """  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 50000
"""

LOG = """
[manager g0 x#info] process 10 manages 2 clones of tcp-1
... clone0 has joined: process 11
... clone1 has joined: process 12
... rolling restart: generation 1 serves
[manager 1/g0 x#info] process 12 manages 2 clones of tcp-1
... clone0 has joined: process 11
[manager g1 x#info] process 13 manages 2 clones of tcp-1
... clone1 has joined: process 12
... process 14 stands by to manage
... rolling restart: a clone of the new generation does not start: exit status 1
"""


#: Bytes of a long answer.
SIZE = 20_000


class WrkTests(SynchronousTestCase):
    def test_parse(self) -> None:
        measured = parse(WRK)
        self.assertEqual(measured, Measured(22009, 21985.37, 0.00125, 1.02, 0))
        self.assertEqual(parse(WRK + WRK_ERRORS).errors, 54321)

    def test_units(self) -> None:
        for shown, seconds in (("250.00us", 250e-6), ("1.25ms", 1.25e-3), ("1.50m", 90.0)):
            self.assertAlmostEqual(parse(WRK.replace("1.25ms", shown)).median, seconds)

    def test_wrong(self) -> None:
        for text in ("unable to connect", WRK.replace("Requests/sec", "x"), WRK.replace("99%", "")):
            with self.assertRaisesRegex(ProgramError, "wrk says"):
                parse(text)

    def test_missing(self) -> None:
        self.patch(_wrk, "installed", lambda _: None)
        with self.assertRaisesRegex(ProgramError, "not installed"):
            Wrk(("127.0.0.1", 1), 1)

    def test_hangs(self) -> None:
        """
        A run that does not end is killed; what it has said by then is no measurement.
        """
        with mock.patch("subprocess.Popen") as popen:
            run = Wrk(("127.0.0.1", 1), 1, 5, ("Connection: close",))
        command = popen.call_args.args[0]
        self.assertEqual(command[-3:], ["--header", "Connection: close", "http://127.0.0.1:1/"])
        process = popen.return_value
        process.communicate.side_effect = [subprocess.TimeoutExpired("wrk", 5), ("", None)]
        self.assertRaises(ProgramError, run.wait)
        process.kill.assert_called_once_with()


class LogTests(SynchronousTestCase):
    def test_log(self) -> None:
        log = Log(LOG)
        self.assertEqual(log.managers, [10, 12, 13])
        self.assertEqual(log.clones, {11, 12})
        self.assertEqual(log.joined, {12})
        self.assertEqual((log.rolls, log.failedRolls), (1, 1))
        self.assertTrue(log.isPure())
        self.assertTrue(log.hasStandby())
        # A new process may have the PID of a clone of long ago.
        self.assertTrue(Log(LOG.replace("process 13", "process 11")).isPure())

    def test_cloneManages(self) -> None:
        """
        A clone that manages for a while serves nevertheless.
        """
        log = Log(LOG.partition("[manager g1")[0])
        self.assertFalse(log.isPure())
        self.assertFalse(log.hasStandby())

    def test_empty(self) -> None:
        self.assertFalse(Log("").isPure())
        self.assertEqual(Log("").managers, [])


class ReportTests(SynchronousTestCase):
    def test_times(self) -> None:
        row = timesRow("until it manages", [0.001, 0.004, 0.0025])
        self.assertEqual(
            row.split(),
            [*["until", "it", "manages", "2.5", "ms,", "p99", "4.0,", "at", "most", "4.0"]],
        )

    def test_kills(self) -> None:
        times = [0.01, 0.02]
        rows = Kills(12345, 5.0, 0, 7, 2, times, [0.5, 0.5], [0.1, 0.3], times, times).rows()
        self.assertEqual(rows[0], "2 kills of the manager:")
        self.assertEqual(rows[1].split()[-2:], ["12,345,", "2,469"])
        self.assertEqual(rows[2].split()[-1], "2")
        self.assertRegex(rows[5], r"kill to the next accept by permit +15\.0 ms, p99 20\.0")

    def test_hangs(self) -> None:
        rows = Hangs("a clone", 12345, [0.01, 0.02], [0.03, 0.05]).rows()
        self.assertEqual(rows[0], "2 hangs of a clone, 0.5 s each:")
        self.assertEqual(rows[1].split()[-1], "12,345")
        self.assertRegex(rows[3], r"longest wait of a client +40\.0 ms, p99 50\.0")

    def test_content(self) -> None:
        self.assertEqual(part(PERIOD, 100), part(0, 100))
        self.assertEqual(part(7, PERIOD)[-7:], part(0, 7))
        self.assertNotEqual(part(1, 100), part(0, 100))

    def test_rolls(self) -> None:
        measured = Measured(2000, 100.0, 0.1, 0.2, 3)
        rows = Rolls([2.0], [1.0], [0.5], 70, 1, measured).rows()
        self.assertIn("1 rolling restarts", rows[0])
        self.assertEqual(rows[1].split()[-2:], ["2,000,", "3"])
        self.assertEqual(rows[2].split()[-2:], ["70,", "1"])

    def test_table(self) -> None:
        """
        Medians over the rounds, and the rate beside that of the first site; a site that was
        not measured is left out.
        """
        title = "kept connections"
        one, two, none = (Site(name, ("127.0.0.1", 1)) for name in ("one", "two", "none"))
        one.runs[title] = [Measured(1, rate, 0.001, 0.01, 0) for rate in (90.0, 100.0, 500.0)]
        two.runs[title] = [Measured(1, 180.0, 0.0005, 0.02, 0)]
        head, *rows = table([one, two, none], title)
        self.assertIn(title, head)
        self.assertEqual(
            [row.split() for row in rows],
            [
                ["one", "100", "1.00", "1.0", "ms", "10.0", "ms"],
                ["two", "180", "1.80", "0.5", "ms", "20.0", "ms"],
            ],
        )

    def test_order(self) -> None:
        sites = [Site(name, ("127.0.0.1", 1)) for name in "ab"]
        self.assertEqual([each.name for each in inOrder(sites, 0)], ["a", "b"])
        self.assertEqual([each.name for each in inOrder(sites, 1)], ["b", "a"])


class GunicornTests(SynchronousTestCase):
    def test_page(self) -> None:
        """
        Gunicorn makes the page that the others make.
        """
        started: list[Any] = []
        [body] = application({}, lambda *words: started.append(words))
        self.assertEqual(body, page())
        self.assertIn(("Content-Length", str(len(body))), started[0][1])

    def test_installed(self) -> None:
        """
        It has an environment of its own, which is made once; if that fails, it is left out.
        """
        folder = Path(self.mktemp())
        self.patch(_throughput, "GUNICORN", folder)
        with mock.patch("subprocess.run") as run:
            run.return_value.returncode = 1
            self.assertIsNone(_throughput._gunicorn())
            run.return_value.returncode = 0
            self.assertEqual(_throughput._gunicorn(), folder / "bin" / "gunicorn")
            self.assertEqual(run.call_args.args[0][-1], "gunicorn")
            count = run.call_count
            (folder / "bin").mkdir(parents=True)
            (folder / "bin" / "gunicorn").touch()
            _throughput._gunicorn()
            self.assertEqual(run.call_count, count)

    def test_command(self) -> None:
        command = _throughput._gunicornCommand(Path("gunicorn"), ("127.0.0.1", 8080))
        self.assertEqual(command[:3], ["gunicorn", "--workers", "2"])
        self.assertEqual(
            command[-3:], ["--bind", "127.0.0.1:8080", "benchmarks.clones.wsgi:application"]
        )


class LongAnswersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = Events()
        self.addCleanup(self.events.close)

    def serve(self, answer: bytes) -> tuple[str, int]:
        """
        A server that gives this answer to each client, and ends the connection.
        """
        backend = Backend(self.events, [("127.0.0.1", 0)])
        self.addCleanup(backend.close)
        listener = backend._listeners[0]

        def accept(_: int) -> None:
            sock = listener.accept()[0]
            sock.setblocking(False)

            def answered(_: int) -> None:
                sock.recv(1000)
                sock.send(answer)
                self.events.forget(sock)

            self.events.watch(sock, answered)

        self.events._handlers[listener.fileno()] = accept
        address: tuple[str, int] = listener.getsockname()
        return address

    def take(self, answer: bytes) -> LongAnswers:
        long = LongAnswers(self.events, self.serve(answer), 2, 5)
        long.begin()
        self.events.runUntil(lambda: long.complete > 3 or not long.active, "answers")
        long.end()
        return long

    def test_whole(self) -> None:
        self.assertGreater(self.take(b"HTTP/1.1 200 OK\r\n\r\n12345").complete, 3)
        self.assertEqual(self.events.trouble.take(), [])

    def test_failures(self) -> None:
        """
        An answer that is short, long or of another status is counted as an error.
        """
        for answer, words in (
            (b"HTTP/1.1 200 OK\r\n\r\n123", "ended 2 bytes before the end"),
            (b"HTTP/1.1 200 OK\r\n\r\n123456", "more bytes"),
            (b"HTTP/1.1 500 No\r\n\r\n12345", "500"),
            (b"HTTP/1.1 200 OK", "ended 5 bytes"),
        ):
            self.assertEqual(self.take(answer).complete, 0)
            [line] = self.events.trouble.take()
            self.assertIn(words, line)

    def test_refused(self) -> None:
        backend = Backend(self.events, [("127.0.0.1", 0)])
        address = backend._listeners[0].getsockname()
        backend.close()
        long = LongAnswers(self.events, address, 1, 5)
        long.begin()
        long.end()
        self.assertIn("refused", self.events.trouble.take()[0])


class UntilTests(SynchronousTestCase):
    def test_until(self) -> None:
        events = Events()
        self.addCleanup(events.close)
        looks = iter([False, False, True])
        self.assertGreater(until(events, lambda: next(looks), "it", 0.001), 0.0)
        with self.assertRaisesRegex(ProgramError, "it takes more than 0 s"):
            until(events, lambda: False, "it", 0.001, 0.0)


class SoakTests(SynchronousTestCase):
    def state(self, **descriptors: int) -> soak.State:
        pids = {int(name[1:]): count for name, count in descriptors.items()}
        return soak.State(dict.fromkeys(pids, 50 << 20), pids)

    def test_same(self) -> None:
        before = self.state(p1=20, p2=30)
        self.assertEqual(soak.faults(before, before), [])
        # A new process is compared with the largest.
        self.assertEqual(soak.faults(before, self.state(p1=24, p3=34)), [])
        self.assertEqual(str(before), "2 processes, at most 50.0 MiB and 30 descriptors")

    def test_grown(self) -> None:
        before = self.state(p1=20, p2=30)
        [line] = soak.faults(before, self.state(p1=25, p2=30), 1)
        self.assertEqual(line, "process 1: 25 descriptors, 5 more than at the start")
        # It may manage now.
        self.assertEqual(soak.faults(before, self.state(p1=25, p2=20)), [])
        [line] = soak.faults(before, self.state(p1=35, p2=20))
        self.assertEqual(line, "process 1: 35 descriptors, 5 more than at the start")
        [line] = soak.faults(before, self.state(p1=20, p2=30, p3=20))
        self.assertEqual(line, "3 processes, 2 at the start")
        [line] = soak.faults(before, soak.State({1: 50 << 20, 2: 59 << 20}, before.descriptors))
        self.assertIn("bytes of memory, 9,437,184 more", line)

    def test_errorFiles(self) -> None:
        """
        The file for the errors of a child that lives does not count; one without a child does.
        """
        pid = os.getpid()
        count = soak.ownDescriptors(pid, 0)
        # Another test may have left some.
        there = count - soak.ownDescriptors(pid, 1000)
        for _ in range(2):
            self.addCleanup(os.close, os.memfd_create("errors"))
        self.addCleanup(os.close, os.memfd_create("other"))
        counts = [soak.ownDescriptors(pid, children) - count for children in range(4)]
        self.assertEqual(counts, [3 - min(children, there + 2) for children in range(4)])

    def test_look(self) -> None:
        """
        Processes that have ended since they were listed hold nothing.
        """
        with subprocess.Popen(["true"]) as ended:
            ended.wait(30)
        cloned = mock.Mock()
        cloned.processes.return_value = [os.getpid(), ended.pid]
        state = soak.look(cloned)
        self.assertEqual(list(state.memory), [os.getpid()])
        self.assertEqual(list(state.descriptors), [os.getpid()])
        self.assertIn(f"process {os.getpid()}: ", soak.details(state))
        self.assertEqual(soak.parentOf(os.getpid()), os.getppid())
        self.assertEqual(str(soak.State({}, {})), "0 processes, at most 0.0 MiB and 0 descriptors")

    def test_missing(self) -> None:
        """
        If not all processes return, the error says which are missing.
        """
        cloned = _cloned.Cloned.__new__(_cloned.Cloned)
        cloned.count, cloned._standby = 2, True
        log = LOG.partition("... process 14")[0]
        cloned.program = mock.Mock()
        cloned.program.log.read_text.return_value = log
        with mock.patch.object(cloned, "processes", lambda: [12, 13]):
            self.assertEqual(
                cloned.missing(),
                [
                    "1 of 2 clones have joined it (12)",
                    "no process stands by",
                    "there are 2 processes of 4 (12, 13)",
                ],
            )
            actor = soak.Soak(
                mock.Mock(), cloned, random.Random(1), mock.Mock(), journal := mock.Mock()
            )
            self.patch(soak, "RETURN", -1.0)
            with mock.patch.object(soak, "reap"):
                error = self.assertRaises(ProgramError, actor.run, 0.0)
            self.assertIn("takes more than -1 s: 1 of 2 clones", str(error))
            journal.note.assert_called_once_with("all processes have to return")
            cloned.program.log.read_text.return_value = log.partition("[manager g1")[0]
            self.assertIn("process 12, a clone, still manages", cloned.missing())
            cloned.program.log.read_text.return_value = ""
            self.assertIn("no process manages", cloned.missing())
        cloned.program.log.read_text.return_value = LOG
        with mock.patch.object(cloned, "processes", lambda: [12]):
            self.assertIn("process 13, which managed last, has ended", cloned.missing())
        cloned.program.log.read_text.return_value = f"{LOG}... clone0 has joined: process 11\n"
        with mock.patch.object(cloned, "processes", lambda: [11, 12, 13, 14]):
            self.assertEqual(cloned.missing(), [])
            with mock.patch.object(soak, "reap"):
                self.assertTrue(soak.isWhole(cloned))

    def test_logsStay(self) -> None:
        """
        The logs of a soak that fails stay, and its error names them; others go.
        """
        folders: list[Path] = []
        failed = ProgramError("it does not start")
        ends: list[Exception | list[str]] = [failed, ["it has grown"], []]

        def run(folder: Path, *_: object) -> list[str]:
            (folder / "soak.log").write_text("")
            folders.append(folder)
            end = ends[len(folders) - 1]
            if isinstance(end, Exception):
                raise end
            return end

        self.patch(soak, "run", run)
        self.addCleanup(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        said = []
        for _ in ends:
            with mock.patch("sys.stderr", io.StringIO()) as errors, mock.patch("ctypes.CDLL"):
                said.append((soak.main(["--seconds", "1", "--seed", "7"]), errors.getvalue()))
        for folder in folders[:2]:
            self.assertTrue((folder / "soak.log").exists())
            shutil.rmtree(folder)
        self.assertFalse(folders[2].exists())
        self.assertEqual(
            said,
            [
                (1, f"the logs are in {folders[0]}\nseed 7: it does not start\n"),
                (1, f"the logs are in {folders[1]}\nit has grown\n"),
                (0, ""),
            ],
        )

    def test_journal(self) -> None:
        """
        The log has each line with its time; those about the clients and the processes are
        printed as well.
        """
        path = Path(self.mktemp())
        journal = soak.Journal(path)
        crowd = mock.Mock(came=2000, failed=3, refused=1)
        cloned = mock.Mock()
        cloned.processes.return_value = []
        actor = soak.Soak(mock.Mock(), cloned, random.Random(1), crowd, journal)
        with mock.patch("sys.stdout", io.StringIO()) as out:
            actor.report()
            journal.note("SIGKILL to process 1")
        journal.close()
        line = out.getvalue().partition(" s: ")[2]
        self.assertEqual(
            line,
            "2,000 clients, 2 lost, 1 refused; 0 signals, 0 waits; "
            "0 processes, at most 0.0 MiB and 0 descriptors\n",
        )
        first, second = path.read_text().splitlines()
        self.assertTrue(first.endswith(line.rstrip()))
        self.assertRegex(second, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} SIGKILL to process 1$")

    def test_told(self) -> None:
        """
        Clients that were refused are counted, also those that would have said nothing, and are
        not among those that have lost a connection.
        """
        events = Events()
        self.addCleanup(events.close)
        backend = Backend(events, [("127.0.0.1", 0)])
        address = backend._listeners[0].getsockname()
        crowd = Crowd(events, address)
        crowd.begin()
        crowd.end()
        self.assertEqual((crowd.failed, crowd.refused), (0, 0))
        self.assertIn("of which 0\nlost", soak.told(crowd))
        self.assertIn("none was refused", soak.told(crowd))
        events.trouble.take()
        backend.close()
        crowd = Crowd(events, address)
        crowd.begin()
        crowd.end()
        self.assertEqual((crowd.refused, crowd.failed), (crowd.came, crowd.came))
        crowd.failed += 3
        self.assertIn("of which 3\nlost", soak.told(crowd))
        self.assertIn(f"{crowd.came} were refused", soak.told(crowd))

    def actor(self, spared: int | None) -> soak.Soak:
        cloned = mock.Mock()
        cloned.log = Log(LOG.replace("process 12", "process 11"))
        cloned.processes.return_value = [11, 13]
        cloned.total = 4
        actor = soak.Soak(mock.Mock(), cloned, random.Random(1), mock.Mock(), mock.Mock())
        actor.spared = spared
        return actor

    def signals(self, actor: soak.Soak) -> set[tuple[int, signal.Signals]]:
        with mock.patch("os.kill") as kill, mock.patch.object(soak, "reap"):
            for _ in range(200):
                actor.act()
        return {call.args for call in kill.call_args_list}

    def test_acts(self) -> None:
        """
        Each action comes, and a process that is stopped goes on.
        """
        actor = self.actor(None)
        self.assertEqual(
            self.signals(actor),
            {
                (11, signal.SIGKILL),
                (11, signal.SIGSTOP),
                (11, signal.SIGCONT),
                *((13, number) for kind, number in soak.ACTIONS if kind == "manager"),
                (13, signal.SIGCONT),
            },
        )
        self.assertEqual(set(actor.done), {f"{kind} {n.name}" for kind, n in soak.ACTIONS})

    def test_spares(self) -> None:
        """
        The clone that is spared gets no signal, and no rolling restart replaces it.
        """
        signals = self.signals(self.actor(11))
        self.assertEqual({pid for pid, _ in signals}, {13})
        self.assertNotIn((13, signal.SIGHUP), signals)
        self.assertEqual(self.signals(self.actor(13)) & {(13, signal.SIGKILL)}, set())

    def test_waits(self) -> None:
        """
        No signal goes to processes whose number is more than twice that which there should be,
        and none to a manager that has ended.
        """
        actor = self.actor(None)
        many = [11, 13, *range(20, 27)]
        with mock.patch.object(actor._cloned, "processes", lambda: many):
            self.assertEqual(self.signals(actor), set())
        self.assertEqual(actor.waits, 200)
        with mock.patch.object(actor._cloned, "processes", lambda: [11, 20]):
            self.assertEqual({pid for pid, _ in self.signals(actor)}, {11})
        self.assertEqual(actor.waits, 200)

    def test_last(self) -> None:
        """
        The last process is not killed.
        """
        actor = self.actor(None)
        actor._cloned.processes.return_value = [13]  # type: ignore[attr-defined]
        self.assertNotIn((13, signal.SIGKILL), self.signals(actor))
        self.assertEqual(Log(LOG).standbys, {14})

    def test_gone(self) -> None:
        """
        A process that has ended before its signal comes is not counted.
        """
        actor = self.actor(None)
        with (
            mock.patch("os.kill", side_effect=ProcessLookupError),
            mock.patch.object(soak, "reap"),
        ):
            actor.act()
        self.assertEqual(actor.done, {})


class PaceTests(SynchronousTestCase):
    """
    What happens at a steady rate.
    """

    def test_rate(self) -> None:
        now = 0.0
        calls: list[float] = []

        def call() -> bool:
            calls.append(now)
            return True

        pace = Pace(100.0, call, most=8, seconds=lambda: now)
        pace.look()
        now = 0.035
        pace.look()
        self.assertEqual(len(calls), 3)
        # What is due is made up for, a few at a look.
        now = 0.2
        pace.look()
        self.assertEqual(len(calls), 11)
        pace.look()
        self.assertEqual(len(calls), 19)

    def test_left(self) -> None:
        """
        A call that does nothing is not made up for.
        """
        now = 0.0
        pace = Pace(10.0, lambda: False, seconds=lambda: now)
        now = 1.0
        pace.look()
        pace.look()
        self.assertEqual(pace.left, 10)


class VisitorsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = Events()
        self.addCleanup(self.events.close)
        self.backend = Backend(self.events, [("127.0.0.1", 0)])
        self.address = self.backend._listeners[0].getsockname()
        self.addCleanup(self.backend.close)

    def test_connections(self) -> None:
        made = Connections(self.events, self.address, 10_000.0)
        found: list[dict[str, Any]] = []

        def some() -> object:
            found.append(made.take())
            return sum(each["units"] for each in found) >= 20

        self.events.runUntil(some, "answers")
        self.assertGreaterEqual(max(each["worst"] for each in found), found[-1]["p50"])
        self.assertEqual(self.events.trouble.take(), [])
        # No more come, and the backend is gone: each is an error then.
        self.backend.close()
        self.events.runUntil(lambda: bool(self.events.trouble), "a refusal")
        self.events.paces.clear()

    def test_most(self) -> None:
        """
        If too many are under way no more come.
        """
        self.patch(visitors, "MOST", 0)
        made = Connections(self.events, self.address, 10_000.0)
        self.events.runUntil(lambda: made.take()["left"], "one that is left out")
        self.events.paces.clear()

    def serve(self, content: bytes) -> tuple[str, int]:
        """
        Answer each client with this, as a server of long answers.
        """
        backend = Backend(self.events, [("127.0.0.1", 0)])
        self.addCleanup(backend.close)
        listener = backend._listeners[0]

        def accept(_: int) -> None:
            sock = listener.accept()[0]

            def answered(_: int) -> None:
                sock.recv(1000)
                sock.send(bulkHead(SIZE) + content)
                self.events.forget(sock)

            self.events.watch(sock, answered)

        self.events._handlers[listener.fileno()] = accept
        address: tuple[str, int] = listener.getsockname()
        return address

    def test_downloads(self) -> None:
        """
        A long answer has come whole if each byte is the one that is to be in its place.
        """
        right = b"".join(part(begin, 1000) for begin in range(0, SIZE, 1000))
        made = Downloads(self.events, self.serve(right), 3, SIZE, 1e9)
        self.events.runUntil(lambda: made.take()["units"], "a long answer")
        self.assertEqual(self.events.trouble.take(), [])
        self.events.paces.clear()
        for wrong, words in (
            (right[:-1], "ended 1 bytes before the end"),
            (right[:5000] + right[4000:-1000], "other bytes"),
            (right[:-1] + b"?", "other bytes"),
        ):
            made = Downloads(self.events, self.serve(wrong), 3, SIZE, 1e9)
            self.events.runUntil(lambda: bool(self.events.trouble), "an error")
            self.assertIn(words, self.events.trouble.take()[0])
            self.assertEqual(made.take()["units"], 0)
            self.events.paces.clear()

    def test_refused(self) -> None:
        self.backend.close()
        Downloads(self.events, self.address, 3, SIZE, 1e9)
        self.events.runUntil(lambda: bool(self.events.trouble), "a refusal")
        self.events.paces.clear()

    def test_waits(self) -> None:
        """
        Those that wait still count, and so does the time since the last answer.
        """
        clock = iter(range(100))
        made = Connections(self.events, self.address, 1.0)
        made._pace.seconds = lambda: float(next(clock))
        made.take()
        early, late = (mock.Mock(began=began) for began in (0.5, 1.5))
        made._open = {early, late}
        made._since = 1.0
        said = made.take()
        # It is 1 now, and 0 when this was asked last.
        self.assertEqual((said["silence"], said["fresh"]), (1.0, 0.0))
        made._since = 0.5
        made._answered(early)
        said = made.take()
        self.assertEqual(said["fresh"], 1.5)
        self.assertEqual(said["silence"], 1.0)
        self.assertEqual(made._open, {late})
        self.events.paces.clear()

    def test_process(self) -> None:
        """
        They run in a process of their own, and tell what they have done.
        """
        host, port = self.address
        process = Visitors("connections", host, port, 200)
        units = 0

        def take() -> object:
            nonlocal units
            said = process.take()
            units += said["units"]
            self.assertEqual(said["trouble"], [])
            return units > 5

        self.events.runUntil(take, "answers")
        process.stop()
        self.assertRaises(ProgramError, process.take)

    def test_grants(self) -> None:
        """
        The first permit of another manager than the one that was killed.
        """
        cloned: Any = _cloned.Cloned.__new__(_cloned.Cloned)
        cloned.times = Path(self.mktemp())
        cloned.times.write_text("7 10.0\n7 12.5\n8 12.75\n8 13.0\n")
        self.assertEqual(cloned.firstGrant(12.0, 7), 0.75)
        self.assertIsNone(cloned.firstGrant(14.0, 7))
