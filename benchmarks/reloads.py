"""
What a change of many hosts does to clients meanwhile: how long the reactor is held at most,
and how long a client waits.

    python -m benchmarks.reloads            # 2,000 and 5,000 hosts
    python -m benchmarks.reloads --short    # 2,000 hosts in one group
    python -m benchmarks.reloads --before FOLDER    # the txlb whose package lies in this folder
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from benchmarks import machine
from benchmarks.programs import ROOT, Program, freePort, python
from benchmarks.signals import BEGIN, END
from txlb.cli._client import Client

#: Nothing that an administrator does may hold the reactor for longer, in seconds.
MOST = 0.05

#: Seconds that are watched after an answer, for what goes on after it.
AFTER = 0.7

#: Hosts of a service, if there are many services.
OF_ONE = 10

CONFIG = """\
<config>
{services}
  <manager graceTime="0">{manager}</manager>
  <control socket="{folder}/control"/>
</config>
"""

SERVICE = """\
  <service name="{name}">
    <listen ip="127.0.0.1:{port}"/>
    <group name="g" scheduler="leastc" enable="yes">
{hosts}
    </group>
  </service>
"""


class Echo(StreamRequestHandler):
    """
    The host of all names: it sends back what it is sent.
    """

    def handle(self) -> None:
        """
        Serve one client.
        """
        self.wfile.write(self.rfile.read(1))


class Hosts(ThreadingTCPServer):
    """
    One server at every loopback address, so that it can be thousands of hosts.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


@dataclass(frozen=True)
class Shape:
    """
    A configuration: so many hosts, in one group or in many services.
    """

    hosts: int
    services: int

    @property
    def name(self) -> str:
        """
        What a table says.
        """
        if self.services == 1:
            return f"{self.hosts:,} hosts in one group"
        return f"{self.hosts:,} hosts in {self.services:,} services"


@dataclass(frozen=True)
class Seen:
    """
    What was measured while something was done.

    @ivar took: seconds until the answer.
    @ivar held: the longest turn of the reactor, in seconds of CPU.
    @ivar late: the 99th percentile of the requests' times, in seconds.
    @ivar most: the longest one.
    @ivar failed: how many requests failed.
    """

    name: str
    took: float
    held: float
    late: float
    most: float
    failed: int


class Balancer:
    """
    A txlb that is watched, with its file and a client.

    @param source: the folder with the code of txlb that it runs.
    """

    def __init__(self, folder: Path, shape: Shape, source: Path, hostPort: int) -> None:
        self.shape = shape
        self.folder = folder
        self._hostPort = hostPort
        self._ports = [freePort() for _ in range(shape.services)]
        self.names = [f"s{number}" for number in range(shape.services)]
        self._watch = folder / "watch.json"
        self.path = folder / "txlb.xml"
        self.weights: dict[int, int] = {}
        self.numbers = list(range(shape.hosts))
        self.manager = ""
        self.write()
        self._program = Program(
            "txlb",
            python("-m", "benchmarks.holding", str(self._watch), str(self.path)),
            folder,
            source,
        )
        self._program.waitForPort(("127.0.0.1", self._ports[0]))
        self._probe = subprocess.Popen(
            python("-m", "benchmarks.probe", "127.0.0.1", str(self._ports[0])),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self) -> None:
        """
        Write the file as it is to be now.
        """
        each = len(self.numbers) // self.shape.services
        services = []
        for number, port in enumerate(self._ports):
            lines = [
                f'      <host name="h{host}" ip="{_loopback(host)}:{self._hostPort}" '
                f'weight="{self.weights.get(host, 1)}"/>'
                for host in self.numbers[number * each : (number + 1) * each]
            ]
            name = self.names[number]
            services.append(SERVICE.format(name=name, port=port, hosts="\n".join(lines)))
        written = self.path.with_suffix(".part")
        written.write_text(
            CONFIG.format(services="".join(services), manager=self.manager, folder=self.folder),
            encoding="ascii",
        )
        written.rename(self.path)

    def replaceServices(self) -> None:
        """
        Let half of the services be others, at other ports.
        """
        for number in range(1, self.shape.services, 2):
            self.names[number] = f"other{number}"
            self._ports[number] = freePort()

    def ask(self, command: str, **values: str) -> list[dict[str, Any]]:
        """
        Give a command, by the control socket.
        """
        with Client(str(self.folder / "control"), 120.0) as client:
            return client.rows(command, **values)

    def measure(self, name: str, action: Callable[[], object]) -> Seen:
        """
        Do something, and see what becomes of the reactor and of clients.
        """
        time.sleep(0.3)
        self._asked()
        self._watch.unlink(missing_ok=True)
        self._program.process.send_signal(BEGIN)
        began = time.monotonic()
        action()
        took = time.monotonic() - began
        time.sleep(AFTER)
        self._program.process.send_signal(END)
        until = time.monotonic() + 10
        while not self._watch.exists() and time.monotonic() < until:
            time.sleep(0.01)
        held = json.loads(self._watch.read_text(encoding="ascii"))["turns"].get("most", 0.0)
        found = self._asked()
        return Seen(name, took, held, found["late"], found["most"], found["failed"])

    def _asked(self) -> dict[str, Any]:
        assert self._probe.stdin is not None and self._probe.stdout is not None
        self._probe.stdin.write("\n")
        self._probe.stdin.flush()
        found: dict[str, Any] = json.loads(self._probe.stdout.readline())
        return found

    def stop(self) -> None:
        """
        End everything that was started.
        """
        self._probe.kill()
        self._probe.communicate()
        self._program.stop()


