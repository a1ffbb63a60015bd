"""
The share of a host that is kept busy for a while, over time: two hosts with agents, a
balancer that asks them, and clients at a steady rate.

    python -m benchmarks.shares --svg docs/_static/benchmarks/shares.svg
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.internet.task import LoopingCall, deferLater, react

from benchmarks.report import FAINT, INK, OURS, QUIET, Axis, line, page, text
from txlb.application.service import LoadBalancedService
from txlb.manager import ProxyManager
from txlb.model import ProxyGroup, ProxyHost, ProxyService, ResourceProbe, TCPAddress
from txlb.schedulers import schedulerWords

ROOT = Path(__file__).resolve().parent.parent

#: The addresses of the hosts; both have their agent on the same port.
ADDRESSES = ("127.0.0.1", "127.0.0.2")

#: Seconds that are counted together.
WINDOW = 0.5


@dataclass(frozen=True)
class Phases:
    """
    How long what lasts, in seconds, and how many clients come in one.
    """

    before: float = 4.0
    busy: float = 12.0
    after: float = 16.0
    rate: float = 100.0


@dataclass(frozen=True)
class Sample:
    """
    One window: when it ended, in seconds from the first one's beginning; how many
    connections there were; how many of them the busy host got; and what it weighed.
    """

    at: float
    connections: int
    busy: int
    weight: float


class HostProcess(ProcessProtocol):
    """
    A host, as a program of its own.

    @ivar ready: fires when it has begun.
    @ivar over: fires when it has ended.
    """

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()
        self.over: Deferred[None] = Deferred()

    def say(self, word: bytes) -> None:
        """
        Tell it what to do.
        """
        transport: Any = self.transport
        transport.write(word + b"\n")

    def outReceived(self, data: bytes) -> None:
        """
        Begin.
        """
        if not self.ready.called:
            self.ready.callback(None)

    def errReceived(self, data: bytes) -> None:
        """
        Show what is wrong.
        """
        sys.stderr.write(data.decode())

    def processEnded(self, reason: Any) -> None:
        """
        End.
        """
        if not self.ready.called:
            self.ready.errback(reason)
        self.over.callback(None)

    async def end(self) -> None:
        """
        End it.
        """
        transport: Any = self.transport
        transport.closeStdin()
        await self.over


class Client(Protocol):
    """
    Connects and goes.
    """

    def connectionMade(self) -> None:
        """
        Go.
        """
        transport: Any = self.transport
        transport.loseConnection()


async def measure(reactor: Any, ports: tuple[int, int], phases: Phases) -> list[Sample]:
    """
    Run it all.

    @param ports: where hosts and agents listen.
    """
    hosts = [HostProcess() for _ in ADDRESSES]
    for host, address in zip(hosts, ADDRESSES, strict=True):
        words = [sys.executable, "-m", "benchmarks.busyhost", address, *map(str, ports)]
        reactor.spawnProcess(host, sys.executable, words, env=None, path=str(ROOT))
    try:
        for host in hosts:
            await host.ready
        return await _balanced(reactor, hosts[0], ports, phases)
    finally:
        for host in hosts:
            await host.end()


async def _balanced(
    reactor: Any, busyHost: HostProcess, ports: tuple[int, int], phases: Phases
) -> list[Sample]:
    word = "resource" if "resource" in schedulerWords() else "weightr"
    group = ProxyGroup(
        "hosts",
        word,
        True,
        [ProxyHost(f"h{number}", each, ports[0], 100) for number, each in enumerate(ADDRESSES)],
        resource=ResourceProbe("agent", 0.5, timeout=0.5, smoothing=0.5, port=ports[1]),
    )
    manager = ProxyManager([ProxyService("web", ["127.0.0.1:0"], [group])])
    balancer = LoadBalancedService(manager, graceTime=1.0)
    balancer.startService()
    address = balancer.getProxyService("web").addresses[0]
    assert isinstance(address, TCPAddress)
    endpoint = TCP4ClientEndpoint(reactor, address.host, address.port, timeout=10)
    factory = Factory.forProtocol(Client)
    factory.noisy = False

    def client() -> None:
        maybeDeferred(endpoint.connect, factory).addErrback(lambda _: None)

    clients = LoopingCall(client)
    try:
        # Until loads are known.
        await deferLater(reactor, 2.0)
        clients.start(1 / phases.rate)
        counter = Counter(manager)
        await counter.run(reactor, phases.before)
        busyHost.say(b"burn")
        await counter.run(reactor, phases.busy)
        busyHost.say(b"rest")
        await counter.run(reactor, phases.after)
        return counter.samples
    finally:
        if clients.running:
            clients.stop()
        await balancer.stopService()


class Counter:
    """
    Counts connections, window by window.
    """

    def __init__(self, manager: ProxyManager) -> None:
        self._pool = manager.getPool("web")
        self._seconds = manager.seconds
        self._began = self._seconds()
        self._before = self._counts()
        self.samples: list[Sample] = []

    def _counts(self) -> tuple[int, int]:
        first, second = (host.counters.connections for host in self._pool.hosts)
        return first, second

    async def run(self, reactor: Any, seconds: float) -> None:
        """
        Go on for so long.
        """
        until = self._seconds() + seconds
        while self._seconds() < until:
            await deferLater(reactor, WINDOW)
            now, before = self._counts(), self._before
            self._before = now
            busy = now[0] - before[0]
            total = busy + now[1] - before[1]
            weight = self._pool.hosts[0].effectiveWeight
            at = self._seconds() - self._began
            self.samples.append(Sample(round(at, 3), total, busy, round(weight, 2)))


def draw(samples: Sequence[Sample], phases: Phases) -> str:
    """
    Draw a plot of the share over time.
    """
    left, right, top, bottom = 56, 400, 56, 256
    begin, end = phases.before, phases.before + phases.busy
    across = Axis([samples[-1].at], left, right, linear=True)
    up = Axis([0.7], bottom, top, linear=True)
    x1, x2 = across.place(begin), across.place(end)
    parts = [
        text(8, 20, "Share of the host that is kept busy for a while", INK, 'font-weight="600"'),
        f'<rect x="{x1:.1f}" y="{top}" width="{x2 - x1:.1f}" height="200" fill="{FAINT}"/>',
        text((x1 + x2) / 2, top + 14, "busy", QUIET, 'text-anchor="middle"'),
    ]
    for tick in up.ticks():
        parts.append(line(left, up.place(tick), right, up.place(tick), FAINT))
        parts.append(text(left - 6, up.place(tick) + 4, f"{tick:.0%}", QUIET, 'text-anchor="end"'))
    third = up.place(1 / 3)
    parts.append(line(left, third, right, third, QUIET))
    parts.append(text(right + 4, third + 4, "1/3", QUIET))
    parts += [
        text(across.place(tick), bottom + 14, f"{tick:g}", QUIET, 'text-anchor="middle"')
        for tick in across.ticks()
    ]
    shares = [(each.at, each.busy / each.connections) for each in samples if each.connections]
    points = " ".join(f"{across.place(x):.1f},{up.place(y):.1f}" for x, y in shares)
    parts.append(f'<polyline points="{points}" fill="none" stroke="{OURS}" stroke-width="2"/>')
    parts.append(text(right, bottom + 30, "seconds", QUIET, 'text-anchor="end"'))
    return page([("\n".join(parts), bottom + 40)], 1)


def main(arguments: Sequence[str]) -> None:
    """
    Measure, and write it down.
    """
    usual = Phases()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shares", description=__doc__)
    parser.add_argument("--svg", type=Path, help="write a plot to this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--ports", type=int, nargs=2, default=(27001, 29999))
    for name, value in asdict(usual).items():
        parser.add_argument(f"--{name}", type=float, default=value)
    options = parser.parse_args(arguments)
    phases = Phases(**{name: getattr(options, name) for name in asdict(usual)})

    async def run(reactor: Any) -> None:
        samples = await measure(reactor, tuple(options.ports), phases)
        total = sum(each.connections for each in samples)
        figures = {
            "phases": asdict(phases),
            "connections": total,
            "samples": [asdict(each) for each in samples],
        }
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")
        if options.svg is not None:
            options.svg.write_text(draw(samples, phases))
        print(f"{total} connections")

    react(lambda reactor: Deferred.fromCoroutine(run(reactor)))


if __name__ == "__main__":
    main(sys.argv[1:])
