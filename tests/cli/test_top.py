"""
Tests for L{txlb.cli._top}, L{txlb.cli._frame}, L{txlb.cli._rates} and
L{txlb.cli._screen}.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import termios
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.targets import FakeBalancer
from tests.cli.support import BalancerTests
from txlb.admin._rows import statusRows
from txlb.cli import _top
from txlb.cli._frame import Frame, rateText, sparkline
from txlb.cli._rates import SAMPLES, Rates
from txlb.cli._screen import Screen
from txlb.cli._top import Top

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def plain(line: str) -> str:
    return _COLOUR.sub("", line)


class Busy:
    """
    A balancer whose counters a test sets.
    """

    def __init__(self, hosts: int = 2) -> None:
        self.balancer = FakeBalancer(hosts)
        self.rates = Rates()
        self.now = 100.0

    def look(self, *connections: int, **of: int) -> None:
        """
        Look at it a second later.

        @param connections: how many connections each host has had since.
        """
        pool = self.balancer.manager.getPool("web")
        for host, count in zip(pool.hosts, connections, strict=False):
            host.counters.connections += count
            host.counters.bytesIn += count * 1000
        counters = self.balancer.manager.getCounters("web")
        counters.accepted += sum(connections)
        self.now += 1.0
        rows: Any = list(statusRows(self.balancer, None))
        self.rates.take(rows, self.now)


class RatesTests(SynchronousTestCase):
    def test_rates(self) -> None:
        busy = Busy()
        busy.look(5, 5)
        self.assertEqual([line.rates for line in busy.rates.lines], [{}] * 3)
        busy.look(10, 0)
        service, first, second = busy.rates.lines
        self.assertEqual(service.rates, {"connections": 10.0, "refused": 0.0})
        self.assertEqual(first.rates["connections"], 10.0)
        self.assertEqual(first.rates["bytesIn"], 10_000.0)
        self.assertEqual(second.rates["connections"], 0.0)
        self.assertEqual(first.past, (10.0,))

    def test_anew(self) -> None:
        """
        A host that was added anew has no negative rate.
        """
        busy = Busy()
        busy.look(50, 0)
        busy.balancer.manager.delHost("web", "prod", "h0")
        busy.balancer.manager.addHost("web", "prod", "h0", "127.0.0.1:7001")
        busy.look()
        line = next(each for each in busy.rates.hosts if each.key[2] == "h0")
        self.assertEqual(line.rates["connections"], 0.0)

    def test_bounded(self) -> None:
        busy = Busy(1)
        for _ in range(SAMPLES + 10):
            busy.look(1)
        self.assertEqual(len(busy.rates.hosts[0].past), SAMPLES)
        busy.balancer.manager.delHost("web", "prod", "h0")
        busy.look()
        self.assertEqual([key for key in busy.rates._past if len(key) == 3], [])


class FrameTests(SynchronousTestCase):
    def test_rateText(self) -> None:
        for rate, text in (
            (None, "-"), (0, "0"), (0.25, "0.25"), (7.126, "7.13"), (999, "999"),
            (999.7, "1k"), (12_345, "12.3k"), (1.5e6, "1.5M"),
        ):  # fmt: skip
            self.assertEqual(rateText(rate), text)

    @given(st.lists(st.floats(0, 1e9), max_size=50), st.integers(-1, 40))
    def test_sparkline(self, past: list[float], width: int) -> None:
        self.assertEqual(len(sparkline(past, width)), max(width, 0))

    def test_sparks(self) -> None:
        self.assertEqual(sparkline([0, 5, 10], 5), "  ▁▅█")
        self.assertEqual(sparkline([1, 0, 0], 2), "▁▁")

    def test_unchecked(self) -> None:
        """
        Hosts that nobody has reached are not counted as up; how many they are is
        said if the line has room for all of it.
        """
        busy = Busy(3)
        busy.balancer.manager.getPool("web").getHost("h0").counters.connections = 1
        busy.look()
        for width, end in ((100, "1/3 hosts up, 2 unchecked"), (65, "1/3 hosts up")):
            line = Frame(width, 10, False).lines(busy.rates, 0, "", "")[1]
            self.assertTrue(line.endswith(end), line)

    @given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 40), st.booleans())
    def test_fits(self, width: int, height: int, hosts: int, colours: bool) -> None:
        """
        It fills the screen and never more than that.
        """
        busy = Busy(hosts)
        for _ in range(3):
            busy.look(*range(hosts))
        frame = Frame(width, height, colours)
        lines = frame.lines(busy.rates, 0, "/run/txlb/control", "12:00:00")
        self.assertEqual(len(lines), frame.height)
        self.assertTrue(all(len(plain(line)) <= frame.width for line in lines))
        uncoloured = Frame(width, height, False).lines(
            busy.rates, 0, "/run/txlb/control", "12:00:00"
        )
        self.assertEqual([plain(line) for line in lines], uncoloured)

    def test_shown(self) -> None:
        busy = Busy()
        busy.look()
        busy.look(10, 0)
        busy.look(20, 5)
        busy.balancer.manager.setWeight("web", "prod", "h1", 0)
        busy.look(40, 0)
        lines = Frame(80, 24, False).lines(busy.rates, 0, "x", "12:00:00")
        self.assertIn("40 new/s", lines[1])
        self.assertIn("1/2 hosts up", lines[1])
        self.assertRegex(lines[3], r"^web +0 +40 +▁?.*█$")
        self.assertRegex(lines[4], r"^  prod/h0 +up +0 +40 +40 kB +0 B +▃▅█$")
        self.assertRegex(lines[5], r"^  prod/h1 +drain +0 +0 +0 B +0 B +▁█▁$")

    def test_refused(self) -> None:
        busy = Busy()
        busy.look()
        counters = busy.balancer.manager.getCounters("web")
        counters.refused[next(iter(counters.refused))] += 3
        busy.look()
        lines = Frame(80, 24, False).lines(busy.rates, 0, "x", "")
        self.assertIn("3 refused/s", lines[3])

    def test_scroll(self) -> None:
        busy = Busy(50)
        busy.look()
        lines = Frame(80, 24, False).lines(busy.rates, 10, "x", "")
        self.assertIn("prod/h9", lines[3])
        self.assertIn("21 more below", lines[-1])

    def test_trouble(self) -> None:
        lines = Frame(80, 24, True).lines(Rates(), 0, "x", "", "it has gone")
        self.assertIn("it has gone", lines[1])


class TopTests(BalancerTests):
    def test_once(self) -> None:
        self.open()
        status, out, err = self.run_("top", "--once", "-i", "0.1")
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertIn("0 active  0 new/s", lines[1])
        self.assertIn("0/2 hosts up, 2 unchecked", lines[1])
        self.assertEqual(len(lines), 3 + 4)

    def test_noTerminal(self) -> None:
        self.open()
        status, _, err = self.run_("top")
        self.assertEqual(status, 1)
        self.assertIn("--once prints one screen", err)

    def test_nobody(self) -> None:
        status, _, err = self.run_("top", "--once")
        self.assertEqual(status, 3)
        self.assertIn("is the balancer running?", err)

    def test_goneMeanwhile(self) -> None:
        self.answers = 0

        def answer(box: Any) -> Any:
            self.answers += 1
            return self.answer(box) if self.answers == 1 else None

        self.open(answer)
        status, _, err = self.run_("top", "--once", "-i", "0.1")
        self.assertEqual(status, 4)
        self.assertIn("has closed the connection", err)

    def test_refused(self) -> None:
        self.open(lambda _: {"_error": "1", "_error_code": "ACCESS_DENIED"})
        self.assertEqual(self.run_("top", "--once")[0], 1)

    def test_interval(self) -> None:
        for text in ("0", "x", "nan", "1e9", "50ms", "2h"):
            self.assertEqual(self.exits("top", "-i", text), 2)
        for text, seconds in (("0.5", 0.5), ("500ms", 0.5), ("1m", 60.0)):
            self.assertEqual(_top._interval(text), seconds)

    def test_comesBack(self) -> None:
        """
        A balancer that was started anew is looked at again.
        """
        door = self.open()
        top = Top(self.path, 1.0)
        self.addCleanup(top.close)
        top.look()
        self.assertEqual(top.trouble, "")
        door.close()
        top.look()
        self.assertNotEqual(top.trouble, "")
        os.unlink(self.path)
        self.open()
        top.look()
        self.assertEqual(top.trouble, "")

    def test_keys(self) -> None:
        top = Top(self.path, 1.0)
        busy = Busy(50)
        busy.look()
        top.rates = busy.rates
        for key, scroll in (("down", 1), ("page down", 21), ("up", 20), ("page up", 0)):
            top.pressed(key, 20)
            self.assertEqual(top.scroll, scroll)
        top.pressed("page down", 500)
        top.lines(80, 24, False)
        self.assertEqual(top.scroll, 31)
        top.pressed("hold", 20)
        self.assertIn("held", top.lines(80, 24, False)[0])

    def test_watch(self) -> None:
        """
        It looks every interval, and ends with q.
        """
        self.open()
        shown: list[list[str]] = []
        keys = ["", "hold", "", "hold", "down", "quit"]

        class FakeScreen:
            def size(self) -> tuple[int, int]:
                return 80, 24

            def show(self, lines: list[str]) -> None:
                shown.append(lines)

            def key(self, wait: float) -> str:
                clock[0] += 1.0
                return keys.pop(0)

        clock = [0.0]
        self.patch(time, "monotonic", lambda: clock[0])
        top = Top(self.path, 1.0)
        self.addCleanup(top.close)
        top.look()
        _top._watch(top, FakeScreen())  # type: ignore[arg-type]
        self.assertEqual(keys, [])
        self.assertGreaterEqual(len(shown), 4)
        self.assertIn("0/2 hosts up, 2 unchecked", plain(shown[-1][1]))


class ScreenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.far, near = pty.openpty()
        self.addCleanup(os.close, self.far)
        terminal = open(near, "r+b", buffering=0)  # noqa: SIM115
        self.addCleanup(terminal.close)
        self.terminal = open(os.dup(near), "w", encoding="utf-8")  # noqa: SIM115
        self.addCleanup(self.terminal.close)
        self.near = near
        self.patch(sys, "stdin", terminal)
        self.patch(sys, "stdout", self.terminal)

    def seen(self, last: bytes) -> str:
        """
        @return: what has come to the terminal, up to its last words.
        """
        data = b""
        # A terminal gives it in as many pieces as it likes.
        while not data.endswith(last) and select.select([self.far], [], [], 20)[0]:
            data += os.read(self.far, 65_536)
        return data.decode("utf-8")

    def broken(self, before: list[Any]) -> None:
        with Screen() as screen:
            self.assertNotEqual(termios.tcgetattr(self.near), before)
            screen.show(["one", "two"])
            raise ZeroDivisionError

    def test_restored(self) -> None:
        """
        Whatever happens, the terminal is what it was.
        """
        before = termios.tcgetattr(self.near)
        handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)]
        self.assertRaises(ZeroDivisionError, self.broken, before)
        self.assertEqual(termios.tcgetattr(self.near), before)
        self.assertEqual(
            [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)],
            handlers,
        )
        seen = self.seen(b"\x1b[?1049l")
        self.assertTrue(seen.startswith("\x1b[?1049h\x1b[?25l"))
        self.assertIn("two\x1b[K\x1b[J", seen)
        self.assertTrue(seen.endswith("\x1b[?25h\x1b[?1049l"))

    def test_keys(self) -> None:
        with Screen() as screen:
            self.assertEqual(screen.key(0), "")
            for typed, key in (
                (b"q", "quit"), (b"\x1b[A", "up"), (b"\x1b[6~", "page down"), (b"x", ""),
                (b" ", "hold"),
            ):  # fmt: skip
                os.write(self.far, typed)
                self.assertEqual(screen.key(5), key)

    def test_ended(self) -> None:
        """
        A signal ends it, and the terminal is put back.
        """
        before = termios.tcgetattr(self.near)
        with self.assertRaises(SystemExit) as caught, Screen():
            # To this thread, so that it has come when this returns.
            signal.raise_signal(signal.SIGTERM)
        self.assertEqual(caught.exception.code, 143)
        self.assertEqual(termios.tcgetattr(self.near), before)

    def test_suspended(self) -> None:
        """
        While it is stopped the terminal is the shell's.
        """
        before = termios.tcgetattr(self.near)
        stopped: list[Any] = []
        self.patch(os, "kill", lambda *_: stopped.append(termios.tcgetattr(self.near)))
        with Screen() as screen:
            screen._suspend(signal.SIGTSTP, None)
            self.assertEqual(stopped, [before])
            self.assertNotEqual(termios.tcgetattr(self.near), before)

    def test_size(self) -> None:
        self.patch(os, "environ", {"COLUMNS": "100", "LINES": "30"})
        self.assertEqual(Screen.size(), (100, 30))
