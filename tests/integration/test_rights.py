"""
Files and sockets of a balancer that is started as root and gives up root's rights, or
that has them in a folder of another user.

An attacker has taken over the process, or has its user's rights otherwise, and puts a
link at a name that root is going to open at the next start (the class of CVE-2016-1247).
These links are real ones, and the system's own protections are off in a folder that is not
sticky.
"""

from __future__ import annotations

import functools
import os
import signal
import stat
import subprocess
from pathlib import Path
from unittest import SkipTest

from tests.integration.support import (
    PATIENCE,
    TWISTD,
    IntegrationTestCase,
    Program,
    environment,
    freePorts,
    waitUntil,
)
from tests.integration.support._usage import catches

#: nobody, which the process becomes.
UID = 65534
NOBODY = ("--uid", "nobody", "--gid", "nogroup")

HERE = "127.0.0.1"
STARTED = r"descriptors allow \d+ connections"


class RootCase(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        if os.getuid():
            raise SkipTest("it takes root to give up root's rights")
        self.port, self.host = freePorts(2)
        # Everybody may enter it, and nobody but root can change it.
        self.top = self.shortFolder()
        self.top.chmod(0o755)
        self.state = self.top / "state"
        self.state.mkdir(mode=0o700)
        #: What the attacker wants root to open.
        self.target = self.top / "target"
        self.target.write_text("root's\n", "ascii")
        self.target.chmod(0o600)

    def theirs(self, name: str) -> Path:
        """
        A folder of the user that the process will be.
        """
        folder = self.top / name
        folder.mkdir(mode=0o755)
        os.chown(folder, UID, UID)
        return folder

    def config(self, more: str = "", listen: str = "") -> Path:
        path = self.top / "config.xml"
        path.write_text(
            f"""<config>
  <service name="web">
    <listen ip="{listen or f"{HERE}:{self.port}"}"/>
    <group name="hosts" enable="yes"><host name="host" ip="{HERE}:{self.host}"/></group>
  </service>
  {more}
</config>
""",
            "utf-8",
        )
        return path

    def command(self, *options: str | Path) -> list[str]:
        words = (*options, "txlb", "-c", self.top / "config.xml", "-s", self.state)
        return [*TWISTD[:-1], *map(str, words)]

    def running(self, *options: str | Path) -> Program:
        program = Program(self.command("-n", *options), self.folder, environment())
        self.addCleanup(self.stopTwistd, program)
        return program

    def refused(self, *options: str | Path) -> str:
        """
        @return: what it says when it does not start.
        """
        done = subprocess.run(
            self.command("-n", *options),
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stdout + done.stderr)
        return done.stderr

    def assertUntouched(self) -> None:
        """
        Root's file is as it was.
        """
        status = self.target.stat()
        self.assertEqual(self.target.read_text("ascii"), "root's\n")
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (0, 0o600))

    def openFiles(self, program: Program) -> set[str]:
        """
        What the process has open.
        """
        folder = Path(f"/proc/{program.process.pid}/fd")
        return {os.readlink(folder / each) for each in os.listdir(folder)}


