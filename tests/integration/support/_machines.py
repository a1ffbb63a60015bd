"""
Machines: network namespaces that are connected, each with its own addresses.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.integration.programs import PATIENCE, Program, environment, waitUntil
from tests.integration.support._case import STARTED, TWISTD, IntegrationTestCase, runTxlb
from tests.integration.support._usage import catches

#: The first three numbers of the addresses at which machines serve, and of those at which
#: they talk to one another. The machines have the numbers from 1.
FRONT, BACK = "192.0.2", "198.51.100"

#: The number of the switch in both networks. Clients and hosts are there.
SWITCH = 254

#: The numbers of the hosts.
HOSTS = (11, 12)

_numbers = itertools.count(1)

#: A script that runs a command with another name of the machine.
_NAMED = 'hostname "$0" && exec "$@"'


def _run(*command: str | Path) -> str:
    """
    Run a command to its end.

    @return: what it prints.
    """
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise AssertionError(f"{command} failed: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """
    A network namespace. Programs in it are killed with it, at the end of the test.

    @ivar name: its name for C{ip netns}.
    """

    def __init__(self, case: IntegrationTestCase) -> None:
        self._case = case
        self.name = f"txlb{os.getpid()}-{next(_numbers)}"
        try:
            _run("ip", "netns", "add", self.name)
        except AssertionError as error:
            raise SkipTest(f"this machine allows no network namespaces: {error}") from None
        case.addCleanup(self._remove)
        self.ip("link", "set", "lo", "up")
        #: The name of the machine that programs see; empty for that of this one.
        self.hostname = ""

    def ip(self, *arguments: str) -> str:
        """
        Run C{ip} in it.
        """
        return _run("ip", "-n", self.name, *arguments)

    @property
    def inside(self) -> tuple[str, ...]:
        """
        The command that runs another in it.
        """
        inside = ("ip", "netns", "exec", self.name)
        if not self.hostname:
            return inside
        return (*inside, "unshare", "--uts", "sh", "-c", _NAMED, self.hostname)

    def pids(self) -> list[int]:
        """
        Return the processes in it.
        """
        return [int(word) for word in _run("ip", "netns", "pids", self.name).split()]

    def start(self, *command: str | Path) -> Program:
        """
        Start a program in it.
        """
        return self._case.start(*self.inside, *command)

    def kill(self) -> None:
        """
        Kill every process in it.
        """
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        waitUntil(lambda: not self.pids())

    def _remove(self) -> None:
        self.kill()
        _run("ip", "netns", "del", self.name)


class Machine(Namespace):
    """
    A machine with a front, at which clients come, and a back, at which machines talk to one
    another. Owned by L{Machines}.

    @ivar number: its number, from 1.
    @ivar front: its address for clients.
    @ivar back: its address for other machines.
    @ivar folder: its own folder.
    @ivar isDead: whether it has lost its power.
    """

    def __init__(self, case: IntegrationTestCase, switch: Namespace, number: int) -> None:
        super().__init__(case)
        self.number = number
        self.hostname = f"machine{number}"
        self.isDead = False
        self.front, self.back = f"{FRONT}.{number}", f"{BACK}.{number}"
        self.folder = case.folder / f"machine{number}"
        self.folder.mkdir()
        self._state = self.folder / "state"
        self._state.mkdir(mode=0o700)
        self._sockets = case.shortFolder()
        self._switch = switch
        for port, device, address in (
            (f"front{number}", "eth0", self.front),
            (f"back{number}", "eth1", self.back),
        ):
            _run(
                *("ip", "link", "add", device, "netns", self.name, "type", "veth"),
                *("peer", "name", port, "netns", switch.name),
            )
            switch.ip("link", "set", port, "master", device)
            switch.ip("link", "set", port, "up")
            self.ip("addr", "add", f"{address}/24", "dev", device)
            self.ip("link", "set", device, "up")

    @property
    def control(self) -> str:
        """
        The path of the control socket of its balancer.
        """
        return str(self._sockets / "control")

    def withSocket(self, text: str) -> str:
        """
        Replace the path of the control socket of a whole machine by that of this one.
        """
        return text.replace("/run/txlb/control", self.control)

    def write(self, name: str, text: str) -> Path:
        """
        Write a file in its folder.
        """
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    # The network

    def cutBack(self) -> None:
        """
        Cut the machine off from the other ones. Clients and hosts reach it.
        """
        self._switch.ip("link", "set", f"back{self.number}", "down")

    def mendBack(self) -> None:
        """
        Connect the machine with the other ones again.
        """
        self._switch.ip("link", "set", f"back{self.number}", "up")

    def die(self) -> None:
        """
        Let the machine end as by a loss of power: no packet leaves it any more, and all its
        processes are gone.
        """
        self.isDead = True
        self._switch.ip("link", "set", f"front{self.number}", "down")
        self._switch.ip("link", "set", f"back{self.number}", "down")
        self.kill()

    def revive(self) -> None:
        """
        Connect the machine again after L{die}. Nothing runs on it.
        """
        self._switch.ip("link", "set", f"front{self.number}", "up")
        self.mendBack()
        self.isDead = False

    def has(self, address: str) -> bool:
        """
        Tell whether the machine lives and has an address.
        """
        if self.isDead:
            return False
        found = json.loads(self.ip("-j", "addr", "show", "dev", "eth0"))
        return any(each["local"] == address for link in found for each in link["addr_info"])

    # Programs

    def startTwistd(self, *arguments: str | Path) -> Program:
        """
        Start twistd in it and wait until the balancer in it has begun.
        """
        program = Program(
            (*self.inside, *TWISTD, "-n", *arguments),
            self.folder,
            environment(STATE_DIRECTORY=str(self._state)),
        )
        self._case.addCleanup(self._case.stopTwistd, program)
        program.waitFor(STARTED)
        # ip has become twistd.
        waitUntil(lambda: catches(program.process.pid, signal.SIGTERM))
        return program

    def startTxlb(self, config: str) -> Program:
        """
        Start C{twistd -n txlb -c} with a configuration.
        """
        return self.startTwistd("txlb", "-c", self.write("config.xml", config))

    def startKeepalived(self, config: str) -> Program:
        """
        Start keepalived with a configuration, and wait until it has read that.
        """
        path = self.write("keepalived.conf", config)
        program = self.start(
            *(
                "keepalived",
                "--dont-fork",
                "--log-console",
                "--log-detail",
                "--no-syslog",
                "--vrrp",
            ),
            *("-f", path, "-p", self.folder / "keepalived.pid", "-r", self.folder / "vrrp.pid"),
        )
        program.waitFor("Startup complete")
        return program

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """
        Run C{txlb} with the control socket of the machine. No network is needed for that.
        """
        return runTxlb(self.control, *words)

    @property
    def txlb(self) -> str:
        """
        The path of the C{txlb} command.
        """
        found = shutil.which("txlb", path=environment()["PATH"])
        if found is None:
            raise SkipTest("not installed: txlb")
        return found


@dataclass(frozen=True)
class Request:
    """
    One request of a client.

    @ivar begun: seconds of the monotonic clock.
    @ivar ended: likewise.
    @ivar result: C{ok}, C{refused}, C{reset}, C{late}, or the name of another error.
    @ivar machine: the number of the machine that has relayed it; 0 for none.
    """

    begun: float
    ended: float
    result: str
    machine: int


class Clients:
    """
    Clients that make requests without a break, each on a connection of its own, from a
    L{Switch}.

    @param threads: how many there are at a time.
    """

    def __init__(self, program: Program, path: Path) -> None:
        self._program = program
        self._path = path
        self._read = 0
        self._requests: list[Request] = []

    def requests(self) -> list[Request]:
        """
        Return the requests that have ended.
        """
        with self._path.open("rb") as file:
            file.seek(self._read)
            # The last line may not be whole.
            data = file.read().rpartition(b"\n")[0]
        if data:
            self._read += len(data) + 1
            self._requests += [Request(*json.loads(line)) for line in data.split(b"\n")]
            self._requests.sort(key=lambda each: each.ended)
        return list(self._requests)

    def served(self, since: float = 0.0) -> list[Request]:
        """
        Return the requests that were answered and began after a time.
        """
        return [each for each in self.requests() if each.result == "ok" and each.begun >= since]

    def stop(self) -> list[Request]:
        """
        End them.

        @return: all requests.
        """
        self._program.stop()
        return self.requests()


def longestGap(requests: Sequence[Request]) -> float:
    """
    Return the longest time in which no request was answered, in seconds.
    """
    ends = sorted(each.ended for each in requests if each.result == "ok")
    return max((after - before for before, after in itertools.pairwise(ends)), default=0.0)


class Machines:
    """
    Machines on a switch. Clients are on the switch, and hosts that tell which machine has
    connected.

    @ivar machines: the machines.
    @ivar switch: the namespace of the switch.
    @ivar hosts: the addresses of the hosts.
    """

    def __init__(self, case: IntegrationTestCase, count: int) -> None:
        case.need("ip")
        if os.getuid() != 0:
            raise SkipTest("network namespaces that are connected need root")
        self._case = case
        self.switch = Namespace(case)
        for name, addresses in (
            ("eth0", [f"{FRONT}.{last}" for last in (SWITCH, *HOSTS)]),
            ("eth1", [f"{BACK}.{SWITCH}"]),
        ):
            self.switch.ip("link", "add", name, "type", "bridge")
            for address in addresses:
                self.switch.ip("addr", "add", f"{address}/24", "dev", name)
            self.switch.ip("link", "set", name, "up")
        self.machines = [Machine(case, self.switch, number + 1) for number in range(count)]
        self.hosts = [f"{FRONT}.{last}:7001" for last in HOSTS]

    def each(self, start: Callable[[Machine], object]) -> None:
        """
        Do something for all machines at a time, such as the start of a program.
        """
        with ThreadPoolExecutor(len(self.machines)) as threads:
            list(threads.map(start, self.machines))

    def startHosts(self) -> None:
        """
        Start the hosts.
        """
        for host in self.hosts:
            self.switch.start(sys.executable, _SCRIPT, "host", host).waitFor("listens")

    def clients(self, address: str, threads: int = 4) -> Clients:
        """
        Start clients of an address, C{host:port}.
        """
        path = self._case.folder / f"requests-{next(_numbers)}"
        path.touch()
        program = self.switch.start(sys.executable, _SCRIPT, "clients", address, str(threads), path)
        return Clients(program, path)


_SCRIPT = Path(__file__).resolve().parent.parent / "gapped_clients.py"
