"""
Hosts that fail in every way and come back, as health checks see them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.health.certificates import Certificates
from tests.integration.support import (
    IntegrationTestCase,
    Program,
    Usage,
    connect,
    cpuSeconds,
    freePorts,
    request,
    server,
    sites,
    waitUntil,
)
from txlb.model import ProxyGroup
from txlb.pool._damper import mostFalls

#: A host that does as a file says, read anew for each connection.
HOST = """
import contextlib, os, select, socket, ssl, struct, sys, time
port, path, backlog = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen(backlog)
kept = []
while True:
    mode = open(path).read().split()
    if mode[0] == "deaf":
        time.sleep(0.02)
        continue
    if not select.select([listener], [], [], 0.02)[0]:
        continue
    sock, _ = listener.accept()
    with open(f"{path}.asked", "a") as file:
        file.write(".")
    sock.settimeout(1)
    with contextlib.suppress(OSError):
        if mode[0] == "silent":
            kept = [*kept[-50:], sock]
            continue
        if mode[0] == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif mode[0] == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(mode[1])
            sock = context.wrap_socket(sock, server_side=True)
        else:
            sock.recv(4096)
            sock.sendall(b"HTTP/1.1 " + mode[0].encode() + b" X\\r\\nContent-Length: 0\\r\\n\\r\\n")
    sock.close()