def _loopback(number: int) -> str:
    return f"127.1.{number // 250}.{number % 250 + 1}"


def actions(balancer: Balancer) -> Iterator[tuple[str, Callable[[], object]]]:
    """
    Yield what is done, one after the other: each changes the file of the balancer, if it has to,
    before it is yielded.
    """
    half = balancer.shape.hosts // 2

    def reload() -> object:
        return balancer.ask("Reload")

    yield "nothing is done", lambda: time.sleep(0.5)
    yield "reload, nothing changed", reload
    balancer.weights[3] = 7
    balancer.write()
    yield "reload, one weight changed", reload
    balancer.weights.update(dict.fromkeys(range(half), 5))
    balancer.write()
    yield "reload, half of the weights changed", reload
    balancer.numbers[::2] = [each + 10_000 for each in balancer.numbers[::2]]
    balancer.write()
    yield "reload, half of the hosts replaced", reload
    balancer.numbers.reverse()
    balancer.write()
    yield "reload, the hosts in another order", reload
    if balancer.shape.services > 1:
        balancer.replaceServices()
        balancer.write()
        yield "reload, half of the services replaced", reload
    balancer.manager = '<hostCheck interval="60" enable="yes"/>'
    balancer.write()
    yield "reload, a check for all hosts", reload
    balancer.manager = ""
    balancer.write()
    yield "reload, no check for any host", reload
    balancer.weights.update(dict.fromkeys(balancer.numbers[:half], 9))
    balancer.write()
    yield "diff, half of the weights changed", lambda: balancer.ask("Diff")
    yield "plan, half of the weights changed", lambda: balancer.ask("Plan")
    yield "reload, half of the weights changed", reload
    group = {"service": "s0", "group": "g"}
    for word in ("sticky", "weightr", "leastc"):
        yield (
            f"scheduler {word} for one group",
            lambda word=word: balancer.ask("SetScheduler", **group, scheduler=word),  # type: ignore[misc]  # bound at once
        )
    each = balancer.shape.hosts // balancer.shape.services
    some = [f"h{number}" for number in balancer.numbers[1:each][:200]]
    yield (
        "weight of up to 200 hosts, one by one",
        lambda: _ofEach(balancer, "SetWeight", some, weight="3"),
    )
    yield "drain of up to 200 hosts, one by one", lambda: _ofEach(balancer, "Drain", some)
    yield "save", lambda: balancer.ask("Save")
    yield "status", lambda: balancer.ask("Status")


def _ofEach(balancer: Balancer, command: str, names: list[str], **values: str) -> None:
    with Client(str(balancer.folder / "control"), 120.0) as client:
        for name in names:
            client.rows(command, service="s0", group="g", host=name, **values)


def measured(shape: Shape, source: Path, only: str = "") -> Iterator[Seen]:
    """
    Start a balancer of a shape, and measure each action.
    """
    with tempfile.TemporaryDirectory(prefix="txlb-bench") as name:
        port = freePort()
        hosts = Hosts(("0.0.0.0", port), Echo)
        threading.Thread(target=hosts.serve_forever, daemon=True).start()
        balancer = Balancer(Path(name), shape, source, port)
        try:
            for title, action in actions(balancer):
                if only in title:
                    yield balancer.measure(title, action)
                else:
                    action()
        finally:
            balancer.stop()
            hosts.shutdown()
            hosts.server_close()


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reloads",
        description="Measure how long changes of many hosts hold the reactor, and what clients "
        "see of that.",
    )
    parser.add_argument("--short", action="store_true", help="2,000 hosts in one group only")
    parser.add_argument("--shape", metavar="HOSTS/SERVICES", help="only so many, such as 500/50")
    parser.add_argument("--only", default="", help="only actions whose name has this in it")
    parser.add_argument(
        "--before",
        type=Path,
        default=ROOT / "src",
        metavar="FOLDER",
        help="the folder with the package of the txlb to measure, such as the src of an earlier "
        "revision",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """
    Measure, and print a table.

    @return: the exit status: 0 if nothing held the reactor for longer than L{MOST}, and no
        request failed.
    """
    options = _options(arguments)
    machine.raiseDescriptorLimit()
    shapes = [Shape(2000, 1)]
    if options.shape:
        shapes = [Shape(*map(int, options.shape.split("/")))]
    elif not options.short:
        shapes += [Shape(2000, 200), Shape(5000, 1), Shape(5000, 500)]
    right = True
    for shape in shapes:
        print(f"{shape.name}\n  {'':<44}{'took':>9}{'held':>9}{'p99':>9}{'longest':>9}  (ms)")
        for seen in measured(shape, options.before.resolve(), options.only):
            figures = "".join(
                f"{1000 * each:>9.1f}" for each in (seen.took, seen.held, seen.late, seen.most)
            )
            failed = f"  {seen.failed} requests failed" if seen.failed else ""
            over = "  too long" if seen.held > MOST else ""
            print(f"  {seen.name:<44}{figures}{over}{failed}", flush=True)
            right = right and seen.held <= MOST and not seen.failed
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
