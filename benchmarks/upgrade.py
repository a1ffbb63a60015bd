"""
What clients notice of an upgrade, and what is left after it: C{python -m benchmarks.upgrade}.

Two balancers run side by side, with as many connections each. A few of these, spread over all, send
a number every other millisecond, and get it back. One balancer is upgraded again and again, the
other one is the control. The longest wait for a number from the start of an upgrade to the end of
the old process is the silence of its connection. The clients and the hosts are a program in C,
C{silence.c}, which this compiles, so that they take little of the machine.

With C{--peers} HAProxy (C{-sf}) and nginx (SIGUSR2, SIGQUIT) are replaced likewise, with long
connections, and the processes, the memory and the connections are counted some seconds later.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.programs import freePort

ROOT = Path(__file__).resolve().parent.parent
HERE = "127.0.0.1"

#: Seconds for each thing that has to happen.
PATIENCE = 120.0

#: Connections that talk through each balancer, and microseconds between two numbers of one.
TALKERS, PERIOD = 8, 2000

#: Seconds between two upgrades.
BETWEEN = 1.0

#: Seconds in which the buffers of slow connections are filled.
FILLING = 5.0

#: Connections that are opened at a time.
OPENED_AT_ONCE = 200

#: Descriptors of a process besides two for each connection.
OTHERS = 200

#: Seconds after which the peers are looked at.
LATER = 10.0

TXLB = """<config><service name="web" relay="fast"><listen ip="{here}:{port}"/>
<group name="g" enable="yes"><host name="h" ip="{here}:{host}"/></group></service>
<control socket="{folder}/control"/></config>
"""
HAPROXY = """global
  maxconn 9000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen web
  bind {here}:{port}
  server h {here}:{host}
"""
NGINX = """load_module modules/ngx_stream_module.so;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 18000; }}
stream {{ server {{ listen {here}:{port}; proxy_timeout 1h; proxy_pass {here}:{host}; }} }}
"""


def until(condition: Callable[[], object], what: str, pause: float = 0.005) -> None:
    """
    Wait until something is so.

    @param pause: seconds between two looks.
    @raise RuntimeError: it takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not after {PATIENCE} s")
        time.sleep(pause)


def isGone(pid: int) -> bool:
    """
    Tell whether a process has ended.
    """
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        return text.rpartition(")")[2].split()[0] == "Z"
    return True


def proportional(pid: int) -> float:
    """
    Read the memory of a process, with its share of what it shares, in MiB.
    """
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
        found = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def descriptors(pid: int) -> int:
    """
    Count the open descriptors of a process.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


def processesAt(word: str) -> list[int]:
    """
    List the processes with a word in their command line.
    """
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                data = Path(f"/proc/{name}/cmdline").read_bytes()
                if word.encode() in data and not isGone(int(name)):
                    found.append(int(name))
    return found


def childrenOf(*parents: int) -> list[int]:
    """
    List the children of processes.
    """
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{name}/stat").read_text("ascii", "replace")
                if int(text.rpartition(")")[2].split()[1]) in parents:
                    found.append(int(name))
    return found


class Balancer:
    """
    A txlb that runs as a program of its own.

    @param imports: modules that its processes import first.
    @param ahead: a folder with packages that they prefer.
    @param environ: variables for it.
    """

    def __init__(
        self,
        folder: Path,
        hostPort: int,
        imports: Sequence[str] = (),
        ahead: Path | None = None,
        **environ: str,
    ) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self.port = freePort()
        self._pidFile = folder / "pid"
        config = folder / "config.xml"
        config.write_text(TXLB.format(here=HERE, port=self.port, host=hostPort, folder=folder))
        self._log = folder / "log"
        paths = [ROOT / "src", ROOT] if ahead is None else [ahead, ROOT / "src", ROOT]
        code = [f"import {module}" for module in imports]
        code.append("from twisted.scripts.twistd import run; run()")
        # All processes append to it.
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", "; ".join(code)),
                    *("-n", f"--pidfile={self._pidFile}", "txlb", "-c", str(config)),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **environ, "PYTHONPATH": ":".join(map(str, paths))},
            )
        until((folder / "control").exists, "the balancer starts")

    @property
    def log(self) -> str:
        """
        What it has written.
        """
        return self._log.read_text("utf-8", "replace")

    @property
    def logSize(self) -> int:
        """
        The size of that, in bytes.
        """
        return self._log.stat().st_size

    def logFrom(self, place: int) -> str:
        """
        Read what it has written since there were so many bytes.
        """
        with self._log.open("rb") as file:
            file.seek(place)
            return file.read().decode("utf-8", "replace")

    @property
    def pid(self) -> int:
        """
        The process that serves.
        """
        return int(self._pidFile.read_text("ascii") or 0)

    def hasOtherThan(self, pid: int) -> bool:
        """
        Tell whether another process serves.
        """
        return self.pid != pid

    def stop(self) -> None:
        """
        End it.
        """
        # Without a file, or a number in it, there is no other process.
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid or self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


class Silence:
    """
    A host, and connections to it through a balancer, some of which talk.

    @param program: the compiled C{silence.c}.
    @param folder: for the balancer.
    @param slow: how many read slowly, so that the balancer holds bytes of them.
    """

    def __init__(self, program: Path, folder: Path, connections: int, slow: int) -> None:
        self._stack = contextlib.ExitStack()
        port = freePort()
        try:
            host = subprocess.Popen([program, "host", str(port)])
            self._stack.callback(host.wait)
            self._stack.callback(host.kill)
            until(partial(listens, port), "the host starts")
            self.balancer = Balancer(folder, port)
            self._stack.callback(self.balancer.stop)
            numbers = [self.balancer.port, connections, TALKERS, PERIOD, slow]
            self._clients = subprocess.Popen(
                [program, "clients", *map(str, numbers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._stack.callback(self._clients.wait)
            self._stack.callback(self._clients.kill)
            self._line()
        except BaseException:
            self.stop()
            raise

    def _line(self) -> str:
        assert self._clients.stdout is not None
        line = self._clients.stdout.readline()
        if not line:
            raise RuntimeError("a connection has ended, or gives other bytes")
        return line

    def longest(self) -> list[float]:
        """
        Tell the longest wait of each connection that talks since this was called last, in seconds.
        """
        assert self._clients.stdin is not None
        self._clients.stdin.write("\n")
        self._clients.stdin.flush()
        return [int(each) / 1e6 for each in self._line().split()]

    def lost(self) -> int:
        """
        Count the connections that give nothing back, at the end.
        """
        assert self._clients.stdin is not None
        self._clients.stdin.close()
        return int(self._line())

    def stop(self) -> None:
        """
        End everything.
        """
        self._stack.close()


def compiled(folder: Path) -> Path:
    """
    Compile the program of clients and hosts.

    @raise SystemExit: there is no compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("a C compiler is needed: apt install gcc libc6-dev")
    program = folder / "silence"
    source = Path(__file__).with_name("silence.c")
    subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    return program