class LogTests(RootCase):
    """
    The file of C{<logging>}.
    """

    def logging(self, path: Path) -> None:
        self.config(f'<logging file="{path}" connections="yes"/>')

    def test_link(self) -> None:
        """
        A link to a file of root's is not followed: nothing is opened, nothing is given away,
        and the message names the link and the remedy.
        """
        logs = self.theirs("logs")
        for target in (self.target, self.top / "new"):
            (logs / "txlb.log").symlink_to(target)
            self.logging(logs / "txlb.log")
            said = self.refused("--pidfile=", *NOBODY)
            self.assertIn(f"can't write the log file {logs}/txlb.log: {logs}/txlb.log is a", said)
            self.assertIn("remove it, or name another file", said)
            (logs / "txlb.log").unlink()
        self.assertUntouched()
        self.assertFalse((self.top / "new").exists())

    def test_linkAbove(self) -> None:
        """
        So it is with a link in place of a folder above the file.
        """
        self.theirs("logs")
        (self.top / "etc").mkdir(mode=0o755)
        (self.top / "logs" / "sub").symlink_to(self.top / "etc")
        self.logging(self.top / "logs" / "sub" / "txlb.log")
        self.assertIn(
            f"{self.top}/logs/sub is a symbolic link", self.refused("--pidfile=", *NOBODY)
        )
        self.assertEqual(list((self.top / "etc").iterdir()), [])

    def test_hardLink(self) -> None:
        """
        A second name of root's file is one that the user can't open.
        """
        logs = self.theirs("logs")
        os.link(self.target, logs / "txlb.log")
        self.logging(logs / "txlb.log")
        self.assertIn(f"{logs}/txlb.log", self.refused("--pidfile=", *NOBODY))
        self.assertUntouched()

    def test_staysRoot(self) -> None:
        """
        Neither is it followed if the process stays root's, nor is root's file appended to by
        a second name of it.
        """
        logs = self.theirs("logs")
        self.logging(logs / "txlb.log")
        (logs / "txlb.log").symlink_to(self.target)
        self.assertIn("is a symbolic link in a folder that others", self.refused("--pidfile="))
        (logs / "txlb.log").unlink()
        os.link(self.target, logs / "txlb.log")
        self.assertIn("has other names as well", self.refused("--pidfile="))
        self.assertUntouched()

    def test_linkOfRoots(self) -> None:
        """
        A link that nobody but root can make is followed, as an administrator who has put the
        logs on another disk expects.
        """
        (self.top / "disk").mkdir(mode=0o755)
        (self.top / "logs").symlink_to(self.top / "disk")
        self.logging(self.top / "logs" / "txlb.log")
        program = self.running("--pidfile=", *NOBODY)
        program.waitFor(STARTED)
        status = (self.top / "disk" / "txlb.log").stat()
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (UID, 0o640))

    def test_groupsFolder(self) -> None:
        """
        A /var/log that is root's and a group's, as Ubuntu has it, takes a new file, and the same
        file again at the next start.
        """
        logs = self.top / "logs"
        logs.mkdir()
        os.chown(logs, 0, 4)
        logs.chmod(0o775)
        self.logging(logs / "txlb.log")
        for _ in range(2):
            program = self.running("--pidfile=", *NOBODY)
            program.waitFor(STARTED)
            self.assertEqual((logs / "txlb.log").stat().st_uid, UID)
            self.assertEqual(self.stopTwistd(program), 0)

    def test_devices(self) -> None:
        """
        A device is written to and not given away: the null device stays root's.
        """
        null = self.top / "null"
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        null.chmod(0o666)
        self.logging(null)
        program = self.running("--pidfile=", *NOBODY)
        program.waitFor(STARTED)
        status = null.stat()
        self.assertEqual((status.st_uid, stat.S_IFMT(status.st_mode)), (0, stat.S_IFCHR))
        self.assertNotIn("is not rotated", program.output)