"""

#: Of every check here, in seconds and results in a row.
INTERVAL, TIMEOUT, FALL, RISE = 0.2, 0.15, 3, 2

#: What a busy machine may add to any time, in seconds.
SLACK = 3.0

#: Seconds by which a wake-up may be late after the wall clock was set back.
TICK = 1.0

#: Seconds after which an idle connection is closed, where that is looked at.
IDLE = 2.0

DETECTED = INTERVAL * FALL + TIMEOUT
RECOVERED = INTERVAL * RISE + 1.0


class Watching(IntegrationTestCase):
    """
    A balancer whose events are read from its log.
    """

    def balancer(
        self, groups: str, port: int, service: str = "", before: tuple[str, ...] = ()
    ) -> Program:
        """
        Start it.

        @param groups: the groups of its one service, the first one enabled.
        """
        self.log = self.folder / "events.log"
        return self.startTxlb(
            f"""
            <config>
              <service name="web" {service}>
                <listen ip="127.0.0.1:{port}"/>
                {groups}
              </service>
              <logging file="events.log" format="json"/>
            </config>
            """,
            before=before,
        )

    def events(self, kind: str, host: str) -> list[tuple[float, str]]:
        """
        When something happened to a host, by the monotonic clock, and what was
        said of it.
        """
        found = []
        for line in self.log.read_text("utf-8").splitlines():
            event = json.loads(line).get("event")
            if event and event["kind"] == kind and event["key"][-1] == host:
                found.append((event["when"], event["message"]))
        return found

    def host(self, name: str, port: int, mode: str, backlog: int = 100) -> Program:
        """
        Start a host that does as it is told.
        """
        self.tell(name, mode)
        program = self.folder / "host.py"
        if not program.exists():
            # One that is just being started must not find it empty.
            self.write("host.py", HOST)
        return self.start(
            sys.executable, "-S", program, str(port), str(self.folder / name), str(backlog)
        )

    def asked(self, name: str) -> int:
        """
        Count the connections that a host has accepted.
        """
        path = self.folder / f"{name}.asked"
        return path.stat().st_size if path.exists() else 0

    def tell(self, name: str, mode: str) -> None:
        """
        Let a host do something else from now on.
        """
        new = self.folder / f"{name}.new"
        new.write_text(mode, encoding="ascii")
        new.replace(self.folder / name)


def check(kind: str, more: str = "") -> str:
    """
    A check at the pace of these tests.
    """
    return (
        f'<check type="{kind}" interval="{INTERVAL}" timeout="{TIMEOUT}" fall="{FALL}" '
        f'rise="{RISE}" {more}/>'
    )


def group(name: str, port: int, kind: str, more: str = "", enable: str = "no") -> str:
    """
    A group of one host of the same name.
    """
    return (
        f'<group name="{name}" enable="{enable}">{check(kind, more)}'
        f'<host name="{name}" ip="127.0.0.1:{port}"/></group>'
    )


@dataclass(frozen=True)
class Fault:
    """
    A host and what is to become of it.

    @ivar check: the kind of its check.
    @ivar options: what that has of its own.
    @ivar well: what the host does at first.
    @ivar ill: what it does then; empty for SIGSTOP.
    """

    name: str
    check: str
    options: str
    well: str
    ill: str
    backlog: int = 100


#: What is said of each fault.
SAID = {
    "killed": "connection refused",
    "stopped": "connected, but no answer to GET /health within 0.15 s",
    "silent": "connected, but no answer to GET / within 0.15 s",
    "reset": "connection reset",
    "error": "HTTP 500, expected 200-399",
    "deaf": "no connection within 0.15 s",
    "name": "certificate refused: .*not valid for 'host.example'",
    "expired": "certificate refused: certificate has expired",
}


class FaultTests(Watching):
    """
    Each fault is found in time, and so is its end.
    """

    needed = ("nginx",)

    def test_faults(self) -> None:
        """
        Killed, stopped, silent, resetting, deaf to SYNs, with a certificate for
        another name or of yesterday, and full of errors.
        """
        certificates = Certificates(self.folder / "certificates")
        right = f"tls {certificates.server('host.example')}"
        tls = f'caFile="{certificates.authority}" serverName="host.example"'
        self.faults = [
            Fault("stopped", "http", 'path="/health"', "200", ""),
            Fault("silent", "http", "", "200", "silent"),
            Fault("reset", "http", "", "200", "reset"),
            Fault("error", "http", "", "200", "500"),
            Fault("deaf", "tcp", "", "reset", "deaf", backlog=0),
            Fault("name", "tls", tls, right, f"tls {certificates.server('other.example')}"),
            Fault(
                "expired",
                "tls",
                tls,
                right,
                f"tls {certificates.server('host.example', expired=True)}",
            ),
        ]
        self._startAll()
        # More than would put a host out.
        waitUntil(lambda: all(self.asked(fault.name) > FALL for fault in self.faults))
        for name in SAID:
            self.assertEqual(self.events("host-down", name), [])
        failed = self._failAll()
        down = self._all("host-down")
        mended = self._mendAll()
        up = self._all("host-up")
        for name, said in SAID.items():
            (fell, why), (rose, _) = down[name], up[name]
            detected, recovered = fell - failed[name], rose - mended[name]
            self.show(
                f"{name}: detected in {detected:.2f} s (bound {DETECTED:.2f}), "
                f"recovered in {recovered:.2f} s (bound {RECOVERED:.2f}): {why}"
            )
            self.assertRegex(why, said)
            self.assertLessEqual(detected, DETECTED + SLACK, name)
            self.assertLessEqual(recovered, RECOVERED + SLACK, name)

    def _startAll(self) -> None:
        names = ["listen", *SAID]
        ports = self.ports = dict(zip(names, freePorts(len(names)), strict=True))
        self.nginx = sites(self, server(ports["killed"], "nginx"))
        self.hosts = {
            each.name: self.host(each.name, ports[each.name], each.well, each.backlog)
            for each in self.faults
        }
        for name, program in self.hosts.items():
            program.waitForPort(ports[name])
        self.balancer(
            group("killed", ports["killed"], "http", enable="yes")
            + "".join(
                group(each.name, ports[each.name], each.check, each.options) for each in self.faults
            ),
            ports["listen"],
        )

    def _failAll(self) -> dict[str, float]:
        """
        @return: when each failed.
        """
        os.killpg(self.nginx.process.pid, signal.SIGKILL)
        failed = {"killed": time.monotonic()}
        for each in self.faults:
            if each.ill:
                self.tell(each.name, each.ill)
            else:
                self.hosts[each.name].process.send_signal(signal.SIGSTOP)
            failed[each.name] = time.monotonic()
        # Once it accepts nobody, who waits in its backlog leaves no room for others.
        time.sleep(0.1)
        self.fillers = [socket.socket() for _ in range(3)]
        for filler in self.fillers:
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.ports["deaf"]))
        failed["deaf"] = time.monotonic()
        return failed

    def _mendAll(self) -> dict[str, float]:
        """
        @return: when each was well again.
        """
        mended = {}
        for filler in self.fillers:
            filler.close()
        for each in self.faults:
            mended[each.name] = time.monotonic()
            if each.ill:
                self.tell(each.name, each.well)
            else:
                self.hosts[each.name].process.send_signal(signal.SIGCONT)
        path = next(self.folder.glob("nginx-*"))
        mended["killed"] = time.monotonic()
        self.start("nginx", "-p", path, "-c", path / "nginx.conf", "-e", path / "error.log")
        return mended

    def _all(self, kind: str) -> dict[str, tuple[float, str]]:
        """
        @return: when that happened to each host, and what was said of it.
        """
        waitUntil(lambda: all(self.events(kind, name) for name in SAID))
        return {name: self.events(kind, name)[0] for name in SAID}


class FailoverTests(Watching):
    """
    What clients notice.
    """

    def test_everyNewConnectionIsServed(self) -> None:
        """
        Under 200 connections a second, each of three hosts is killed and started
        again in turn: every new connection is served.
        """
        names = ["one", "two", "three"]
        port, *ports = freePorts(4)
        hosts = {
            name: self.host(name, each, "200") for name, each in zip(names, ports, strict=True)
        }
        for name, each in zip(names, ports, strict=True):
            hosts[name].waitForPort(each)
        members = "".join(
            f'<host name="{name}" ip="127.0.0.1:{each}"/>'
            for name, each in zip(names, ports, strict=True)
        )
        self.balancer(
            f'<group name="all" scheduler="roundr" enable="yes">{check("http")}{members}</group>',
            port,
        )
        with Steady(port, 200) as load:
            for name, each in zip(names, ports, strict=True):
                load.wait(100)
                os.killpg(hosts[name].process.pid, signal.SIGKILL)
                hosts[name].process.wait()
                waitUntil(lambda: self.events("host-down", name))  # noqa: B023 - called here
                load.wait(60)
                hosts[name] = self.host(name, each, "200")
                waitUntil(lambda: self.events("host-up", name))  # noqa: B023 - called here
            load.wait(100)
        cut = [each for each in load.failures if "connected" in each]
        self.show(
            f"{load.done} connections at {load.rate:.0f} a second, {len(load.failures)} not "
            f"served, {len(cut)} of them cut: {load.failures[:3]}"
        )
        # A connection that the killed host had is lost; one was under way at most
        # for each of the hosts, and one in its backlog.
        self.assertLessEqual(len(load.failures), 2 * len(names))
        self.assertEqual([each for each in load.failures if "connected" not in each], [])

    def test_allDown(self) -> None:
        """
        All hosts are down: that costs next to nothing, and the first one that
        comes back serves in time.
        """
        names = ["one", "two", "three"]
        port, *ports = freePorts(4)
        members = "".join(
            f'<host name="{name}" ip="127.0.0.1:{each}"/>'
            for name, each in zip(names, ports, strict=True)
        )
        program = self.balancer(
            f'<group name="all" enable="yes" whenAllDown="close">{check("http")}{members}</group>',
            port,
        )
        waitUntil(lambda: all(self.events("host-down", name) for name in names))
        usage = Usage.during(program.process.pid, 2.0)
        began = time.monotonic()
        with connect(port) as sock:
            sock.settimeout(10)
            self.assertEqual(sock.recv(100), b"")
        closed = time.monotonic() - began
        host = self.host("one", ports[0], "200")
        host.waitForPort(ports[0])
        began = time.monotonic()
        served = False
        while not served and time.monotonic() < began + 20:
            try:
                with connect(port) as sock:
                    request(sock)
                    served = True
            except OSError:
                time.sleep(0.01)
        took = time.monotonic() - began
        self.show(
            f"{usage} while all are down; a client was closed after {closed:.3f} s; the first "
            f"success {took:.2f} s after a host is back (bound {RECOVERED:.2f})"
        )
        self.assertTrue(served)
        self.assertLess(usage.cores, 0.05)
        self.assertLess(closed, 5.0)
        self.assertLessEqual(took, RECOVERED + SLACK)

    def test_silentHostSlowsNobody(self) -> None:
        """
        A host that never answers, neither checks nor clients, slows nobody who is
        not sent to it.
        """
        port, good, bad = freePorts(3)
        self.host("good", good, "200").waitForPort(good)
        self.host("bad", bad, "silent").waitForPort(bad)
        self.balancer(
            f'<group name="all" scheduler="roundr" enable="yes">{check("http")}'
            f'<host name="good" ip="127.0.0.1:{good}"/>'
            f'<host name="bad" ip="127.0.0.1:{bad}"/></group>',
            port,
        )
        waitUntil(lambda: self.events("host-down", "bad"))
        with Steady(port, 100) as load:
            load.wait(200)
        self.show(f"{load.done} connections, the longest took {load.longest * 1000:.0f} ms")
        self.assertEqual(load.failures, [])
        self.assertLess(load.longest, 1.0 + SLACK)


class Steady:
    """
    New connections at a rate, one request each, from when it is entered as a
    context until it is left.

    @ivar done: how many were served.
    @ivar failures: what happened to the others.
    @ivar longest: seconds that the slowest took.
    """

    def __init__(self, port: int, rate: int) -> None:
        self.done = 0
        self.failures: list[str] = []
        self.longest = 0.0
        self._port = port
        self._interval = 1 / rate
        self._over = threading.Event()
        self._slots = threading.Semaphore(100)
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._ended = self._began
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def rate(self) -> float:
        """
        Connections a second.
        """
        return (self.done + len(self.failures)) / (self._ended - self._began)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due += self._interval
            self._slots.acquire()
            threading.Thread(target=self._one, daemon=True).start()

    def _one(self) -> None:
        began, failure = time.monotonic(), ""
        try:
            with connect(self._port) as sock:
                failure = "connected, then "
                request(sock)
                failure = ""
        except OSError as error:
            failure += repr(error)
        with self._lock:
            self.longest = max(self.longest, time.monotonic() - began)
            if failure:
                self.failures.append(failure)
            else:
                self.done += 1
        self._slots.release()

    def wait(self, more: int) -> None:
        """
        Wait until so many more were served.
        """
        wanted = self.done + more
        waitUntil(lambda: self.done >= wanted)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._over.set()
        self._thread.join()
        self._ended = time.monotonic()
        for _ in range(100):
            self._slots.acquire()


class HeaderTests(Watching):
    """
    Hosts that expect a PROXY header.
    """

    def test_header(self) -> None:
        """
        Checks say one that nginx takes, and none at a port of their own.
        """
        port, plain, expecting = freePorts(3)
        sites(self, server(plain, "plain"), server(expecting, "expecting", listen="proxy_protocol"))
        self.balancer(
            "".join(
                f'<group name="{name}" enable="{enable}" {sendProxy} initialState="check">'
                f"{check('http', more)}"
                f'<host name="{name}" ip="127.0.0.1:{expecting}"/></group>'
                for name, enable, sendProxy, more in (
                    ("v1", "yes", 'sendProxy="v1"', ""),
                    ("v2", "no", 'sendProxy="v2"', ""),
                    ("elsewhere", "no", 'sendProxy="v2"', f'port="{plain}"'),
                    ("without", "no", "", ""),
                )
            ),
            port,
        )
        right = ("v1", "v2", "elsewhere")
        waitUntil(lambda: self.events("host-down", "without"))
        waitUntil(lambda: all(self.events("host-up", name) for name in right))
        for name in right:
            self.assertEqual(self.events("host-down", name), [])


class FlapTests(Watching):
    """
    A host that goes up and down.
    """

    def test_flaps(self) -> None:
        """
        It flaps every half second. However long, it falls no more often than the
        damper's bound. C{TXLB_FLAP_SECONDS} says how long; C{tox -e soak} does it
        for half a minute.
        """
        seconds = float(os.environ.get("TXLB_FLAP_SECONDS", "6"))
        port, flapping, steady = freePorts(3)
        self.host("flapping", flapping, "200").waitForPort(flapping)
        self.host("steady", steady, "200").waitForPort(steady)
        self.balancer(
            '<group name="all" enable="yes"><check type="http" interval="0.05" fall="2" rise="1"/>'
            f'<host name="flapping" ip="127.0.0.1:{flapping}"/>'
            f'<host name="steady" ip="127.0.0.1:{steady}"/></group>',
            port,
        )
        began, flips = time.monotonic(), 0
        while time.monotonic() < began + seconds:
            time.sleep(0.5)
            self.tell("flapping", "500" if flips % 2 == 0 else "200")
            flips += 1
        took = time.monotonic() - began
        falls = len(self.events("host-down", "flapping"))
        rises = len(self.events("host-up", "flapping"))
        bound = mostFalls(ProxyGroup("g").flapHold, took)
        self.show(
            f"{flips} flips in {took:.1f} s: {falls} falls and {rises} rises, where "
            f"{bound:.1f} falls are the bound"
        )
        self.assertGreaterEqual(falls, 2)
        self.assertLessEqual(falls, bound)
        self.assertLessEqual(rises, falls)
        self.assertEqual(self.events("host-down", "steady"), [])


class WallClockTests(Watching):
    """
    Somebody sets the clock.
    """

    needed = ("faketime",)

    def test_wallClock(self) -> None:
        """
        Forward or back by an hour: nothing happens because of it, and what is due
        comes in time, also while nobody connects.
        """
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        port, host, other = freePorts(3)
        self.host("silent", other, "silent").waitForPort(other)
        offset = self.write("offset", "+0s")
        self.host("host", host, "200").waitForPort(host)
        self.balancer(
            '<group name="silent" enable="yes">'
            f'<host name="silent" ip="127.0.0.1:{other}"/></group>' + group("host", host, "http"),
            port,
            f'idleTimeout="{IDLE}"',
            before=(
                "env",
                f"LD_PRELOAD={library}",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
                "FAKETIME_NO_CACHE=1",
                f"FAKETIME_TIMESTAMP_FILE={offset}",
            ),
        )
        figures: list[str] = []
        for shift in ("+3600s", "-3600s"):
            with connect(port) as idle:
                connected = time.monotonic()
                time.sleep(1.0)
                offset.write_text(shift, encoding="ascii")
                idle.settimeout(60)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(idle.recv(100), b"")
                open_ = time.monotonic() - connected
            self.assertGreaterEqual(open_, IDLE)
            self.assertLessEqual(open_, IDLE + 2 * TICK + SLACK)
            self.assertEqual(len(self.events("host-down", "host")), len(figures))
            # By now nobody is connected, and nothing but checks is due.
            failed = time.monotonic()
            self.tell("host", "500")
            waitUntil(lambda: len(self.events("host-down", "host")) > len(figures))
            detected = self.events("host-down", "host")[-1][0] - failed
            mended = time.monotonic()
            self.tell("host", "200")
            waitUntil(lambda: len(self.events("host-up", "host")) > len(figures))
            recovered = self.events("host-up", "host")[-1][0] - mended
            self.assertLessEqual(detected, DETECTED + 2 * TICK + SLACK)
            self.assertLessEqual(recovered, RECOVERED + 2 * TICK + SLACK)
            figures.append(
                f"{shift}: closed after {open_:.2f} s (idleTimeout {IDLE:g}), a fault found in "
                f"{detected:.2f} s, its end in {recovered:.2f} s"
            )
        self.show("; ".join(figures))
        # The clock was really set.
        self.assertRegex(self.wallClock(), "set back")

    def wallClock(self) -> str:
        """
        @return: whether the log shows the clock being set back.
        """
        times = [json.loads(line).get("time") for line in self.log.read_text("utf-8").splitlines()]
        known = [each for each in times if each]
        return "set back" if known != sorted(known) else f"not set: {known}"


class ManyTests(Watching):
    """
    500 hosts.
    """

    def test_manyHosts(self) -> None:
        """
        Never more checks at once than allowed, evenly spread, at little cost.
        """
        (port,) = freePorts(1)
        host = Counting()
        self.addCleanup(host.stop)
        hosts = "".join(f'<host name="h{n}" ip="127.0.0.1:{host.port}"/>' for n in range(500))
        balancer = self.startTxlb(
            f'<config><service name="web"><listen ip="127.0.0.1:{port}"/>'
            f'<group name="all" enable="yes"><check/>{hosts}</group></service>'
            '<manager maxChecks="20"/></config>'
        )
        pid = balancer.process.pid
        waitUntil(lambda: len(host.times) > 750)
        began, cpu = time.monotonic(), cpuSeconds(pid)
        ends = began + 6 * 1.9
        waitUntil(lambda: time.monotonic() > ends)
        cores = (cpuSeconds(pid) - cpu) / (time.monotonic() - began)
        # Beats of 1.9 s, which is 0.95 of the interval, in ten parts each.
        parts = Counter(int((when - began) / 0.19) for when in host.times if began <= when < ends)
        host.fill()
        sockets = 0
        ends = time.monotonic() + 4
        while time.monotonic() < ends:
            sockets = max(sockets, connectionsTo(pid, host.port))
            time.sleep(0.01)
        self.show(
            f"500 hosts every 2 s: {cores:.2%} of a core; {min(parts.values())} to "
            f"{max(parts.values())} checks in each tenth of an interval; while no host answers at "
            f"most {sockets} sockets at once"
        )
        self.assertEqual(sockets, 20)
        # 50 are right; a busy machine may let some wait for the next part.
        self.assertLess(max(parts.values()), 150)
        # It is 2 % of a core of a machine that has nothing else to do.
        self.assertLess(cores, 0.09)


class Counting:
    """
    A host that accepts and closes, and knows when.

    @ivar times: when, by the monotonic clock.
    @ivar accepting: whether it does.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.accepting = True
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1000)
        self._listener.settimeout(0.05)
        self.port: int = self._listener.getsockname()[1]
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over:
            if not self.accepting:
                time.sleep(0.05)
                continue
            with contextlib.suppress(OSError):
                sock, _ = self._listener.accept()
                self.times.append(time.monotonic())
                sock.close()

    def fill(self) -> None:
        """
        Accept nobody any more, and let nobody wait for it.
        """
        self.accepting = False
        self._listener.listen(0)

    def stop(self) -> None:
        """
        End it.
        """
        self._over = True
        self._thread.join()
        self._listener.close()


def connectionsTo(pid: int, port: int) -> int:
    """
    How many sockets of a process are there beside those that it has for other
    things: those to a port of the loopback interface.
    """
    folder, inodes = Path(f"/proc/{pid}/fd"), set()
    for link in folder.iterdir():
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = 0
    for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) == port and fields[9] in inodes:
            found += 1
    return found