def listens(port: int) -> bool:
    """
    Tell whether a program listens on a port.
    """
    with socket.socket() as sock:
        return sock.connect_ex((HERE, port)) == 0


def open_(port: int) -> socket.socket:
    """
    Open a connection that gets its bytes back.
    """
    sock = socket.create_connection((HERE, port), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"0\n")
    return sock


def openMany(port: int, count: int) -> list[socket.socket]:
    """
    Open connections, each of which has had an answer. Only some are opened at a time: the host
    accepts slowly, and a balancer turns clients away if too many connections to a host are being
    opened.
    """
    found: list[socket.socket] = []
    while len(found) < count:
        some = [open_(port) for _ in range(min(OPENED_AT_ONCE, count - len(found)))]
        for sock in some:
            sock.sendall(b"x")
        for sock in some:
            if sock.recv(1) != b"x":
                raise RuntimeError("a connection was not served")
        found += some
    return found


def served(sockets: Sequence[socket.socket]) -> int:
    """
    Count the connections that give bytes back.
    """
    count = 0
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.sendall(b"y")
            count += sock.recv(1) == b"y"
    return count


@contextlib.contextmanager
def host() -> Iterator[int]:
    """
    Run a host that sends bytes back.
    """
    port = freePort()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.stream_host", str(port)], cwd=ROOT
    )
    try:
        until(partial(listens, port), "the host starts")
        yield port
    finally:
        process.kill()
        process.wait()


def words(seconds: Sequence[float]) -> str:
    """
    Write a median and a worst value.
    """
    return f"{statistics.median(seconds) * 1e3:.1f} / {max(seconds) * 1e3:.1f} ms"


def measure(connections: int, slow: int, upgrades: int, folder: Path) -> None:
    """
    Measure the silence of connections, and print it.
    """
    program = compiled(folder)
    with contextlib.ExitStack() as stack:
        upgraded = Silence(program, folder / "txlb", connections, slow)
        stack.callback(upgraded.stop)
        control = Silence(program, folder / "control", connections, slow)
        stack.callback(control.stop)
        balancer = upgraded.balancer
        # What slow ones ask for fills the buffers first.
        time.sleep(FILLING if slow else 0)
        silence: list[float] = []
        usual: list[float] = []
        times: list[float] = []
        first: tuple[float, int] | None = None
        for _ in range(upgrades):
            time.sleep(BETWEEN)
            for each in (upgraded, control):
                each.longest()
            before, began = balancer.pid, time.monotonic()
            os.kill(before, signal.SIGUSR2)
            until(partial(isGone, before), "the process before ends")
            times.append(time.monotonic() - began)
            silence += upgraded.longest()
            usual += control.longest()
            until(partial(balancer.hasOtherThan, before), "the pid file")
            if first is None:
                first = proportional(balancer.pid), descriptors(balancer.pid)
        frozen = [float(each) / 1e3 for each in re.findall(r"for ([\d.]+) ms", balancer.log)]
        last = proportional(balancer.pid), descriptors(balancer.pid)
        print(
            f"{connections} connections, {slow} of them slow, {upgrades} upgrades; median / worst"
        )
        print(f"  longest silence of a connection  {words(silence)}")
        print(f"  the same at the control          {words(usual)}")
        print(f"  nothing served                   {words(frozen)}")
        print(f"  start to the end of the old one  {words(times)}")
        print(f"  connections lost                 {upgraded.lost()}")
        assert first is not None
        print(f"  memory and descriptors           {first[0]:.0f} MiB, {first[1]} after the first;")
        print(f"                                   {last[0]:.0f} MiB, {last[1]} after the last")


