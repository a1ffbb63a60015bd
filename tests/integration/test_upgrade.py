"""
Upgrades of a balancer: another process takes its connections over.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import SkipTest, mock

from tests.certificates import Authority, put
from tests.integration.stream_host import BLOCK
from tests.integration.support import (
    PATIENCE,
    UpgradeTestCase,
    connect,
    connectUNIX,
    freePorts,
    isGone,
    readExactly,
    statusWord,
    waitUntil,
)
from tests.integration.test_process import HAND_OVER
from txlb.admin import hashPassword

CONFIG = """
<service name="web">
  <listen ip="127.0.0.1:{port}"/>
  <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
</service>
"""

#: Upgrades in a row in CI; more by hand.
UPGRADES = int(os.environ.get("TXLB_UPGRADES", "3"))

#: Processes that are killed in CI; more by hand.
KILLS = int(os.environ.get("TXLB_KILLS", "4"))

#: Seconds of an upgrade, within which they are killed, and the share of kills that come late in it.
MOMENT = 2.0
OFTEN = 0.8

#: The user and group of nobody.
NOBODY = 65534


class TrafficTests(UpgradeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.port, self.hostPort = freePorts(2)
        self.host(self.hostPort)

    def test_nothingIsLost(self) -> None:
        """
        Downloads, uploads, idle and new connections go on through upgrades, and each byte is
        right. Each connection has one line in the log.
        """
        portable = freePorts(1)[0]
        config = CONFIG.format(port=self.port, host=self.hostPort)
        other = CONFIG.format(port=portable, host=self.hostPort)
        other = other.replace('name="web"', 'name="other" relay="portable"')
        self.balancer(config + other)
        first = self.pid
        clients = self.clients(self.port, downloads=3, uploads=3, short=5, idle=50)
        others = self.clients(portable, downloads=1, uploads=1, short=2, idle=10)
        moved = [self.upgrade() for _ in range(UPGRADES)]
        self.assertNotEqual(self.pid, first)
        self.assertEqual(others.seen()["wrong"], [])
        seen = clients.seen()
        self.assertEqual(seen["wrong"], [])
        for kind in ("downloads", "uploads", "short", "idle"):
            self.assertGreater(seen["rounds"][kind], 0)
        for count in moved:
            self.assertGreaterEqual(count, 60)
        rounds = sum(seen["rounds"].values())
        waitUntil(lambda: self.log.count(" web hosts/host ") >= rounds)
        self.assertEqual(self.log.count(" web hosts/host "), rounds)
        self.show(f"{seen}, moved {moved}")

    def test_signal(self) -> None:
        """
        SIGUSR2 upgrades as well.
        """
        self.balancer(CONFIG.format(port=self.port, host=self.hostPort))
        first = self.pid
        clients = self.clients(self.port, idle=3)
        os.kill(first, signal.SIGUSR2)
        waitUntil(lambda: self.pid not in {0, first})
        self.assertEqual(clients.seen()["wrong"], [])

    def test_check(self) -> None:
        """
        What would move is told beforehand, and nothing is done.
        """
        self.balancer(CONFIG.format(port=self.port, host=self.hostPort))
        first = self.pid
        with connect(self.port) as open_:
            open_.sendall(b"0\nping")
            self.assertEqual(readExactly(open_, 4), b"ping")
            done = self.txlb("upgrade", "--check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"127.0.0.1:{self.port} moves", done.stdout)
        self.assertIn("1 connections move", done.stdout)
        self.assertEqual(self.pid, first)

    def test_wrongFile(self) -> None:
        """
        With a file that has a fault, or a successor that does not start, nothing changes, and
        the answer has the place of the fault.
        """
        self.balancer(CONFIG.format(port=self.port, host=self.hostPort))
        first = self.pid
        with connect(self.port) as open_:
            open_.sendall(b"0\n")
            self.rewrite('<service name="web"><listen ip="nowhere"/></service>')
            done = self.txlb("upgrade")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"this process goes on: .*config\.xml:1: ")
            self.assertEqual(self.pid, first)
            open_.sendall(b"ping")
            self.assertEqual(readExactly(open_, 4), b"ping")
        self.rewrite(CONFIG.format(port=self.port, host=self.hostPort))
        self.upgrade()

    def test_addressInUse(self) -> None:
        """
        If the new process can't have an address that the new file adds, nothing changes: new
        clients come, also through UNIX sockets.
        """
        self.host(str(self.short / "host"))
        listen = self.short / "web"
        config = CONFIG.format(port=self.port, host=self.hostPort)
        config = config.replace("<group", f'<listen ip="unix:{listen}"/><group')
        self.balancer(config)
        first = self.pid
        with socket.create_server(("127.0.0.1", 0)) as taken:
            more = f'<listen ip="127.0.0.1:{taken.getsockname()[1]}"/>'
            self.rewrite(config.replace("<group", f"{more}<group"))
            done = self.txlb("upgrade")
        self.assertEqual(done.returncode, 1)
        self.assertIn("in use", done.stderr)
        self.assertEqual(self.pid, first)
        for client in (connect(self.port), connectUNIX(str(listen))):
            with client as open_:
                open_.sendall(b"0\nping")
                self.assertEqual(readExactly(open_, 4), b"ping")

    def test_doors(self) -> None:
        """
        Whatever address the new process can't have, the doors of the old one stay, also at UNIX
        sockets, which are for their user alone. A good successor has them.
        """
        (taken,) = freePorts(1)
        ssh, web, listen = (self.short / name for name in ("ssh", "web", "listen"))
        page = freePorts(1)[0]
        user = f'<user name="anna" password="{hashPassword("not-a-guess")}" access="full"/>'
        admin = f'<admin><ssh listen="unix:{ssh}" enable="yes"/>{{}}{user}</admin>'
        config = CONFIG.format(port=self.port, host=self.hostPort)
        doors = admin.format(f'<web listen="unix:{web}" enable="yes"/>')
        page_ = admin.format(f'<web listen="127.0.0.1:{page}" enable="yes"/>')
        more = f'<listen ip="127.0.0.1:{taken}"/><listen ip="unix:{listen}"/><group'
        elsewhere = admin.format(f'<web listen="127.0.0.1:{taken}" enable="yes"/>')
        for before, after in (
            (config + doors, config.replace("<group", more) + doors),
            (config + doors, config + elsewhere),
            (config + page_, config.replace("<group", more) + page_),
            (config + page_, config + elsewhere),
        ):
            self.balancer(before)
            with socket.create_server(("127.0.0.1", taken)):
                self.rewrite(after)
                done = self.txlb("upgrade")
            self.assertEqual(done.returncode, 1)
            self.assertIn("in use", done.stderr)
            for good in (False, True):
                if good:
                    self.rewrite(before)
                    self.upgrade()
                with connectUNIX(str(ssh)) as open_:
                    self.assertEqual(readExactly(open_, 4), b"SSH-")
                with connect(page) if before.endswith(page_) else connectUNIX(str(web)) as open_:
                    open_.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    self.assertEqual(readExactly(open_, 5), b"HTTP/")
                self.assertFalse(listen.exists())
                for path in (ssh, web) if before.endswith(doors) else (ssh,):
                    self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.stopBalancer()
            self.assertFalse(ssh.exists())
            self.assertFalse(web.exists())

    def test_otherFile(self) -> None:
        """
        The successor reads the file as it is now: a host that is gone serves its connections to
        their end, and an address that is gone is not listened on any more.
        """
        other, hostToo = freePorts(2)
        self.host(hostToo)
        more = f'<listen ip="127.0.0.1:{other}"/>'
        config = CONFIG.format(port=self.port, host=self.hostPort)
        self.balancer(config.replace("<group", f"{more}<group"))
        with connect(other) as open_:
            open_.sendall(b"0\nping")
            self.assertEqual(readExactly(open_, 4), b"ping")
            changed = CONFIG.format(port=self.port, host=hostToo).replace('name="host"', 'name="b"')
            self.rewrite(changed)
            self.assertEqual(self.upgrade(), 1)
            status = self.txlb("status").stdout
            self.assertRegex(status, r"host\s.*leaving")
            open_.sendall(b"pong")
            self.assertEqual(readExactly(open_, 4), b"pong")
            self.assertRaises(OSError, connect, other)
        waitUntil(lambda: "leaving" not in self.txlb("status").stdout)
        with connect(self.port) as open_:
            open_.sendall(b"3\n")
            self.assertEqual(readExactly(open_, 3), BLOCK[:3])

    def test_unix(self) -> None:
        """
        UNIX sockets move as well, on both sides, and the file of the listener stays.
        """
        self.host(str(self.short / "host"))
        listen = self.short / "web"
        config = CONFIG.format(port=self.port, host=self.hostPort)
        config = config.replace(f"127.0.0.1:{self.port}", f"unix:{listen}")
        config = config.replace(f"127.0.0.1:{self.hostPort}", f"unix:{self.short}/host")
        self.balancer(config)
        clients = self.clients(str(listen), downloads=1, uploads=1, short=1, idle=5)
        self.assertGreater(self.upgrade(), 5)
        self.upgrade()
        self.assertEqual(clients.seen()["wrong"], [])
        self.stopBalancer()
        self.assertFalse(listen.exists())
        self.assertFalse(self.control.exists())

    def test_sshSession(self) -> None:
        """
        A session stays in the process before, which waits for its end; another one comes to the
        new process.
        """
        self.need("ssh", "ssh-keygen")
        port = freePorts(1)[0]
        key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        (self.folder / "keys").write_text(key.with_suffix(".pub").read_text())
        (self.folder / "keys").chmod(0o600)
        admin = (
            f'<admin><ssh listen="127.0.0.1:{port}" enable="yes"/>'
            f'<user name="anna" authorizedKeys="{self.folder}/keys" access="full"/></admin>'
        )
        self.balancer(CONFIG.format(port=self.port, host=self.hostPort) + admin)
        before = self.pid
        ssh = [
            *("ssh", "-tt", "-p", str(port), "-i", str(key), "-o", "StrictHostKeyChecking=no"),
            *("-o", f"UserKnownHostsFile={self.folder}/known", "-l", "anna", "127.0.0.1"),
        ]
        session = subprocess.Popen(
            ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.addCleanup(session.wait, PATIENCE)
        self.addCleanup(session.kill)
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(b"import os; print('pid', os.getpid())\r")
        session.stdin.flush()
        said = b""
        while b"pid %d" % before not in said:
            data = os.read(session.stdout.fileno(), 4096)
            self.assertTrue(data, said)
            said += data
        done = self.txlb("upgrade")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 (ssh sessions)", done.stdout)
        waitUntil(lambda: self.pid not in {0, before})
        self.assertFalse(isGone(before))
        session.stdin.write(b"print('still', 6 * 7)\r")
        session.stdin.flush()
        while b"still 42" not in said:
            data = os.read(session.stdout.fileno(), 4096)
            self.assertTrue(data, said)
            said += data
        session.kill()
        waitUntil(lambda: isGone(before))
        again = subprocess.run(
            ssh, input=b"\x04", capture_output=True, timeout=PATIENCE, check=False
        )
        self.assertIn(b">>>", again.stdout)


#: A service that ends TLS, and one that wants PROXY headers.
SECURE = """
<manager graceTime="{grace}"/>
<service name="secure">
  <listen ip="127.0.0.1:{secure}"><tls certificates="certs" handshakeTimeout="600"/></listen>
  <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
