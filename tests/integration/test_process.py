"""
The process: sockets from systemd and what it is told, rights that are given up,
twistd's own options.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from unittest import SkipTest

from tests.integration.support import (
    PATIENCE,
    ROOT,
    TWISTD,
    IntegrationTestCase,
    Manhole,
    Program,
    bodyOf,
    connect,
    connectUNIX,
    environment,
    freePorts,
    readAll,
    request,
    server,
    sites,
    waitUntil,
)

SERVICE = """
  <service name="{name}">
    <listen ip="{listen}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>"""

STARTED = r"descriptors allow \d+ connections"

#: Who runs with nobody's rights.
NOBODY = ("--uid", "nobody", "--gid", "nogroup")

#: The number of a user and group that nothing belongs to.
OTHER = 65533

HERE = "127.0.0.1"


def config(*services: str, more: str = "") -> str:
    return f"<config>{''.join(services)}{more}</config>"


def service(name: str, listen: str, host: int) -> str:
    return SERVICE.format(name=name, listen=listen, host=host)


def lowPort() -> int:
    """
    A free port that only root may listen on.
    """
    for port in (80, 81, 443, *range(600, 1000)):
        with socket.socket() as sock:
            try:
                sock.bind((HERE, port))
            except OSError:
                continue
            return int(port)
    raise SkipTest("no port below 1024 is free, or they are not root's here")


#: Puts the descriptors of its second argument on 3 and those after it, and becomes the
#: program that follows. They are moved out of the way first, as they may be 3 or 4
#: themselves.
HAND_OVER = """
import fcntl, os, sys
names, numbers, command = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
high = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in numbers]
for number in numbers:
    os.close(int(number))
for number, descriptor in enumerate(high, 3):
    os.dup2(descriptor, number, inheritable=True)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=names
)
os.execvp(command[0], command)
"""


class ProcessCase(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.host = freePorts(1)[0]
        sites(self, server(self.host, "hello"))
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)

    def twistd(self, *words: str | Path, before: Sequence[str] = (), **environ: str) -> Program:
        """
        Start twistd, and wait for nothing.
        """
        command = (*before, *TWISTD[:-1], *words)
        more = environment(STATE_DIRECTORY=str(self.state), **environ)
        program = Program(command, self.folder, more)
        self.addCleanup(self.stopTwistd, program)
        return program