class Peer:
    """
    Another balancer, which is replaced.
    """

    def __init__(self, name: str, folder: Path, text: str, hostPort: int) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(mode=0o755)
        self.port = freePort()
        self._config = folder / "peer.conf"
        config = text.format(here=HERE, port=self.port, host=hostPort, folder=folder)
        self._config.write_text(config)

    def run(self, *more: str) -> None:
        """
        Start it in the background.
        """
        if self.name == "haproxy":
            command = ["haproxy", "-D", "-f", str(self._config), "-p", f"{self.folder}/pid", *more]
        else:
            # It starts itself again by this name.
            command = [shutil.which("nginx") or "nginx", "-c", str(self._config), *more]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def replace(self) -> None:
        """
        Replace it as its manual says.
        """
        if self.name == "haproxy":
            old = (self.folder / "pid").read_text("ascii").split()
            self.run("-sf", *old)
            return
        pidFile = self.folder / "nginx.pid"
        old = pidFile.read_text("ascii").split()
        os.kill(int(old[0]), signal.SIGUSR2)
        until((self.folder / "nginx.pid.oldbin").exists, "the new nginx starts")
        os.kill(int(old[0]), signal.SIGQUIT)

    @property
    def processes(self) -> list[int]:
        """
        Its processes: those of its file, and the workers of these.
        """
        found = set(processesAt(str(self._config)))
        found.update(childrenOf(*found))
        return [pid for pid in found if not isGone(pid)]

    def stop(self) -> None:
        """
        End it.
        """
        for pid in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def compare(connections: int, folder: Path) -> None:
    """
    Replace each balancer with long connections open, and print what is left.
    """
    print(f"{connections} long connections, {LATER:g} s after the replacement")
    with host() as hostPort:
        for name, text in (("haproxy", HAPROXY), ("nginx", NGINX)):
            if shutil.which(name) is None:
                print(f"  {name}: not installed")
                continue
            peer = Peer(name, folder / name, text, hostPort)
            peer.run()
            try:
                sockets = openMany(peer.port, connections)
                before = set(peer.processes)
                memory = sum(map(proportional, before))
                began = time.monotonic()
                peer.replace()
                time.sleep(LATER)
                left = peer.processes
                old = [pid for pid in left if pid in before]
                line(name, len(before), len(left), memory, sum(map(proportional, left)))
                gone = f"old gone: {'no' if old else f'{time.monotonic() - began:.1f} s'}"
                print(f"    {gone}, lost {connections - served(sockets)}")
                for sock in sockets:
                    sock.close()
            finally:
                peer.stop()
        balancer = Balancer(folder / "txlb", hostPort)
        try:
            sockets = openMany(balancer.port, connections)
            memory, old_, began = proportional(balancer.pid), balancer.pid, time.monotonic()
            os.kill(old_, signal.SIGUSR2)
            until(lambda: isGone(old_), "the old one ends")
            took = time.monotonic() - began
            until(lambda: balancer.pid != old_, "the pid file")
            time.sleep(LATER)
            line("txlb", 1, 1, memory, proportional(balancer.pid))
            print(f"    old gone: {took:.1f} s, lost {connections - served(sockets)}")
        finally:
            balancer.stop()


def line(name: str, before: int, after: int, memoryBefore: float, memoryAfter: float) -> None:
    """
    Print how many processes there are, and their memory.
    """
    print(
        f"  {name}: processes {before} -> {after}, memory {memoryBefore:.0f} -> "
        f"{memoryAfter:.0f} MiB"
    )


def allowDescriptors(count: int) -> None:
    """
    Let this process, and those that it starts, have so many descriptors at least.

    @raise SystemExit: the system does not allow it.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(count, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):
        raise SystemExit(
            f"{count} descriptors are needed, and {hard} are allowed (ulimit -Hn)"
        ) from None


def main() -> None:
    """
    Do what the command line asks for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=9800)
    parser.add_argument("--slow", type=int, default=0, help="those that read slowly")
    parser.add_argument("--upgrades", type=int, default=10)
    parser.add_argument("--peers", action="store_true", help="compare with HAProxy and nginx")
    given = parser.parse_args()
    allowDescriptors(2 * given.connections + OTHERS)
    with tempfile.TemporaryDirectory(prefix="txlb") as folder:
        os.chmod(folder, 0o755)
        if given.peers:
            compare(given.connections, Path(folder))
        else:
            measure(given.connections, given.slow, given.upgrades, Path(folder))


if __name__ == "__main__":
    main()
