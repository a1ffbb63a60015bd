"""
Tests for L{txlb.tap}.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import socket
import sys
import tempfile
from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import Options, UsageError
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.programs import freePort
from tests.fired import fired
from txlb import __version__, demo, tap
from txlb.admin import hashPassword
from txlb.application import Daemon, LogFileService
from txlb.config import ManagerSettings, TimerSettings
from txlb.errors import ListenError
from txlb.process import TwistdService
from txlb.proxy import InheritedSockets, _inherited

CONFIG = """<config>
  <service name="web">
    <listen ip="127.0.0.1:{web}"/>
    <listen ip="127.0.0.1:{more}"/>
    <group name="main" scheduler="leastc" enable="yes">
      <host name="a" ip="127.0.0.1:7001"/>
    </group>
  </service>
  {rest}
</config>
"""


class OptionsTests(SynchronousTestCase):
    def parse(self, *words: str) -> tap.Options:
        options = tap.Options()
        options.parseOptions(list(words))
        return options

    def wrong(self, *words: str) -> str:
        return str(self.assertRaises(UsageError, self.parse, *words))

    def test_config(self) -> None:
        """
        A configuration file may be named by the short or the long word.
        """
        self.assertEqual(self.parse("-c", "x.xml")["config"], "x.xml")
        options = self.parse("--config", "x.xml", "--state-directory", "d")
        self.assertEqual((options["config"], options["state-directory"]), ("x.xml", "d"))

    def test_demo(self) -> None:
        """
        The demo needs no file.
        """
        self.assertTrue(self.parse("--demo")["demo"])
        self.assertTrue(self.parse("--demo", "--clones")["clones"])
        self.assertIn("give --demo too", self.wrong("--clones", "-c", "x.xml"))

    def test_both(self) -> None:
        """
        A file and the demo are two things.
        """
        self.assertIn("leave out -c", self.wrong("--demo", "-c", "x.xml"))

    def test_neither(self) -> None:
        """
        Without either, what there is to say is said.
        """
        error = self.wrong()
        self.assertIn("-c FILE", error)
        self.assertIn("--demo", error)

    def test_words(self) -> None:
        """
        A file without its option is told where it belongs.
        """
        self.assertEqual(
            self.wrong("x.xml"), "'x.xml' is no option; a configuration file follows -c"
        )

    def test_unknown(self) -> None:
        """
        An option that does not exist is an error that names it.
        """
        self.assertIn("confg", self.wrong("--confg", "x.xml"))

    def test_help(self) -> None:
        """
        The help names each option, and what signals do.
        """
        text = " ".join(str(tap.Options()).split())
        for word in ("-c", "--config", "--demo", "--state-directory", "SIGTERM", "txlb check"):
            self.assertIn(word, text)

    def test_check(self) -> None:
        """
        A file is looked at, and nothing is started.
        """
        for text, status in ((CONFIG.format(web=1, more=2, rest=""), 0), ("<config/>", 1)):
            path = self.mktemp()
            with open(path, "w") as file:
                file.write(text)
            output, errors = io.StringIO(), io.StringIO()
            self.patch(sys, "stdout", output)
            self.patch(sys, "stderr", errors)
            error = self.assertRaises(SystemExit, self.parse, "-c", path, "--check")
            assert isinstance(error, SystemExit)
            self.assertEqual(error.code, status)
            self.assertIn(f"{path}: OK: 1 service", output.getvalue()) if not status else (
                self.assertIn(f"{path}:1: <config> has no <service>", errors.getvalue())
            )
        self.assertIn("is for a configuration file", self.wrong("--demo", "--check"))

    def test_version(self) -> None:
        """
        The version is txlb's own, and nothing is started.
        """
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        error = self.assertRaises(SystemExit, self.parse, "--version")
        assert isinstance(error, SystemExit)
        self.assertEqual(error.code, 0)
        self.assertEqual(output.getvalue(), f"txlb {__version__}\n")


class MakeServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.errors = io.StringIO()
        self.patch(sys, "stderr", self.errors)
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)
        self.path = os.path.join(self.folder, "config.xml")
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

    def takenPort(self) -> int:
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        return int(taken.getsockname()[1])

    def assertListens(self, port: int) -> None:
        """
        Somebody has the port. Nobody connects to it, as the balancer would go on
        with that connection.
        """
        with socket.socket() as sock:
            error = self.assertRaises(OSError, sock.bind, ("127.0.0.1", port))
        assert isinstance(error, OSError)
        self.assertEqual(error.errno, errno.EADDRINUSE)

    def write(self, rest: str = "", **ports: int) -> None:
        self.web = ports.get("web") or freePort()
        self.more = ports.get("more") or freePort()
        with open(self.path, "w") as file:
            file.write(CONFIG.format(web=self.web, more=self.more, rest=rest))

    def make(self, path: str | None = None) -> IService:
        options = tap.Options()
        options.parseOptions(["-c", path or self.path, "-s", os.path.join(self.folder, "state")])
        return tap.makeService(options)

    def made(self) -> Daemon:
        """
        @return: the daemon, which is stopped after the test.
        """
        daemon = self.make()
        assert isinstance(daemon, Daemon)
        self.addCleanup(self.stop, daemon)
        self.assertEqual(self.errors.getvalue(), "")
        return daemon

    def stop(self, daemon: Daemon) -> None:
        self.successResultOf(daemon.stopService())
        for service in daemon:
            if isinstance(service, LogFileService):
                service._file.close()

    def failed(self, path: str | None = None) -> str:
        """
        @return: what is said on stderr when it ends with status 1.
        """
        error = self.assertRaises(SystemExit, self.make, path)
        assert isinstance(error, SystemExit)
        self.assertEqual(error.code, 1)
        text = self.errors.getvalue()
        self.assertTrue(text.endswith("\n"))
        self.assertNotIn("Traceback", text)
        return text

    def test_owner(self) -> None:
        """
        What the process has to write, rename or remove is given to who it will
        be, and what can't be given is told.
        """
        given: list[tuple[str, int, int]] = []
        self.patch(os, "geteuid", lambda: 0)
        self.patch(os, "chown", lambda path, uid, gid, **_: given.append((path, uid, gid)))
        self.patch(os, "fchown", lambda _, uid, gid: given.append(("the log", uid, gid)))
        folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o700)
        os.chmod(self.folder, 0o777)
        self.write(f'<logging file="{folder}/log"/><control socket="{folder}/control"/>')
        options = tap.Options()
        twistd = Options()
        twistd.update({"uid": 65533, "gid": None, "nodaemon": True})
        options.parent = twistd
        options.parseOptions(["-c", self.path, "-s", os.path.join(self.folder, "state")])
        service = tap.makeService(options)
        assert isinstance(service, TwistdService)
        [daemon] = list(service)
        assert isinstance(daemon, Daemon)
        self.addCleanup(self.stop, daemon)
        self.assertEqual(given, [("the log", 65533, -1), (f"{folder}/control", 65533, -1)])
        errors = self.errors.getvalue()
        self.assertIn(f"{folder} can't be written to by the user that the process will be", errors)

    def test_unusedSocket(self) -> None:
        """
        A socket that systemd has given and nobody takes is told.
        """
        with socket.create_server(("127.0.0.1", 0)) as sock:
            found = InheritedSockets([("api", os.dup(sock.fileno()))])
        self.addCleanup(found.close)
        self.patch(_inherited, "_inherited", found)
        self.write()
        daemon = self.make()
        assert isinstance(daemon, Daemon)
        self.addCleanup(self.stop, daemon)
        self.assertIn("nothing listens on systemd's socket 'api'", self.errors.getvalue())

    def test_noSocket(self) -> None:
        self.write()
        with open(self.path) as file:
            text = file.read().replace(f"127.0.0.1:{self.web}", "systemd:web")
        with open(self.path, "w") as file:
            file.write(text)
        self.assertRegex(self.failed(), r"config.xml:3: can't listen on systemd:web: systemd has ")

    def test_plugin(self) -> None:
        """
        It is found by its name, as twistd does.
        """
        makers: list[Any] = [each for each in getPlugins(IServiceMaker) if each.tapname == "txlb"]
        self.assertEqual([each.module for each in makers], ["txlb.tap"])
        self.assertIs(makers[0].options, tap.Options)
        self.assertIs(makers[0].makeService, tap.makeService)

    def test_listens(self) -> None:
        """
        All that the file says is listened on afterwards, and nothing has been
        started.
        """
        self.write()
        daemon = self.made()
        self.assertFalse(daemon.running)
        self.assertEqual(daemon.balancer.getProxyNames(), ["web-1", "web-2"])
        for port in (self.web, self.more):
            self.assertListens(port)
        self.assertEqual(list(daemon), [daemon.balancer])

    def test_checks(self) -> None:
        """
        The old elements have their effect, also where the file is loaded again.
        """
        self.write('<manager maxChecks="7"><hostCheck enable="1" interval="9"/></manager>')
        balancer = self.made().balancer
        self.assertEqual(balancer.maxChecks, 7)
        check = balancer.manager.defaultCheck
        assert check is not None
        self.assertEqual((check.interval, check.onlyDown), (9.0, True))
        settings = ManagerSettings(heartbeat=TimerSettings(5.0, True), graceTime=3.0, maxChecks=8)
        tap._configure(balancer, settings)
        check = balancer.manager.defaultCheck
        assert check is not None
        self.assertEqual((check.interval, check.onlyDown), (5.0, False))
        self.assertEqual((balancer.maxChecks, balancer.graceTime), (8, 3.0))
        self.assertEqual(balancer.engine.heartbeat.maxChecks, 8)

    def test_graceTime(self) -> None:
        """
        The grace time is that of the file.
        """
        self.write('<manager graceTime="3.5"/>')
        self.assertEqual(self.made().balancer.graceTime, 3.5)

    def test_logging(self) -> None:
        """
        The log file is started before the balancer and stopped after it, and
        holds records of connections where that is asked for.
        """
        log = os.path.join(self.folder, "txlb.log")
        self.write('<logging file="txlb.log" connections="yes"/>')
        daemon = self.made()
        logFile, balancer = list(daemon)
        assert isinstance(logFile, LogFileService)
        self.assertIs(balancer, daemon.balancer)
        self.assertEqual(daemon.balancer.record, logFile.access)
        logFile.writeLine("hello")
        with open(log) as file:
            self.assertEqual(file.read(), "hello\n")

    def test_loggingWithoutConnections(self) -> None:
        """
        Records are off by default.
        """
        self.write('<logging file="txlb.log"/>')
        daemon = self.made()
        logFile = next(iter(daemon))
        assert isinstance(logFile, LogFileService)
        self.assertIsNone(daemon.balancer.record)

    def test_manhole(self) -> None:
        """
        A manhole that is enabled is listened on, and belongs to what is stopped
        after the balancer.
        """
        port = freePort()
        user = f'<user name="admin" password="{hashPassword("secret")}" access="full"/>'
        self.write(f'<admin><ssh listen="127.0.0.1:{port}" enable="yes"/>{user}</admin>')
        daemon = self.made()
        balancer, manhole = list(daemon)
        self.assertIs(balancer, daemon.balancer)
        self.assertEqual([str(address) for address in manhole.addresses], [f"127.0.0.1:{port}"])
        self.assertListens(port)

    def test_followsTheFile(self) -> None:
        """
        What beside the services can be changed live is taken over from a file
        that is loaded again.
        """
        self.write()
        daemon = self.made()
        manager = '<manager graceTime="3"><heartbeat interval="7" enable="1"/></manager>'
        self.write(manager, web=self.web, more=self.more)
        plan = fired(daemon.balancer.reload())
        self.assertEqual([change.restart for change in plan.changes], [False, False])
        self.assertEqual(daemon.balancer.graceTime, 3.0)
        check = daemon.balancer.manager.defaultCheck
        assert check is not None
        self.assertEqual(check.interval, 7.0)

    def test_manholeDisabled(self) -> None:
        """
        One that is not enabled is not there.
        """
        port = freePort()
        self.write(f'<admin><ssh listen="127.0.0.1:{port}" enable="no"/></admin>')
        self.assertEqual(len(list(self.made())), 1)
        self.assertRaises(
            ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port), timeout=10
        )

    def test_control(self) -> None:
        """
        So does a control socket.
        """
        folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, folder)
        self.write(f'<control socket="{folder}/run/control"/>')
        _, control = list(self.made())
        self.assertEqual(control.path, f"{folder}/run/control")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(control.path)

    def test_controlTaken(self) -> None:
        """
        One that can't be had is told with its line.
        """
        folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o777)
        self.write(f'<control socket="{folder}/control"/>')
        text = self.failed()
        self.assertTrue(text.startswith(f"{self.path}:9: can't listen on unix:"), text)
        self.assertIn(f"chmod go-w {folder}", text)
        self.assertRaises(
            ConnectionRefusedError, socket.create_connection, ("127.0.0.1", self.web), timeout=10
        )

    def test_noEmptyLog(self) -> None:
        """
        A log that was opened for a start that fails later is not left behind, unless it was
        there before.
        """
        folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o777)
        log = f"{folder}/txlb.log"
        self.write(f'<logging file="{log}"/>\n  <control socket="{folder}/control"/>')
        self.failed()
        self.assertEqual(os.listdir(folder), [])
        with open(log, "w", encoding="utf-8"):
            self.failed()
        self.assertEqual(os.listdir(folder), ["txlb.log"])

    def test_wrongFile(self) -> None:
        """
        Of a wrong file everything that is wrong is said, with file and line.
        """
        self.write('<logging file="x"/>\n  <logfile/>')
        with open(self.path) as file:
            text = file.read().replace('scheduler="leastc"', 'scheduler="leastx"')
        with open(self.path, "w") as file:
            file.write(text)
        first, second = self.failed().splitlines()
        self.assertTrue(first.startswith(f"{self.path}:5: "), first)
        self.assertIn("leastx", first)
        self.assertTrue(second.startswith(f"{self.path}:10: "), second)
        self.assertIn("logfile", second)

    def test_closed(self) -> None:
        """
        A note that is due does not end a process whose stderr is closed, and an error ends it
        with its status.
        """
        self.write('<admin listen="127.0.0.1:7004"/>')
        self.patch(sys, "stderr", None)
        daemon = self.make()
        assert isinstance(daemon, Daemon)
        self.addCleanup(self.stop, daemon)
        error = self.assertRaises(SystemExit, self.make, "nowhere.xml")
        assert isinstance(error, SystemExit)
        self.assertEqual(error.code, 1)

    def test_noFile(self) -> None:
        """
        A file that is not there is named.
        """
        self.assertIn("nowhere.xml", self.failed("nowhere.xml"))

    def test_taken(self) -> None:
        """
        A port that is taken is told with the line that asks for it, and what
        was listened on before is given up.
        """
        port = self.takenPort()
        self.write(more=port)
        self.assertEqual(
            self.failed(),
            f"{self.path}:4: can't listen on 127.0.0.1:{port}: "
            "the address is in use by another listener\n",
        )
        self.assertRaises(
            ConnectionRefusedError, socket.create_connection, ("127.0.0.1", self.web), timeout=10
        )

    def test_manholeTaken(self) -> None:
        """
        So is the manhole's.
        """
        port = self.takenPort()
        self.write(f'<admin>\n<ssh listen="127.0.0.1:{port}" enable="yes"/></admin>')
        text = self.failed()
        self.assertTrue(text.startswith(f"{self.path}:10: "), text)
        self.assertIn(f"127.0.0.1:{port}", text)
        self.assertRaises(
            ConnectionRefusedError, socket.create_connection, ("127.0.0.1", self.web), timeout=10
        )

    def test_logFile(self) -> None:
        """
        A log file that can't be written is named, and nothing is listened on.
        """
        self.write('<logging file="nowhere/txlb.log"/>')
        text = self.failed()
        self.assertIn("can't write the log file", text)
        self.assertIn("nowhere", text)
        self.assertRaises(
            ConnectionRefusedError, socket.create_connection, ("127.0.0.1", self.web), timeout=10
        )

    def test_notes(self) -> None:
        """
        What is right but should be known is said, and does not stop it.
        """
        self.write('<admin listen="127.0.0.1:7004"/>')
        daemon = self.make()
        assert isinstance(daemon, Daemon)
        self.addCleanup(self.stop, daemon)
        self.assertTrue(self.errors.getvalue().startswith(f"{self.path}:9: "))

    def test_demo(self) -> None:
        """
        The demo is made with the state directory, and where it finds no port
        that is said.
        """
        asked: list[str | None] = []

        def made(stateDirectory: str | None) -> Any:
            asked.append(stateDirectory)
            if len(asked) > 1:
                raise ListenError("127.0.0.1:8179", "taken")
            return "the demo"

        self.patch(demo, "Demo", made)
        options = tap.Options()
        options.parseOptions(["--demo", "-s", "here"])
        self.assertEqual(tap.makeService(options), "the demo")
        self.patch(demo, "ClonesDemo", lambda state: f"clones in {state}")
        cloned = tap.Options()
        cloned.parseOptions(["--demo", "--clones", "-s", "here"])
        self.assertEqual(tap.makeService(cloned), "clones in here")
        self.assertEqual(asked, ["here"])
        self.assertRaises(SystemExit, tap.makeService, options)
        self.assertEqual(self.errors.getvalue(), "can't listen on 127.0.0.1:8179: taken\n")