class TwistdTests(RootCase):
    """
    The files of twistd's own options, which twistd itself opens wherever a link leads.
    """

    def setUp(self) -> None:
        super().setUp()
        self.config()
        self.run_ = self.theirs("run")

    def test_log(self) -> None:
        """
        C{--logfile} is opened with the user's rights in the user's folder.
        """
        log = self.run_ / "twistd.log"
        log.symlink_to(self.target)
        said = self.refused("--pidfile=", f"--logfile={log}", *NOBODY)
        self.assertIn(f"can't write the log file {log}: {log} is a symbolic link", said)
        self.assertUntouched()
        log.unlink()
        self.running("--pidfile=", f"--logfile={log}", *NOBODY)
        waitUntil(lambda: log.exists() and "descriptors allow" in log.read_text("utf-8"))
        status = log.stat()
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (UID, 0o640))

    def test_pidFile(self) -> None:
        """
        C{--pidfile} makes a file that is new, and empties none.
        """
        pid = self.run_ / "txlb.pid"
        for target in (self.target, self.top / "new"):
            # twistd looks at an old one first: it has to look like one.
            self.target.write_text("999999999", "ascii")
            pid.symlink_to(target)
            if target is self.target:
                # twistd removes it, as it removes what an old process has left.
                program = self.running(f"--pidfile={pid}", *NOBODY)
                program.waitFor(STARTED)
                process = program.process
                waitUntil(functools.partial(catches, process.pid, signal.SIGTERM))
                self.assertEqual(pid.read_text("ascii"), str(process.pid))
                self.assertFalse(pid.is_symlink())
                self.assertEqual(self.stopTwistd(program), 0)
            else:
                said = self.refused(f"--pidfile={pid}", *NOBODY)
                self.assertIn(f"can't make the pid file {pid}: {pid} is a symbolic link", said)
                self.assertIn("--pidfile", said)
                pid.unlink()
        self.assertEqual(self.target.read_text("ascii"), "999999999")
        self.assertFalse((self.top / "new").exists())

    def test_pidFileOfRoots(self) -> None:
        """
        In a folder of root's it stays root's, so that a process that was taken over can't
        have another one killed by it.
        """
        pid = self.top / "txlb.pid"
        program = self.running(f"--pidfile={pid}", *NOBODY)
        program.waitFor(STARTED)
        status = pid.stat()
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (0, 0o644))
        self.assertEqual(pid.read_text("ascii"), str(program.process.pid))
        self.assertNotIn(str(pid), self.openFiles(program))

    def test_refusedLeavesNoPidFile(self) -> None:
        """
        A start that fails for another reason leaves no pid file behind.
        """
        self.config(listen=f"unix:{self.top}/no/such/folder")
        pid = self.top / "txlb.pid"
        self.assertIn("can't listen on", self.refused(f"--pidfile={pid}", *NOBODY))
        self.assertFalse(pid.exists())


class SocketTests(RootCase):
    """
    The control socket, and those of services.
    """

    def test_linkAbove(self) -> None:
        """
        A folder that is root's by itself is reached by way of a folder of the user's, who has
        put a link there. Nothing is made, removed or given away where the link leads.
        """
        mine = self.theirs("run")
        (self.top / "etc").mkdir(mode=0o755)
        (mine / "sub").symlink_to(self.top / "etc")
        for more, listen in (
            (f'<control socket="{mine}/sub/control"/>', ""),
            ("", f"unix:{mine}/sub/web"),
        ):
            self.config(more, listen)
            said = self.refused("--pidfile=", *NOBODY)
            self.assertRegex(said, rf"config\.xml:\d+: can't listen on unix:{mine}/sub/")
        self.config(f'<control socket="{mine}/sub/control"/>')
        self.assertIn(f"{mine}/sub is a symbolic link", self.refused("--pidfile="))
        self.assertEqual(list((self.top / "etc").iterdir()), [])

    def test_inTheirFolder(self) -> None:
        """
        In the user's own folder they are made with the user's rights, and removed in the end.
        """
        mine = self.theirs("run")
        mine.chmod(0o700)
        self.config(f'<control socket="{mine}/control"/>', f"unix:{mine}/web")
        program = self.running("--pidfile=", *NOBODY)
        program.waitFor("the control socket is")
        for name in ("control", "web"):
            status = (mine / name).stat()
            self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (UID, 0o600))
        self.assertEqual(self.stopTwistd(program), 0)
        self.assertEqual(list(mine.iterdir()), [])


class StateTests(RootCase):
    """
    The state directory, in which the host key is.
    """

    def test_linkAbove(self) -> None:
        """
        A folder of root's in a folder of the user's is replaced by a link to where another
        private key of root's is. That key is not read, and no key is made there.
        """
        home = self.theirs("home")
        (self.top / "ssh").mkdir(mode=0o755)
        (home / "state").symlink_to(self.top / "ssh")
        self.state = home / "state"
        ssh = freePorts(1)[0]
        self.config(f'<admin><ssh listen="{HERE}:{ssh}" enable="yes"/></admin>')
        said = self.refused("--pidfile=", *NOBODY)
        self.assertIn(f"the state directory {home}/state can't be used: {home}/state is a", said)
        self.assertIn("--state-directory", said)
        self.assertEqual(list((self.top / "ssh").iterdir()), [])