class InheritedTests(ProcessCase):
    """
    Sockets that listen already.
    """

    def inherit(self, names: str, *socks: socket.socket) -> tuple[str, ...]:
        """
        A command that hands over sockets as systemd does: on the descriptors from
        3 on, with who they are for. It needs them to be inheritable.
        """
        numbers = [str(sock.fileno()) for sock in socks]
        return (sys.executable, "-c", HAND_OVER, names, ",".join(numbers))

    def test_activated(self) -> None:
        """
        Three sockets of systemd's own, told apart by their names. Who came before
        there was a balancer is served.
        """
        self.need("systemd-socket-activate")
        web, api, elsewhere = freePorts(3)
        local = self.shortFolder() / "local"
        path = self.write(
            "config.xml",
            config(
                service("local", "systemd:local", self.host),
                service("api", "systemd:api", self.host),
                service("web", "systemd:web", self.host),
                more=f'<control socket="{local.parent}/run/control"/>',
            ),
        )
        activate = (
            "systemd-socket-activate", "-l", f"{HERE}:{web}", "-l", f"{HERE}:{api}",
            "-l", str(local), "--fdname=web:api:local", "-E", f"PYTHONPATH={ROOT / 'src'}:{ROOT}",
        )  # fmt: skip
        words = ("-n", "--pidfile=", "txlb", "-c", path, "-s", self.state)
        program = self.twistd(*words, before=activate)
        program.waitFor("Listening on .* as 5")
        with connect(web) as early:
            program.waitFor(STARTED)
            self.assertEqual(request(early), b"hello\n")
        self.assertEqual(bodyOf(api), b"hello\n")
        with connectUNIX(str(local)) as client:
            self.assertEqual(request(client), b"hello\n")
        for line in (
            f"web listens on {HERE}:{web}", f"api listens on {HERE}:{api}",
            f"local listens on unix:{local}",
        ):  # fmt: skip
            self.assertIn(line, program.output)

        # Closed in programs that it starts, and waited for by nobody.
        for number in (3, 4, 5):
            info = Path(f"/proc/{program.process.pid}/fdinfo/{number}").read_text("ascii")
            flags = int(info.partition("flags:")[2].split()[0], 8)
            self.assertEqual(flags & (os.O_CLOEXEC | os.O_NONBLOCK), os.O_CLOEXEC | os.O_NONBLOCK)

        # Away from it, and back.
        self.txlb("switch-port", "web", str(elsewhere), control=f"{local.parent}/run/control")
        self.assertEqual(bodyOf(elsewhere), b"hello\n")
        program.waitFor("web does not accept on systemd:web any more, but systemd listens")
        with connect(web) as waiting:
            waiting.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.txlb("switch-port", "web", "systemd:web", control=f"{local.parent}/run/control")
            self.assertIn(b"hello", readAll(waiting))
        self.assertEqual(self.stopTwistd(program), 0)
        self.assertTrue(local.exists())

    def txlb(self, *words: str, control: str) -> None:
        command = [sys.executable, "-m", "txlb", *words, "-s", control]
        done = subprocess.run(
            command, env=environment(), capture_output=True, timeout=PATIENCE, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_wrongNames(self) -> None:
        """
        A name that is not there is an error with the line, and with those that
        are.
        """
        path = self.write("config.xml", config(service("web", "systemd:web", self.host)))
        with socket.create_server((HERE, 0)) as one, socket.create_server((HERE, 0)) as two:
            command = (*self.inherit("api:mail", one, two), *TWISTD, "-n", "txlb", "-c", str(path))
            done = subprocess.run(
                command,
                env=environment(),
                pass_fds=(one.fileno(), two.fileno()),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stderr,
            f"{path}:3: can't listen on systemd:web: systemd has given no socket of this name; "
            "there are: api, mail\n",
        )

    def test_theNextOneServes(self) -> None:
        """
        Between one process and the next nobody is refused: who comes then waits
        in the socket, and the next one serves.
        """
        path = self.write("config.xml", config(service("web", "systemd:web", self.host)))
        with socket.create_server((HERE, 0)) as sock:
            port: int = sock.getsockname()[1]
            command = (
                *self.inherit("web", sock), *TWISTD, "-n", "txlb", "-c", str(path),
                "-s", str(self.state),
            )  # fmt: skip
            for waiting in (0, 20):
                clients = [connect(port) for _ in range(waiting)]
                log = self.folder / f"log-{waiting}"
                with log.open("wb") as output:
                    process = subprocess.Popen(
                        command,
                        env=environment(),
                        pass_fds=[sock.fileno()],
                        stdout=output,
                        stderr=output,
                    )
                try:
                    self.assertEqual(bodyOf(port), b"hello\n")
                    for client in clients:
                        with client:
                            self.assertEqual(request(client), b"hello\n")
                finally:
                    process.terminate()
                    self.assertEqual(process.wait(PATIENCE), 0, log.read_text("utf-8"))
        self.show("20 who came between two processes were served")


class Listening(threading.Thread):
    """
    What systemd hears.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.start()

    def run(self) -> None:
        while True:
            data = self._socket.recv(4096)
            if not data:
                return
            self.heard.append(data.decode())

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self._socket.getsockname())
        self.join(PATIENCE)
        self._socket.close()


class NotifyTests(ProcessCase):
    def test_told(self) -> None:
        """
        It says when clients are served, when the configuration is loaded again,
        that it lives, and when the stop has begun.
        """
        listening = Listening(self.shortFolder() / "notify")
        self.addCleanup(listening.close)
        port = freePorts(1)[0]
        path = self.write("config.xml", config(service("web", f"{HERE}:{port}", self.host)))
        words = ("-n", "--pidfile=", "txlb", "-c", path)
        program = self.twistd(
            *words,
            NOTIFY_SOCKET=listening._socket.getsockname(),
            WATCHDOG_USEC="1000000",
        )
        waitUntil(lambda: "READY=1\nSTATUS=serving web" in listening.heard)
        self.assertEqual(bodyOf(port), b"hello\n")
        waitUntil(lambda: listening.heard.count("WATCHDOG=1") >= 3)
        listening.heard.clear()
        self.write("config.xml", path.read_text("utf-8").replace('name="host"', 'name="h2"'))
        program.process.send_signal(signal.SIGHUP)
        waitUntil(lambda: any(each.startswith("READY=1\n") for each in listening.heard))
        told = [each for each in listening.heard if not each.startswith("WATCHDOG")]
        self.assertRegex("|".join(told), r"^RELOADING=1\nMONOTONIC_USEC=\d+\|READY=1\nSTATUS=.*$")
        program.waitFor("host-added web/hosts/h2: .*, by signal:SIGHUP")
        with connect(port) as open_:
            self.assertEqual(request(open_), b"hello\n")
            program.process.send_signal(signal.SIGTERM)
            waitUntil(lambda: any(each.startswith("STOPPING=1\n") for each in listening.heard))
        self.assertEqual(self.endOfTwistd(program), 0)


class RightsTests(ProcessCase):
    """
    What is left of root's rights.
    """

    def setUp(self) -> None:
        super().setUp()
        if os.getuid():
            raise SkipTest("it takes root to give up root's rights")

    def ids(self, program: Program) -> dict[str, set[str]]:
        text = Path(f"/proc/{program.process.pid}/status").read_text("ascii")
        lines = [line.partition(":\t")[::2] for line in text.splitlines()]
        return {name: set(value.split()) for name, value in lines}

    def test_asNobody(self) -> None:
        """
        Started as root it listens where only root may, and is nobody from then
        on: it serves, is changed, writes and rotates its log, and stops
        gracefully.
        """
        folder = self.shortFolder()
        folder.chmod(0o755)
        log = folder / "log"
        log.mkdir()
        os.chown(log, 65534, 65534)
        low, high, ssh = lowPort(), *freePorts(2)
        manhole = Manhole(self, ssh)
        # It reads them when somebody logs in, with the rights that it has then.
        keys = folder / "keys"
        keys.write_bytes((self.folder / "key.pub").read_bytes())
        text = config(
            service("web", f"{HERE}:{low}", self.host),
            service("local", f"unix:{folder}/local", self.host),
            more=manhole.xml.replace("key.pub", str(keys))
            + f'<control socket="{folder}/run/control"/>'
            + f'<logging file="{log}/txlb.log" connections="yes" rotateLength="1024"/>',
        )
        # It is read once more, with those rights.
        path = folder / "config.xml"
        path.write_text(text, "utf-8")
        program = self.twistd("-n", "--pidfile=", *NOBODY, "txlb", "-c", path)
        program.waitFor(STARTED)
        program.waitFor("the control socket is")
        ids = self.ids(program)
        self.assertEqual((ids["Uid"], ids["Gid"], ids["Groups"]), ({"65534"}, {"65534"}, {"65534"}))
        self.assertEqual(bodyOf(low), b"hello\n")
        for each, mode in ((folder / "local", 0o600), (folder / "run" / "control", 0o600)):
            status = each.stat()
            self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (65534, mode), each)

        self.assertIn(f"port={high}", manhole.run(f"services.switchPort('web', {high})"))
        for _ in range(20):
            self.assertEqual(bodyOf(high), b"hello\n")
        waitUntil((log / "txlb.log.1").exists)
        self.assertEqual((log / "txlb.log").stat().st_uid, 65534)
        command = [sys.executable, "-m", "txlb", "status", "-s", f"{folder}/run/control"]
        done = subprocess.run(
            command, env=environment(), capture_output=True, timeout=PATIENCE, check=False
        )
        self.assertIn(f"{HERE}:{high}".encode(), done.stdout)

        text = text.replace(f"{HERE}:{low}", f"{HERE}:{high}").replace('"host"', '"h2"')
        path.write_text(text, "utf-8")
        program.process.send_signal(signal.SIGHUP)
        program.waitFor("host-added web/hosts/h2: .*, by signal:SIGHUP")
        self.assertEqual(bodyOf(high), b"hello\n")

        with connect(high) as open_:
            self.assertEqual(request(open_), b"hello\n")
            program.process.send_signal(signal.SIGTERM)
            program.waitFor("SIGTERM: stopping")
            self.assertEqual(request(open_), b"hello\n")
        self.assertEqual(self.endOfTwistd(program), 0)
        self.show(f"root's port {low}, then {high}, as nobody (uid 65534)")

    def test_socketsOfOthers(self) -> None:
        """
        A UNIX socket is whose the configuration says, before anybody can connect and
        after root's rights were given up, and a reload changes it as far as the rights
        that are left reach.
        """
        folder = self.shortFolder()
        folder.chmod(0o755)
        # That another user owns a socket is in nobody's way where nobody owns the folder.
        os.chown(folder, 65534, 65534)
        path = folder / "config.xml"
        listeners = (
            f'<listen ip="unix:{folder}/a"/>'
            f'<listen ip="unix:{folder}/b" mode="0660" group="{OTHER}"/>'
            f'<listen ip="unix:{folder}/c" mode="0666" user="root"/>'
        )
        text = config(service("web", f"unix:{folder}/a", self.host))
        text = text.replace(f'<listen ip="unix:{folder}/a"/>', listeners)
        path.write_text(text, "utf-8")
        program = self.twistd("-n", "--pidfile=", *NOBODY, "txlb", "-c", path)
        program.waitFor("web-3 listens on")
        self.assertEqual(self.shown(folder, "abc"), [
            (65534, 65534, 0o600), (65534, OTHER, 0o660), (0, 65534, 0o666)
        ])  # fmt: skip
        self.assertEqual([self.connectsAs(OTHER, folder / each) for each in "abc"],
                         [False, True, True])  # fmt: skip

        path.write_text(text.replace(f'mode="0660" group="{OTHER}"', 'mode="0600"'), "utf-8")
        program.process.send_signal(signal.SIGHUP)
        program.waitFor(r"setting-changed web: listener unix:\S+/b mode 0660 -> 0600")
        self.assertEqual(self.shown(folder, "b"), [(65534, 65534, 0o600)])
        self.assertFalse(self.connectsAs(OTHER, folder / "b"))

        path.write_text(text.replace('mode="0666"', 'mode="0600"'), "utf-8")
        program.process.send_signal(signal.SIGHUP)
        # Whose it was is not nobody's to say any more.
        program.waitFor("nothing was changed: .*/b: its file can't be given to group '65533'")
        path.write_text(text.replace(f'mode="0660" group="{OTHER}"', "").replace("0666", "0600"))
        program.process.send_signal(signal.SIGHUP)
        program.waitFor(r"nothing was changed: .*/c: its mode can't be changed \(Operation not")
        self.assertEqual(self.shown(folder, "bc"), [(65534, 65534, 0o600), (0, 65534, 0o666)])
        self.assertTrue(self.connectsAs(OTHER, folder / "c"))
        self.assertEqual(self.stopTwistd(program), 0)
        self.assertEqual([each.name for each in folder.iterdir()], ["config.xml"])

    def shown(self, folder: Path, names: str) -> list[tuple[int, int, int]]:
        """
        User, group and mode of sockets.
        """
        found = [(folder / name).stat() for name in names]
        return [(each.st_uid, each.st_gid, stat.S_IMODE(each.st_mode)) for each in found]

    def connectsAs(self, uid: int, path: Path) -> bool:
        """
        Whether a user can connect.
        """
        program = (
            "import os, socket, sys; os.setgroups([]); os.setgid({0}); os.setuid({0}); "
            "sys.exit(socket.socket(socket.AF_UNIX).connect_ex({1!r}))"
        )
        command = [sys.executable, "-c", program.format(uid, str(path))]
        done = subprocess.run(command, timeout=PATIENCE, check=False)
        self.assertIn(done.returncode, {0, errno.EACCES})
        return not done.returncode

    def test_asTheUnitHasIt(self) -> None:
        """
        What the unit in the documentation leaves it: one capability, no way to
        others, and (where this machine lets us) a file system that can't be written
        to but for its own folders.
        """
        self.need("setpriv", "unshare", "sh")
        folder = self.shortFolder()
        for name in ("state", "run", "log"):
            (folder / name).mkdir(mode=0o700)
        low = lowPort()
        text = config(
            service("web", f"{HERE}:{low}", self.host),
            more=f'<admin><ssh listen="{HERE}:{freePorts(1)[0]}" enable="yes"/></admin>'
            f'<control socket="{folder}/run/control"/>'
            f'<logging file="{folder}/log/txlb.log" connections="yes"/>',
        )
        path = self.write("config.xml", text)
        privileges = (
            "setpriv", "--no-new-privs", "--inh-caps", "-all,+net_bind_service",
            "--bounding-set", "-all,+net_bind_service",
        )  # fmt: skip
        mounts = "".join(
            f"mount --bind {folder}/{name} {folder}/{name} && " for name in ("state", "run", "log")
        )
        script = f'mount --make-rprivate / && {mounts} mount -o remount,bind,ro / && exec "$@"'
        sandbox: tuple[str, ...] = ("unshare", "-m", "sh", "-c", script, "sh")
        tried = subprocess.run((*sandbox, "true"), capture_output=True, check=False)
        strict = tried.returncode == 0
        # Its own words go to where it can't open anything.
        program = self.twistd(
            "-n", "--pidfile=", "txlb", "-c", path, "-s", folder / "state",
            before=(*(sandbox if strict else ()), *privileges),
        )  # fmt: skip
        program.waitFor("the control socket is")
        ids = self.ids(program)
        self.assertEqual(ids["CapEff"] | ids["CapBnd"], {"0000000000000400"})
        self.assertEqual(ids["NoNewPrivs"], {"1"})
        self.assertEqual(bodyOf(low), b"hello\n")
        self.assertTrue((folder / "state" / "ssh_host_ed25519_key").exists())
        waitUntil(lambda: "web hosts/host" in (folder / "log" / "txlb.log").read_text("utf-8"))
        self.assertEqual(self.stopTwistd(program), 0)
        self.assertFalse((folder / "run" / "control").exists())
        self.show(f"one capability; file system read-only: {strict}")


#: The units of the documentation.
UNITS = ("txlb.service", "txlb.socket", "app.service", "app.socket", "app@.service")


class UnitTests(IntegrationTestCase):
    needed = ("systemd-analyze",)

    def verify(self, name: str, others: Path, folder: Path | None = None) -> tuple[int, str]:
        """
        Have systemd verify a unit, and this one alone.

        @param others: the folder of units that take the place of the machine's.
        @param folder: where the unit is; by default the test's.
        @return: the exit status and the output.
        """
        done = subprocess.run(
            ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"./{name}"),
            cwd=folder or self.folder,
            env=environment(SYSTEMD_UNIT_PATH=f"{others}:"),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def test_dropIn(self) -> None:
        """
        Systemd finds nothing wrong in the drop-in for keepalived, with Debian's unit and that of
        txlb beside it, and finds a fault that is put there.
        """
        debian = Path("/lib/systemd/system/keepalived.service")
        if not debian.exists():
            raise SkipTest("not installed: keepalived")
        units = self.folder / "units"
        (units / "keepalived.service.d").mkdir(parents=True)
        dropIn = units / "keepalived.service.d" / "txlb.conf"
        text = (ROOT / "examples" / "machines" / "keepalived.service.conf").read_text("utf-8")
        dropIn.write_text(text, "utf-8")
        for name, path in (
            ("keepalived.service", debian),
            ("txlb.service", ROOT / "docs" / "how-to" / "txlb.service"),
        ):
            unit = path.read_text("utf-8")
            unit = re.sub(r"^(Exec\w+=)/opt/\w+/bin/\S+", r"\1/bin/true", unit, flags=re.MULTILINE)
            (units / name).write_text(unit, "utf-8")

        self.assertEqual(self.verify(debian.name, units, units), (0, ""))
        dropIn.write_text(text.replace("RestartSec=1", "RestartSec=soon"), "utf-8")
        self.assertIn("Failed to parse sec value", self.verify(debian.name, units, units)[1])

    def test_verify(self) -> None:
        """
        Systemd finds nothing wrong in the units of the documentation, and little
        that they leave open. The faults of other units, which other packages of the machine
        have, are not theirs.
        """
        others = self.folder / "others"
        others.mkdir()
        wrong = "[Unit]\nDescription=wrong\nNoSuchSetting=1\n"
        (others / "basic.target").write_text(wrong, encoding="utf-8")
        for name in UNITS:
            text = (ROOT / "docs" / "how-to" / name).read_text("utf-8")
            # The programs are not there on this machine.
            text = re.sub(r"^(Exec\w+=)/opt/\w+/bin/\S+", r"\1/bin/true", text, flags=re.MULTILINE)
            self.write(name, text)
        for name in UNITS:
            self.assertEqual(self.verify(name, others), (0, ""), name)
        self.write("wrong.target", wrong)
        status, said = self.verify("wrong.target", others)
        self.assertEqual(status, 1)
        self.assertIn("NoSuchSetting", said)
        done = subprocess.run(
            ("systemd-analyze", "security", "--offline=true", "./txlb.service"),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        found = re.search(r"exposure level for txlb.service: ([\d.]+)", done.stdout)
        assert found is not None, done.stdout + done.stderr
        self.show(f"systemd-analyze security: {found[1]} of 10")
        self.assertLess(float(found[1]), 3.0)


class OptionTests(ProcessCase):
    """
    twistd's own options go on to work.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port = freePorts(1)[0]
        self.path = self.write(
            "config.xml", config(service("web", f"{HERE}:{self.port}", self.host))
        )

    def running(self, *options: str | Path, folder: Path | None = None) -> Program:
        program = self.twistd(*options, "txlb", "-c", self.path)
        waitUntil(lambda: self.served() or program.process.poll() is not None)
        self.assertIsNone(program.process.poll(), program.output)
        return program

    def served(self) -> bool:
        try:
            return bodyOf(self.port) == b"hello\n"
        except OSError:
            return False

    def test_foreground(self) -> None:
        """
        A log and a pid file of twistd's, another folder, another umask, another
        reactor, and nothing saved at the end.
        """
        run = self.folder / "run"
        run.mkdir()
        program = self.running(
            "-n", "-o", "--logfile=twistd.log", "--pidfile=txlb.pid", f"--rundir={run}",
            "--umask=027", "--reactor=poll",
        )  # fmt: skip
        self.assertEqual(int((self.folder / "txlb.pid").read_text("ascii")), program.process.pid)
        self.assertEqual(os.readlink(f"/proc/{program.process.pid}/cwd"), str(run))
        log = (self.folder / "twistd.log").read_text("utf-8")
        self.assertRegex(log, STARTED)
        self.assertIn("PollReactor", log)
        self.assertEqual(self.umask(program.process.pid), 0o027)
        self.assertEqual(self.stopTwistd(program), 0)
        self.assertEqual(list(run.iterdir()), [])
        self.assertFalse((self.folder / "txlb.pid").exists())

    def umask(self, pid: int) -> int:
        text = Path(f"/proc/{pid}/status").read_text("ascii")
        return int(text.partition("Umask:")[2].split()[0], 8)

    def test_background(self) -> None:
        """
        In the background the pid file has the process that serves. While it
        serves there can't be a second one; a file that is left over from one that
        is no more is replaced.
        """
        pidfile = self.folder / "txlb.pid"
        with subprocess.Popen(("true",)) as dead:
            dead.wait(PATIENCE)
        pidfile.write_text(str(dead.pid), "ascii")
        options = ("--pidfile", str(pidfile), "--logfile", str(self.folder / "twistd.log"))
        self.inBackground(*options)
        pid = int(pidfile.read_text("ascii"))
        self.assertEqual(self.umask(pid), 0o077)
        second = self.run_(*options)
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"Another twistd server is running, PID {pid}", second.stdout + second.stderr)
        os.kill(pid, signal.SIGTERM)
        waitUntil(lambda: not pidfile.exists())
        waitUntil(lambda: not self.lives(pid))
        self.assertNotRegex((self.folder / "twistd.log").read_text("utf-8"), "Traceback")

    def lives(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text("ascii").split()[2] != "Z"
        except OSError:
            return False

    def run_(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (*TWISTD[:-1], *options, "txlb", "-c", str(self.path)),
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def inBackground(self, *options: str) -> None:
        done = self.run_(*options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        pidfile = Path(options[1])
        waitUntil(lambda: pidfile.exists() and self.served())
        pid = int(pidfile.read_text("ascii"))
        self.addCleanup(self.kill, pid)

    def kill(self, pid: int) -> None:
        if self.lives(pid):
            os.kill(pid, signal.SIGKILL)

    def test_pluginCache(self) -> None:
        """
        A user that can't write Twisted's list of plugins, as in an environment of root's, is told
        once, at debug level: here it is a folder that has the list's name.
        """
        plugins = self.folder / "more" / "twisted" / "plugins"
        (plugins / "dropin.cache").mkdir(parents=True)
        (plugins / "more_plugin.py").write_text("", "ascii")
        path = f"{plugins.parent.parent}:{environment()['PYTHONPATH']}"
        program = self.twistd("-n", "--pidfile=", "txlb", "-c", self.path, PYTHONPATH=path)
        program.waitFor(STARTED)
        self.assertNotIn("Unable to write to plugin cache", program.output)
        told = re.findall(r"\[(\S+)\] Twisted's list of plugins (\S+) is not kept", program.output)
        self.assertEqual(told, [("txlb.process._processlog#debug", str(plugins / "dropin.cache"))])
        self.assertEqual(self.stopTwistd(program), 0)

    def test_syslog(self) -> None:
        """
        The log goes to the machine's; that there is none here is no trouble.
        """
        program = self.running("-n", "--pidfile=", "--syslog", "--prefix=balancer")
        self.assertEqual(self.stopTwistd(program), 0)
        self.assertNotIn("txlb.proxy", program.output)

    def test_chroot(self) -> None:
        """
        A process that sees nothing but one folder, with its manhole.
        """
        if os.getuid():
            raise SkipTest("it takes root to change the root")
        ssh = freePorts(1)[0]
        manhole = Manhole(self, ssh)
        root = self.shortFolder()
        # Users are looked up, and the reactor opens the null device.
        (root / "etc").mkdir()
        (root / "etc" / "passwd").write_text("nobody:x:65534:65534::/:/bin/false\n", "ascii")
        (root / "etc" / "group").write_text("nogroup:x:65534:\n", "ascii")
        (root / "dev").mkdir()
        null = root / "dev" / "null"
        os.mknod(null, stat.S_IFCHR, os.makedev(1, 3))
        null.chmod(0o666)
        root.chmod(0o755)
        keys = root / "keys"
        keys.write_bytes((self.folder / "key.pub").read_bytes())
        # Where it is found before, and where it is found then.
        inside = root / str(root).lstrip("/")
        inside.mkdir(parents=True)
        (inside / "keys").write_bytes(keys.read_bytes())
        self.write(
            "config.xml",
            config(
                service("web", f"{HERE}:{self.port}", self.host),
                more=manhole.xml.replace("key.pub", str(keys)),
            ),
        )
        program = self.running("-n", "--pidfile=", f"--chroot={root}", *NOBODY)
        program.waitFor("the manhole listens")
        self.assertEqual(manhole.run("services.getProxyNames()"), "['web']\n")
        self.assertEqual(self.stopTwistd(program), 0)

    def test_check(self) -> None:
        """
        A file is looked at before anything begins.
        """
        wrong = self.write("wrong.xml", self.path.read_text("utf-8").replace("<listen", "<lisen"))
        for path, status, words in ((self.path, 0, ": OK: 1 service"), (wrong, 1, ":3: <lisen>")):
            done = subprocess.run(
                (*TWISTD, "-n", "txlb", "-c", str(path), "--check"),
                cwd=self.folder,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(f"{path}{words}", done.stdout + done.stderr)
        self.assertFalse(self.served())