</service>
<service name="proxied">
  <listen ip="127.0.0.1:{proxied}" proxyProtocol="v1" trusted="127.0.0.0/8"
    prefaceTimeout="60"/>
  <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
</service>
"""


class StayingTests(UpgradeTestCase):
    """
    Connections that can't move.
    """

    def setUp(self) -> None:
        super().setUp()
        self.secure, self.proxied, self.hostPort = freePorts(3)
        self.host(self.hostPort)
        authority = Authority()
        put(str(self.folder), "ca.txt", authority.pem)
        put(str(self.folder / "certs"), "a.pem", *authority.certify(["a.example"]))
        self.context = ssl.create_default_context(cafile=str(self.folder / "ca.txt"))

    def config(self, grace: float) -> str:
        return SECURE.format(
            grace=grace, secure=self.secure, proxied=self.proxied, host=self.hostPort
        )

    def talk(self, sock: socket.socket) -> None:
        sock.sendall(b"ping")
        self.assertEqual(readExactly(sock, 4), b"ping")

    def encrypted(self, plain: socket.socket) -> socket.socket:
        """
        Do the handshake on a connection, and begin to talk.
        """
        sock = self.context.wrap_socket(plain, server_hostname="a.example")
        self.addCleanup(sock.close)
        sock.sendall(b"0\n")
        self.talk(sock)
        return sock

    def test_staysAndEnds(self) -> None:
        """
        TLS connections, and those whose preface or handshake is not complete, go on in the process
        before, which ends when they have. This is told before, in the answer and in the log.
        """
        self.balancer(self.config(600.0))
        before = self.pid
        sock = self.encrypted(connect(self.secure))
        silent, header = connect(self.secure), connect(self.proxied)
        self.addCleanup(silent.close)
        self.addCleanup(header.close)
        header.sendall(b"PROXY TCP4 192.0.2.1 ")
        stays = "2 (a preface or TLS handshake under way)"
        waitUntil(lambda: "handshake under way" in self.txlb("upgrade", "--check").stdout)
        waitUntil(lambda: "2 can't move" in self.txlb("upgrade", "--check").stdout)
        told = self.txlb("upgrade", "--check").stdout
        self.assertIn("1 can't move, and have the grace time to end: TLS", told)
        done = self.txlb("upgrade")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 (TLS)", done.stdout)
        self.assertIn(stays, done.stdout)
        self.assertIn(stays, self.log)
        waitUntil(lambda: self.pid not in {0, before})
        self.talk(sock)
        # New ones come to the new process, and those that had begun are served.
        fresh = self.encrypted(connect(self.secure))
        late = self.encrypted(silent)
        header.sendall(b"192.0.2.2 1 2\r\n0\n")
        self.talk(header)
        self.assertFalse(isGone(before))
        for each in (sock, late, header):
            each.close()
        waitUntil(lambda: isGone(before))
        self.talk(fresh)
        self.assertEqual(self.log.count(" secure hosts/host "), 2)
        self.assertIn("192.0.2.1:1 ", self.log)

    def test_graceTime(self) -> None:
        """
        The process before ends after the grace time, with what is left.
        """
        self.balancer(self.config(0.5))
        before = self.pid
        sock = self.encrypted(connect(self.secure))
        self.assertEqual(self.txlb("upgrade").returncode, 0)
        waitUntil(lambda: isGone(before))
        self.assertEqual(ended(sock), b"")


def ended(sock: socket.socket) -> bytes:
    """
    Read to the end, whether it is a clean one or not.
    """
    try:
        return sock.recv(1)
    except OSError:
        return b""


#: Shows everything in a folder to all users, in a mount namespace of its own, and becomes the
#: program that follows.
OPEN = """
set -e
mount --rbind "$1" "$2"
mount -t tmpfs -o mode=755 tmpfs "$1"
cd "$2"
for each in $(ls -A); do
    if [ -d "$each" ] && [ ! -L "$each" ]; then
        mkdir "$1/$each"
        mount --rbind "$each" "$1/$each"
    elif [ -f "$each" ]; then
        touch "$1/$each"
        mount --bind "$each" "$1/$each"
    fi
