"""
A balancer that relays short connections all the time, while something else is done beside: what
L{benchmarks.console} and L{benchmarks.logins} share.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Any, Self

from benchmarks.figures import Figure, ratio
from benchmarks.machine import PROXY_CORE, comeFirst, cpuTime, residentMemory, startingOn
from benchmarks.programs import PATIENCE, ROOT, Program, ProgramError, freePort, python
from benchmarks.signals import BEGIN, END


class Echo(StreamRequestHandler):
    """
    Sends back what it gets.
    """

    def handle(self) -> None:
        """
        Serve a connection.
        """
        with contextlib.suppress(OSError):
            self.wfile.write(self.rfile.read())


class Host(ThreadingTCPServer):
    """
    The host, in a thread of the benchmark.
    """

    daemon_threads = True
    request_queue_size = 128


@dataclass(frozen=True)
class Round:
    """
    What was seen in one round of one way.

    @ivar count: connections that were relayed.
    @ivar failed: those that failed.
    @ivar cpu: microseconds of CPU of the balancer's process for each connection.
    @ivar late: seconds that 99 of 100 connections took at most.
    @ivar most: seconds that the longest one took.
    @ivar held: the most seconds of CPU that the reactor spent in one turn.
    @ivar collected: the most seconds of CPU that a collection of garbage took.
    @ivar memory: bytes of the balancer's resident set at the end.
    """

    count: int
    failed: int
    cpu: float
    late: float
    most: float
    held: float
    collected: float
    memory: int


class Beside:
    """
    A balancer, its host, and a client that makes one connection after the other. It is a context.

    @param config: the text of the configuration file, with C{{port}} for the port of the service
        and C{{host}} for that of its host.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self._watch = folder / "watch.json"
        self._host = Host(("127.0.0.1", 0), Echo)
        threading.Thread(target=self._serve, daemon=True).start()
        port = freePort()
        path = folder / "txlb.xml"
        text = config.replace("{port}", str(port))
        path.write_text(text.replace("{host}", str(self._host.server_address[1])), encoding="utf-8")
        with startingOn(PROXY_CORE):
            self._program = Program(
                "txlb", python("-m", "benchmarks.holding", str(self._watch), str(path)), folder
            )
        self._program.waitForPort(("127.0.0.1", port))
        self._probe = subprocess.Popen(
            python("-m", "benchmarks.probe", "127.0.0.1", str(port)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _serve(self) -> None:
        comeFirst()
        self._host.serve_forever()

    def __enter__(self) -> Self:
        """
        Begin.
        """
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """
        End everything that was started.
        """
        self._probe.kill()
        self._probe.communicate()
        self._program.stop()
        self._host.shutdown()
        self._host.server_close()

    def waitForPort(self, port: int) -> None:
        """
        Wait until the balancer listens at another port too.
        """
        self._program.waitForPort(("127.0.0.1", port))

    def measure(self, action: Callable[[], object], seconds: float) -> Round:
        """
        See what becomes of connections for a time.

        @param action: is called at the beginning. What it takes is a part of the time, which is
            longer if that takes longer.
        """
        pid = self._program.pid
        self._asked()
        self._watch.unlink(missing_ok=True)
        self._program.process.send_signal(BEGIN)
        before, until = cpuTime([pid]), time.monotonic() + seconds
        action()
        time.sleep(max(until - time.monotonic(), 0.0))
        found, used = self._asked(), cpuTime([pid]) - before
        self._program.process.send_signal(END)
        seen = self._seen()
        return Round(
            count=found["count"],
            failed=found["failed"],
            cpu=used / 1000 / max(found["count"], 1),
            late=found["late"],
            most=found["most"],
            held=seen["turns"].get("most", 0.0),
            collected=seen["collections"].get("most", 0.0),
            memory=residentMemory(pid),
        )

    def _seen(self) -> Mapping[str, Mapping[str, float]]:
        until = time.monotonic() + PATIENCE
        while not self._watch.exists():
            if time.monotonic() > until or self._program.process.poll() is not None:
                raise ProgramError(f"the balancer tells nothing; its log is {self._program.log}")
            time.sleep(0.01)
        seen: dict[str, dict[str, float]] = json.loads(self._watch.read_text(encoding="ascii"))
        return seen

    def _asked(self) -> dict[str, Any]:
        assert self._probe.stdin is not None and self._probe.stdout is not None
        self._probe.stdin.write("\n")
        self._probe.stdin.flush()
        found: dict[str, Any] = json.loads(self._probe.stdout.readline())
        return found


@dataclass
class Comparison:
    """
    Rounds of several ways that take turns.

    @ivar ways: the actions by name. The first two do nothing: they are the A/A pair.
    @ivar rounds: what was seen, by way.
    """

    ways: Mapping[str, Callable[[], object]]
    rounds: dict[str, list[Round]] = field(default_factory=dict)

    def run(self, beside: Beside, seconds: float, until: float) -> None:
        """
        Measure until a time, three rounds of each way at least. Every second time the ways go in
        the opposite order.

        @param until: in seconds of the monotonic clock.
        """
        number = 0
        while number < 3 or time.monotonic() + len(self.ways) * seconds < until:
            names = list(self.ways) if number % 2 else list(self.ways)[::-1]
            for name in names:
                seen = beside.measure(self.ways[name], seconds)
                self.rounds.setdefault(name, []).append(seen)
            number += 1

    def ratios(self, value: Callable[[Round], float]) -> Mapping[str, Figure]:
        """
        Return the ratio of each way to the first one, round by round.
        """
        values = {name: dict(enumerate(map(value, rounds))) for name, rounds in self.rounds.items()}
        first, *others = self.ways
        found = {name: ratio(values[name], values[first]) for name in others}
        return {name: each for name, each in found.items() if each is not None}

    def verdicts(self, what: str, value: Callable[[Round], float]) -> Iterator[str]:
        """
        Yield a line for each way: its ratio, and whether it is within the A/A spread.
        """
        pair, *others = self.ratios(value).items()
        spread = pair[1]
        yield f"{what}, A/A: {_words(spread)}"
        for name, figure in others:
            isWithin = figure.overlaps(spread) or figure.median <= spread.high
            word = "within the A/A spread" if isWithin else "NOT within the A/A spread"
            yield f"{what}, {name} beside nothing: {_words(figure)}: {word}"

    def table(self) -> Iterator[str]:
        """
        Yield a line for each way, with the medians of its rounds and the worst of all.
        """
        yield (
            f"{'':<22} {'connections':>11} {'failed':>6} {'CPU each':>9} {'p99':>9} {'longest':>9} "
            f"{'held':>8} {'collector':>9} {'memory':>9}"
        )
        for name, rounds in self.rounds.items():
            yield (
                f"{name:<22} {sum(each.count for each in rounds):>11} "
                f"{sum(each.failed for each in rounds):>6} "
                f"{_middle([each.cpu for each in rounds]):>6.1f} µs "
                f"{_middle([each.late for each in rounds]) * 1000:>6.2f} ms "
                f"{max(each.most for each in rounds) * 1000:>6.1f} ms "
                f"{max(each.held for each in rounds) * 1000:>5.1f} ms "
                f"{max(each.collected for each in rounds) * 1000:>6.1f} ms "
                f"{max(each.memory for each in rounds) / 2**20:>5.1f} MiB"
            )


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _words(figure: Figure) -> str:
    return f"{figure.median:.3f} ({figure.low:.3f} to {figure.high:.3f}, {figure.count} rounds)"
