"""
Signals that come early, or for which there is nothing to do, and a terminal that is closed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.integration.support import (
    PATIENCE,
    TWISTD,
    IntegrationTestCase,
    Program,
    bodyOf,
    environment,
    freePorts,
    server,
    sites,
    waitUntil,
)
from tests.integration.support._usage import catches

CONFIG = """
<config>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
  {more}
</config>
"""

#: By which log files are opened anew and configurations loaded again.
BOTH = (signal.SIGUSR1, signal.SIGHUP)

STARTED = r"descriptors allow \d+ connections"

#: Closes the descriptors of its first argument, and becomes the program that follows.
CLOSE = """
import os, sys
for number in sys.argv[1].split(","):
    os.close(int(number))
os.execvp(sys.argv[2], sys.argv[2:])
"""


class SignalCase(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.port, self.host = freePorts(2)
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)

    def config(self, more: str = "") -> Path:
        return self.write("config.xml", CONFIG.format(port=self.port, host=self.host, more=more))

    def twistd(self, *words: str | Path) -> Program:
        more = environment(STATE_DIRECTORY=str(self.state))
        program = Program((*TWISTD[:-1], "-n", "--pidfile=", *words), self.folder, more)
        self.addCleanup(self.stopTwistd, program)
        return program

    def listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


class EarlyTests(SignalCase):
    def pelted(self, *words: str | Path) -> Program:
        """
        Start a program, and send it both signals all the time from when its process belongs to
        the command until it has been at work for a while.

        Before that the process is Python and Twisted, which look for the command: in that
        time a signal has the system's meaning, and no part of txlb runs.
        """
        program = self.twistd(*words)
        pid = program.process.pid
        waitUntil(lambda: catches(pid, signal.SIGUSR1) or program.process.poll() is not None)
        for _ in self.until(lambda: "starting up" in program.output):
            for number in BOTH:
                program.process.send_signal(number)
        for _ in range(20):
            for number in BOTH:
                program.process.send_signal(number)
            time.sleep(0.01)
        return program

    def until(self, condition: object) -> Iterator[None]:
        assert callable(condition)
        ends = time.monotonic() + PATIENCE
        while not condition() and time.monotonic() < ends:
            yield
            time.sleep(0.002)

    def test_balancer(self) -> None:
        """
        Signals do not kill a balancer, whether or not it has a log file of its own.
        """
        for more in ("", '<logging file="txlb.log"/>'):
            self.config(more)
            program = self.pelted("txlb", "-c", "config.xml")
            program.waitFor(STARTED)
            for number in BOTH:
                program.process.send_signal(number)
            program.waitFor("SIGHUP: loading the configuration file again")
            self.assertTrue(self.listens())
            self.assertEqual(self.stopTwistd(program), 0)

    def test_agent(self) -> None:
        """
        Nor an agent, which has neither a log nor a file to load.
        """
        program = self.pelted("txlb-agent", "-l", f"127.0.0.1:{self.port}")
        program.waitFor("the agent listens on")
        for number in BOTH:
            program.process.send_signal(number)
        waitUntil(self.listens)
        self.assertIsNone(program.process.poll())

    def test_remembered(self) -> None:
        """
        A SIGHUP that comes when the file has been read, and before it is answered, is
        answered: whoever sent it has changed the file.
        """
        path = self.config()
        program = self.twistd("txlb", "-c", path)
        waitUntil(lambda: catches(program.process.pid, signal.SIGHUP))
        program.process.send_signal(signal.SIGHUP)
        program.waitFor("SIGHUP: loading the configuration file again")

    def test_demo(self) -> None:
        """
        The demo has no file to load. SIGHUP, which a terminal sends that is closed, stops it
        as Ctrl-C does; SIGUSR1 does nothing.
        """
        program = self.twistd("txlb", "--demo")
        program.waitFor("Ctrl-C ends it")
        waitUntil(lambda: catches(program.process.pid, signal.SIGTERM))
        program.process.send_signal(signal.SIGUSR1)
        program.process.send_signal(signal.SIGHUP)
        self.assertEqual(program.process.wait(PATIENCE), 0)
        self.assertIn("SIGHUP: stopping", program.output)


class ClosedTests(SignalCase):
    """
    Standard descriptors that are closed, as some supervisors leave them.
    """

    #: A note is due.
    NOTED = '<admin listen="127.0.0.1:7004"/>'

    def closed(self, numbers: str, *words: str | Path) -> tuple[str, ...]:
        return (sys.executable, "-c", CLOSE, numbers, *TWISTD[:-1], *map(str, words))

    def started(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment(STATE_DIRECTORY=str(self.state))
        )
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        return process

    def test_note(self) -> None:
        """
        A note that is due when stderr is closed goes to the log, and the balancer serves.
        """
        sites(self, server(self.host, "hello"))
        self.config(self.NOTED)
        log = self.folder / "twistd.log"
        for numbers in ("2", "0,1,2"):
            self.checkNote(numbers, log)
            log.unlink()

    def checkNote(self, numbers: str, log: Path) -> None:
        words = ("-n", "--pidfile=", f"--logfile={log}", "txlb", "-c", "config.xml")
        process = self.started(*self.closed(numbers, *words))
        waitUntil(lambda: self.listens() or process.poll() is not None)
        self.assertIsNone(process.poll())
        self.assertEqual(bodyOf(self.port), b"hello\n")
        self.assertIn("listen of <admin> is read and has no effect", log.read_text("utf-8"))
        self.assertNotIn("Traceback", log.read_text("utf-8"))
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_error(self) -> None:
        """
        So does an error, and the status is 1.
        """
        self.config("<nonsense/>")
        log = self.folder / "twistd.log"
        process = self.started(
            *self.closed("2", "-n", "--pidfile=", f"--logfile={log}", "txlb", "-c", "config.xml")
        )
        self.assertEqual(process.wait(PATIENCE), 1)
        self.assertRegex(log.read_text("utf-8"), r"config\.xml:7: <nonsense>")

    def test_background(self) -> None:
        """
        Going to the background, twistd puts the null device on the standard descriptors. A
        listening socket must not have got one of these numbers.
        """
        sites(self, server(self.host, "hello"))
        self.config()
        pidfile = self.folder / "txlb.pid"
        process = self.started(
            *self.closed("0,1,2", f"--pidfile={pidfile}", "txlb", "-c", "config.xml")
        )
        self.assertEqual(process.wait(PATIENCE), 0)
        pid = int(pidfile.read_text("ascii"))
        try:
            self.assertEqual(bodyOf(self.port), b"hello\n")
            for number in range(3):
                self.assertEqual(os.readlink(f"/proc/{pid}/fd/{number}"), os.devnull)
        finally:
            os.kill(pid, signal.SIGTERM)
            waitUntil(lambda: not pidfile.exists())

    def test_command(self) -> None:
        """
        The command says by its status how it went, where it can't say more.
        """
        right = self.config()
        wrong = self.write("wrong.xml", "<config/>")
        for numbers, path, status in (("1", right, 0), ("1,2", wrong, 1), ("2", wrong, 1)):
            command = (sys.executable, "-c", CLOSE, numbers, sys.executable, "-m", "txlb", "check")
            done = subprocess.run(
                (*command, str(path)),
                cwd=self.folder,
                env=environment(),
                timeout=PATIENCE,
                check=False,
            )
            self.assertEqual(done.returncode, status, numbers)
