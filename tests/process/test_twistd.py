"""
Tests for L{txlb.process.TwistdFiles}, L{txlb.process.TwistdService},
L{txlb.process.ProcessLog}, L{txlb.process.PidFile} and L{txlb.process.UserSignal}.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import stat
import sys
from typing import Any

from twisted.application.service import Application, IService, Service
from twisted.logger import ILogObserver, LogLevel, formatEvent
from zope.interface.verify import verifyObject

from tests.process.support import NOBODY, FolderCase
from tests.proxy.fakes import FakeReactor, logOf
from txlb._begin import earlySignals
from txlb.application import LogFileService
from txlb.process import (
    LogFileError,
    Owner,
    OwnerError,
    PidFile,
    PidFileError,
    ProcessLog,
    RotatedFile,
    TwistdFiles,
    TwistdService,
    UserSignal,
)


class TwistdCase(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.reactor = FakeReactor()
        self.log = self.path("twistd.log")
        self.pid = self.path("twistd.pid")

    def options(self, **more: Any) -> dict[str, Any]:
        """
        As twistd has them after its command line.
        """
        found = dict.fromkeys(("uid", "gid", "logger", "syslog", "debug", "chroot"))
        return {**found, "nodaemon": False, "logfile": self.log, "pidfile": self.pid, **more}


class PidTests(TwistdCase):
    def test_twoSteps(self) -> None:
        """
        It is made before twistd goes to the background, and has the number of the process
        afterwards. Then it is twistd's to remove.
        """
        options = self.options()
        file = PidFile(options, Owner())
        self.assertEqual(options["pidfile"], "")
        file.make()
        self.assertEqual(self.read(self.pid), str(os.getpid()))
        self.assertEqual(stat.S_IMODE(os.stat(self.pid).st_mode) | 0o022, 0o666)
        self.patch(os, "getpid", lambda: 7)
        file.write()
        self.assertEqual(self.read(self.pid), "7")
        self.assertEqual(options["pidfile"], self.pid)
        file.discard()
        self.assertTrue(os.path.exists(self.pid))

    def test_neverEmpty(self) -> None:
        """
        If the process stays the same, the file is not emptied again, as a program may read it.
        """
        file = PidFile(self.options(), Owner())
        file.make()
        self.patch(os, "ftruncate", None)
        file.write()
        self.assertEqual(self.read(self.pid), str(os.getpid()))

    def test_none(self) -> None:
        options = self.options(pidfile="")
        file = PidFile(options, Owner())
        file.make()
        file.write()
        file.discard()
        self.assertEqual(options["pidfile"], "")
        self.assertEqual(os.listdir(self.top), [])

    def test_left(self) -> None:
        """
        A file that is left to another process is not twistd's to remove.
        """
        options = self.options()
        file = PidFile(options, Owner())
        file.make()
        file.write()
        self.assertEqual(file.path, self.pid)
        file.leave()
        self.assertEqual((file.path, options["pidfile"]), ("", ""))
        self.assertTrue(os.path.exists(self.pid))

    def test_takenOver(self) -> None:
        """
        The file of the process before is replaced, and then it is twistd's to remove.
        """
        self.file("twistd.pid", text="1")
        self.file("twistd.pid.new", text="of an upgrade that failed")
        options = self.options(pidfile="")
        PidFile(options, Owner()).takeOver(self.pid)
        self.assertEqual(self.read(self.pid), str(os.getpid()))
        self.assertEqual(options["pidfile"], self.pid)
        self.assertFalse(os.path.exists(f"{self.pid}.new"))

    def test_notTakenOver(self) -> None:
        """
        Where the file can't be replaced it stays, and the log says so.
        """
        events = logOf(self)
        options = self.options(pidfile="")
        PidFile(options, Owner()).takeOver(self.path("nowhere/twistd.pid"))
        self.assertEqual(options["pidfile"], "")
        self.assertIn("can't be written", str(events._events))

    def test_discarded(self) -> None:
        """
        What another process has put there meanwhile is not removed.
        """
        for mine in (True, False):
            file = PidFile(self.options(), Owner())
            file.make()
            if not mine:
                os.unlink(self.pid)
                self.file("twistd.pid", text="another's")
            file.discard()
            self.assertEqual(os.path.exists(self.pid), not mine)

    def test_there(self) -> None:
        """
        Something that is there is not opened, whatever it is.
        """
        self.file("there", text="another's")
        for make in (self.file, self.folder, lambda name: os.symlink("there", self.path(name))):
            make("twistd.pid")
            error = self.assertRaises(PidFileError, PidFile(self.options(), Owner()).make)
            self.assertIn(f"can't make the pid file {self.pid}: there is something", str(error))
            self.assertIn("; remove it, or name another one with --pidfile", str(error))
            os.rename(self.pid, self.path(f"was-{len(os.listdir(self.top))}"))
        self.assertEqual(self.read(self.path("there")), "another's")

    def test_errors(self) -> None:
        options = self.options(pidfile=self.path("no", "twistd.pid"))
        error = self.assertRaises(PidFileError, PidFile(options, Owner()).make)
        self.assertIn("No such file or directory; name another one with --pidfile", str(error))
        self.needRoot()
        self.folder("theirs", uid=NOBODY)
        os.symlink(self.path("new"), self.path("theirs", "pid"))
        options = self.options(pidfile=self.path("theirs", "pid"))
        error = self.assertRaises(PidFileError, PidFile(options, Owner(NOBODY, NOBODY)).make)
        self.assertIn("theirs/pid is a symbolic link", str(error))
        self.assertFalse(os.path.lexists(self.path("new")))

    def test_noRights(self) -> None:
        owner = Owner()

        def refuse(*_: object, **__: object) -> int:
            raise OwnerError("the rights can't be had")

        self.patch(owner, "open", refuse)
        error = self.assertRaises(PidFileError, PidFile(self.options(), owner).make)
        self.assertIn("the rights can't be had; name another one with --pidfile", str(error))

    def test_newRoot(self) -> None:
        """
        With another root the file is inside, where twistd looks for none that is left over.
        """
        file = PidFile(self.options(chroot="/somewhere"), Owner())
        file.make()
        self.assertFalse(os.path.exists(self.pid))
        self.file("twistd.pid", text="old and longer than a number is")
        file.write()
        self.assertEqual(self.read(self.pid), str(os.getpid()))
        os.unlink(self.pid)
        os.mkdir(self.pid)
        file = PidFile(self.options(chroot="/somewhere"), Owner())
        self.assertRaises(PidFileError, file.write)


class LogTests(TwistdCase):
    def fromTwistd(self, **more: Any) -> ProcessLog | None:
        log = ProcessLog.fromTwistd(self.options(**more), Owner())
        if log is not None and isinstance(log.output, RotatedFile):
            self.addCleanup(log.output.close)
        return log

    def test_file(self) -> None:
        """
        The file is that of the option, or twistd's own in the background; lines are as twistd
        writes them.
        """
        log = self.fromTwistd()
        assert log is not None
        verifyObject(ILogObserver, log)
        log({"log_format": "{n} hosts", "n": 3, "log_time": 0.0, "log_namespace": "x"})
        self.assertRegex(self.read(self.log), r"^1970-01-01T\S+ \[x#\S*\] 3 hosts\n$")
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.top)
        os.rename(self.log, self.log + ".old")
        self.fromTwistd(logfile=None)
        self.assertTrue(os.path.exists(self.log))

    def test_output(self) -> None:
        """
        In the foreground it is standard output, unless a file is named.
        """
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        for more in (
            {"nodaemon": True, "logfile": None},
            {"nodaemon": True, "logfile": "-"},
            {"debug": True, "logfile": None},
        ):
            log = self.fromTwistd(**more)
            assert log is not None
            self.assertIs(log.output, output)
        self.patch(sys, "stdout", None)
        closed = self.fromTwistd(nodaemon=True, logfile=None)
        assert closed is not None
        closed({"log_format": "goes nowhere"})

    def test_notOurs(self) -> None:
        """
        The machine's log, and an observer of the administrator's, stay twistd's matter, as does
        an option that it refuses.
        """
        for more in ({"syslog": True}, {"logger": "x.y"}, {"logfile": "-"}):
            self.assertIsNone(self.fromTwistd(**more))
        self.assertEqual(os.listdir(self.top), [])

    def test_rotated(self) -> None:
        """
        On SIGUSR1 the file is rotated, as twistd does; one that was moved is opened anew.
        """
        log = self.fromTwistd()
        assert log is not None
        log.start(self.reactor)
        self.addCleanup(log.stop)
        for expected in (["twistd.log", "twistd.log.1"], ["moved", "twistd.log", "twistd.log.1"]):
            if "moved" in expected:
                os.rename(self.log, self.path("moved"))
            os.kill(os.getpid(), signal.SIGUSR1)
            self.reactor.advance(0)
            self.assertEqual(sorted(os.listdir(self.top)), expected)

    def test_noSignal(self) -> None:
        """
        Standard output has nothing to rotate.
        """
        before = signal.getsignal(signal.SIGUSR1)
        log = ProcessLog(io.StringIO())
        log.start(self.reactor)
        self.assertEqual(signal.getsignal(signal.SIGUSR1), before)
        log.stop()

    def test_pluginCache(self) -> None:
        """
        That Twisted can't keep its list of plugins is said once, for those who debug: it is no
        error of the balancer's, nor of the administrator's who runs it as another user.
        """
        output = io.StringIO()
        log = ProcessLog(output)
        events = logOf(self)
        for _ in range(3):
            log(
                {
                    "log_format": "{log_legacy}",
                    "log_legacy": "…",
                    "format": "Unable to write to plugin cache %(path)s: error number %(errno)d",
                    "path": "/opt/dropin.cache",
                    "errno": 13,
                }
            )
        [said] = list(events)
        self.assertEqual(said["log_level"], LogLevel.debug)
        self.assertIn("/opt/dropin.cache is not kept", formatEvent(said))
        self.assertEqual(output.getvalue(), "")
        log({"log_format": "another", "format": "another"})
        self.assertIn("another", output.getvalue())


class Noted(Service):
    """
    Notes its life.
    """

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def privilegedStartService(self) -> None:
        self.notes.append("listens")

    def startService(self) -> None:
        super().startService()
        self.notes.append("starts")

    def stopService(self) -> None:
        super().stopService()
        self.notes.append("stops")


class ServiceTests(TwistdCase):
    def files(self, **more: Any) -> TwistdFiles:
        self.given = self.options(**more)
        files = TwistdFiles(self.given)
        self.addCleanup(self.refuse, files)
        return files

    def refuse(self, files: TwistdFiles) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            files.refuse("the test is over")

    def test_life(self) -> None:
        """
        The application is told of the log, and the pid file is written before the service has
        root's rights for the last time.
        """
        files = self.files(uid=5, gid=6)
        self.assertEqual((files.owner.uid, files.owner.gid), (5, 6))
        files.owner.uid = files.owner.gid = None
        files.open()
        notes: list[str] = []
        service = files.serve(Noted(notes))
        assert isinstance(service, TwistdService)
        service._reactor = self.reactor
        verifyObject(IService, service)
        application: Any = Application("txlb")
        service.setServiceParent(application)
        log = application.getComponent(ILogObserver)
        self.assertIsInstance(log, ProcessLog)
        self.addCleanup(log.output.close)
        before = signal.getsignal(signal.SIGUSR1)
        service.privilegedStartService()
        self.assertEqual(self.given["pidfile"], self.pid)
        service.startService()
        self.assertNotEqual(signal.getsignal(signal.SIGUSR1), before)
        service.stopService()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), before)
        self.assertEqual(notes, ["listens", "starts", "stops"])

    def test_noPidFile(self) -> None:
        """
        A pid file that can't be made when the root has been changed ends the process, with one
        line in the log.
        """
        files = self.files(chroot="/somewhere", syslog=True)
        files.open()
        notes: list[str] = []
        service = files.serve(Noted(notes))
        os.mkdir(self.pid)
        log = logOf(self)
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        assert isinstance(error, SystemExit)
        self.assertEqual((error.code, notes), (1, []))
        [said] = [formatEvent(event) for event in log]
        self.assertIn(f"can't make the pid file {self.pid}: there is something", said)

    def test_noLog(self) -> None:
        """
        With the machine's log there is none to be told of.
        """
        files = self.files(syslog=True)
        files.open()
        service = files.serve(Noted([]))
        application: Any = Application("txlb")
        service.setServiceParent(application)
        self.assertIsNone(application.getComponent(ILogObserver))
        service.startService()
        service.stopService()

    def test_inside(self) -> None:
        """
        A parent that is no application has no log to be told of.
        """
        files = self.files(nodaemon=True, logfile="-")
        files.open()
        inner = files.serve(Noted([]))
        TwistdService(inner, PidFile({}, Owner()), None)
        self.assertIsNotNone(inner.parent)

    def test_noTwistd(self) -> None:
        """
        A program that calls the plugin itself has files of its own.
        """
        files = TwistdFiles(None)
        files.open()
        service = Noted([])
        self.assertIs(files.serve(service), service)
        terminal = io.StringIO()
        self.patch(sys, "stderr", terminal)
        files.refuse("no")
        self.assertEqual(terminal.getvalue(), "no\n")
        self.assertEqual(os.listdir(self.top), [])

    def test_refused(self) -> None:
        """
        What can't be opened is an error, and leaves no other file behind.
        """
        files = self.files(logfile=self.path("no", "log"))
        self.assertRaises(LogFileError, files.open)
        terminal = io.StringIO()
        self.patch(sys, "stderr", terminal)
        files = self.files()
        files.open()
        self.assertEqual(sorted(os.listdir(self.top)), ["twistd.log", "twistd.pid"])
        files.refuse("wrong")
        self.assertEqual(terminal.getvalue(), "wrong\n")
        self.assertEqual(os.listdir(self.top), [])

    def test_refusedInTheLog(self) -> None:
        """
        If the error is told in the log, as standard error is closed, the log stays.
        """
        self.patch(sys, "stderr", None)
        files = self.files()
        files.open()
        files.refuse("wrong")
        self.assertEqual(os.listdir(self.top), ["twistd.log"])
        self.assertEqual(self.read(self.log), "wrong\n")

    def test_refusedWithLogs(self) -> None:
        """
        A log of the service itself goes as well, but none that was there before, be it empty
        or not.
        """
        self.patch(sys, "stderr", io.StringIO())
        self.file("twistd.log", text="")
        self.file("old.log", text="a line\n")
        files = self.files()
        files.open()
        for name in ("new.log", "old.log"):
            files.alsoLog(LogFileService(self.path(name)))
        self.assertIn("new.log", os.listdir(self.top))
        files.refuse("wrong")
        self.assertEqual(sorted(os.listdir(self.top)), ["old.log", "twistd.log"])
        self.assertEqual(self.read(self.path("old.log")), "a line\n")

    def test_say(self) -> None:
        """
        What is said goes to stderr; if that is closed, or takes nothing, to the log; and without
        one nowhere.
        """

        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError

        closed = io.StringIO()
        closed.close()
        terminal = io.StringIO()
        files = self.files()
        files.open()
        for number, stream in enumerate((terminal, None, Full(), closed)):
            self.patch(sys, "stderr", stream)
            files.say(f"line {number}")
            TwistdFiles(None).say("nothing comes of it")
        self.assertEqual(terminal.getvalue(), "line 0\nnothing comes of it\n")
        self.assertEqual(self.read(self.log), "line 1\nline 2\nline 3\n")


class UserSignalTests(TwistdCase):
    def test_chain(self) -> None:
        """
        Each of those that answer is called, in the reactor's turn; one that is stopped is called
        no more, whichever stops first.
        """
        called: list[str] = []
        first, second = (UserSignal(functools.partial(called.append, name)) for name in "ab")
        before = signal.getsignal(signal.SIGUSR1)
        first.start(self.reactor)
        second.start(self.reactor)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(called, [])
        self.reactor.advance(0)
        self.assertEqual(sorted(called), ["a", "b"])
        first.stop()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.reactor.advance(0)
        self.assertEqual(sorted(called), ["a", "b", "b"])
        second.stop()
        self.assertNotEqual(signal.getsignal(signal.SIGUSR1), second._handle)
        first.stop()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), before)

    def test_early(self) -> None:
        self.patch(earlySignals, "came", set())
        self.assertFalse(UserSignal(lambda: None).cameEarly)
        earlySignals.came.add(signal.SIGUSR1)
        self.assertTrue(UserSignal(lambda: None).cameEarly)