done
cd "$3"
shift 3
exec "$@"
"""


def openedToAll(scratch: Path) -> tuple[str, ...]:
    """
    Return a command by which other users can start this interpreter, though it, or its
    environment, is in folders of root's.

    @param scratch: a folder to use meanwhile.
    """
    above = {each for prefix in (sys.base_prefix, sys.prefix) for each in Path(prefix).parents}
    command: list[str] = []
    for closed in sorted(each for each in above if not each.stat().st_mode & 0o001):
        place = scratch / str(len(command))
        place.mkdir()
        command += ["sh", "-c", OPEN, "sh", str(closed), str(place), "/"]
    return ("unshare", "-m", *command) if command else ()


class ProcessTests(UpgradeTestCase):
    """
    The process's files, users, and supervisors.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port, self.hostPort = freePorts(2)
        self.host(self.hostPort)
        self.config = CONFIG.format(port=self.port, host=self.hostPort)

    def talk(self) -> socket.socket:
        """
        Open a connection that the host answers.
        """
        open_ = connect(self.port)
        self.addCleanup(open_.close)
        open_.sendall(b"0\n")
        self.echo(open_)
        return open_

    def echo(self, open_: socket.socket) -> None:
        open_.sendall(b"ping")
        self.assertEqual(readExactly(open_, 4), b"ping")

    def test_daemon(self) -> None:
        """
        A daemon that root has started as another user on a port of root's is upgraded. The new
        process has the same user, writes the same logs, and the pid file is its.
        """
        if os.getuid():
            raise SkipTest("it takes root to give up root's rights")
        self.short.chmod(0o755)
        own = self.short / "own"
        own.mkdir()
        os.chown(own, NOBODY, NOBODY)
        self.folder = own
        self.pidFile = own / "pid"
        self.balancer(
            self.config,
            f"--logfile={own}/twistd.log",
            "--uid=nobody",
            "--gid=nogroup",
            before=openedToAll(self.shortFolder()),
        )
        open_ = self.talk()
        for _ in range(2):
            self.assertEqual(self.upgrade(), 1)
            self.echo(open_)
            self.assertEqual(statusWord(self.pid, "Uid"), str(NOBODY))
        log = (own / "twistd.log").read_text()
        self.assertEqual(log.count("connections have moved"), 2)
        self.assertEqual(log.count("starting up"), 3)
        self.assertNotRegex(log, "can't be written")

    def test_supervisor(self) -> None:
        """
        Systemd hears which process is the main one before that one tells that it serves.
        """
        path = self.short / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(path))
            systemd.settimeout(PATIENCE)
            self.balancer(self.config, NOTIFY_SOCKET=str(path))
            self.assertIn(b"READY=1", systemd.recv(4096))
            before = self.pid
            open_ = self.talk()
            self.upgrade()
            self.echo(open_)
            self.assertEqual(systemd.recv(4096), b"MAINPID=%d" % self.pid)
            self.assertIn(b"READY=1\nSTATUS=serving web", systemd.recv(4096))
            self.assertTrue(isGone(before))
            self.stopBalancer()
            self.assertIn(b"STOPPING=1", systemd.recv(4096))

    def test_socketsFromSystemd(self) -> None:
        """
        Sockets that systemd has given move on from process to process.
        """
        with socket.create_server(("127.0.0.1", self.port)) as sock:
            sock.set_inheritable(True)
            before = (sys.executable, "-c", HAND_OVER, "web", str(sock.fileno()))
            config = self.config.replace(f"127.0.0.1:{self.port}", "systemd:web")
            self.rewrite(config)
            self.startInheriting(config, before, sock.fileno())
        for _ in range(2):
            open_ = self.talk()
            self.assertGreaterEqual(self.upgrade(), 1)
            self.echo(open_)
        self.assertNotIn("nothing listens on", self.program.output)

    def startInheriting(self, config: str, before: tuple[str, ...], number: int) -> None:
        """
        Start the balancer by a program that gets a descriptor.
        """
        popen = subprocess.Popen

        def passing(*words: Any, **settings: Any) -> Any:
            return popen(*words, **settings, pass_fds=(number,))

        with mock.patch("subprocess.Popen", passing):
            self.balancer(config, before=before)


class KillTests(UpgradeTestCase):
    """
    Either process is killed at any moment.
    """

    #: Characters of the output before this round.
    before = 0

    def setUp(self) -> None:
        super().setUp()
        self.port, self.hostPort = freePorts(2)
        self.host(self.hostPort)

    def test_killed(self) -> None:
        """
        A connection is served by one process or by none. If the new process is killed before it
        serves, nothing is lost; if the old one is killed after that, too.
        """
        chance = random.Random(KILLS)
        outcomes: dict[str, int] = {}
        for number in range(KILLS):
            self.round(chance, outcomes, killOld=bool(number % 2))
        self.show(f"{outcomes}")

    def round(self, chance: random.Random, outcomes: dict[str, int], killOld: bool) -> None:
        if not self.pid or isGone(self.pid):
            self.pidFile.unlink(missing_ok=True)
            self.balancer(CONFIG.format(port=self.port, host=self.hostPort))
        old = self.pid
        connections = [connect(self.port) for _ in range(20)]
        for each in connections:
            each.sendall(b"0\n")
        served = [self.echoes(each, b"first") for each in connections]
        self.assertEqual(served, [True] * 20)
        self.before = len(self.program.output)
        started = self.program.output.count("starts")
        relays = self.program.output.count("relay: fast")
        os.kill(old, signal.SIGUSR2)
        waitUntil(lambda: self.program.output.count("starts") > started)
        new = int(re.findall(r"upgrade: process (\d+) starts", self.program.output)[-1])
        if chance.random() < OFTEN:
            # In the short time in which connections move.
            waitUntil(lambda: self.program.output.count("relay: fast") > relays)
            time.sleep(chance.random() * MOMENT / 10)
        else:
            time.sleep(chance.random() * MOMENT)
        victim, other = (old, new) if killOld else (new, old)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        # The one that is left serves, or both had ended the upgrade before.
        waitUntil(lambda: isGone(victim))
        waitUntil(lambda: self.settled(victim, other, killOld))
        served = [self.echoes(each, b"second") for each in connections]
        for each in connections:
            each.close()
        # Either all of them are there, or none is.
        what = f"{'old' if killOld else 'new'} killed, {sum(served)} of 20 go on"
        outcomes[what] = outcomes.get(what, 0) + 1
        self.assertIn(sum(served), {0, 20}, self.program.output)
        if not isGone(other):
            with connect(self.port) as fresh:
                fresh.sendall(b"0\n")
                self.assertTrue(self.echoes(fresh, b"fresh"))
        if not killOld and not isGone(old):
            self.assertEqual(sum(served), 20)

    def settled(self, victim: int, other: int, killOld: bool) -> bool:
        """
        Tell whether the upgrade of this round is over.
        """
        if isGone(other):
            return True
        said = self.program.output[self.before :]
        if killOld:
            # The new one says so when it serves, with the connections or without them.
            return self.pid == other and "the control socket is" in said
        # If the new one had served before it was killed, the old one ends.
        return f"process {victim} serves" not in said and "This process goes on" in said

    def echoes(self, sock: socket.socket, word: bytes) -> bool:
        """
        Tell whether a connection is served. One that is not has ended, and does not hang.
        """
        try:
            sock.sendall(word)
            return readExactly(sock, len(word)) == word
        except (OSError, AssertionError, EOFError):
            return False
