"""
Tests for L{txlb.application.LogFileService}.
"""

from __future__ import annotations

import errno
import json
import os
import signal
from datetime import UTC, datetime
from typing import Any

from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from tests.application.test_access import RECORD
from tests.proxy.fakes import ReactorCase, logOf
from txlb._begin import earlySignals
from txlb.application import LogFileError, LogFileService
from txlb.pool import Event, EventKind

TIME = datetime(2026, 2, 3, 4, 5, 6, 789_000, UTC).timestamp()


class LogFileCase(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = self.mktemp()
        os.makedirs(self.folder)
        self.path = os.path.join(self.folder, "balancer.log")
        # What the tests do to it ends with them.
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

    def service(self, **settings: Any) -> LogFileService:
        service = LogFileService(self.path, reactor=self.reactor, **settings)
        self.addCleanup(service._file.close)
        return service

    def started(self, **settings: Any) -> LogFileService:
        service = self.service(**settings)
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def lines(self, path: str | None = None) -> list[str]:
        with open(path or self.path) as file:
            return file.read().splitlines()


class WritingTests(LogFileCase):
    def test_text(self) -> None:
        """
        What the balancer logs is written, what others log is not.
        """
        self.started()
        Logger(namespace="txlb.proxy").info("{n} clients", n=3)
        Logger(namespace="txlbother").info("no")
        Logger(namespace="twisted").info("no")
        [line] = self.lines()
        self.assertTrue(line.endswith("3 clients"), line)
        self.assertIn("txlb.proxy#info", line)

    def test_severalLines(self) -> None:
        """
        An event of several lines can be told from several events.
        """
        service = self.service()
        service({"log_namespace": "txlb.x", "log_format": "one\ntwo", "log_time": TIME})
        first, second = self.lines()
        self.assertTrue(first.endswith("one"), first)
        self.assertEqual(second, "\ttwo")

    def test_JSON(self) -> None:
        """
        An event is an object on a line of its own.
        """
        service = self.service(style="json")
        service(
            {
                "log_namespace": "txlb.proxy",
                "log_level": LogLevel.warn,
                "log_format": "{n}\nclients",
                "log_time": TIME,
                "n": 3,
            }
        )
        service({"log_namespace": "txlb.proxy", "log_format": "x", "log_time": TIME})
        first, second = map(json.loads, self.lines())
        self.assertEqual(
            first,
            {
                "time": "2026-02-03T04:05:06.789+00:00",
                "level": "warn",
                "from": "txlb.proxy",
                "text": "3\nclients",
            },
        )
        self.assertEqual(second["level"], "info")

    def test_event(self) -> None:
        """
        What has changed is there as fields as well, for programs.
        """
        event = Event(EventKind.HOST_WEIGHT, ("web", "main", "a"), "weight 1 -> 2", 5.0)
        service = self.service(style="json")
        service({"log_format": "{event}", "log_namespace": "txlb.events", "event": event})
        service({"log_format": "{event}", "log_namespace": "txlb.x", "event": "another"})
        first, second = map(json.loads, self.lines())
        self.assertEqual(first["text"], "host-weight web/main/a: weight 1 -> 2")
        self.assertEqual(first["event"], json.loads(json.dumps(event.asDict())))
        self.assertNotIn("event", second)

    def test_failure(self) -> None:
        """
        A failure that is logged has its reason in the file.
        """
        service = self.service()
        reason = Failure(RuntimeError("the reason"))
        service(
            {
                "log_namespace": "txlb.x",
                "log_format": "it failed",
                "log_time": TIME,
                "log_failure": reason,
            }
        )
        text = "\n".join(self.lines())
        self.assertIn("it failed", text)
        self.assertIn("the reason", text)

    def test_records(self) -> None:
        """
        Records of connections go to the same file in the same style.
        """
        service = self.service(style="json")
        service.access(RECORD)
        [line] = self.lines()
        self.assertEqual(json.loads(line)["client"], RECORD.client)

    def test_stopped(self) -> None:
        """
        After a stop nothing is written.
        """
        service = self.started()
        service.stopService()
        Logger(namespace="txlb.proxy").info("no")
        self.assertEqual(self.lines(), [])

    def test_startedAgain(self) -> None:
        """
        It can be started again, and then writes each line once.
        """
        service = self.started()
        self.assertTrue(service.running)
        service.stopService()
        self.assertFalse(service.running)
        service.startService()
        Logger(namespace="txlb.proxy").info("yes")
        self.assertEqual(len(self.lines()), 1)

    def test_cantBeOpened(self) -> None:
        """
        A file that can't be written is an error that names it.
        """
        error = self.assertRaises(LogFileError, LogFileService, os.path.join(self.path, "x"))
        self.assertEqual(
            str(error),
            f"can't write the log file {os.path.join(self.path, 'x')}: "
            + os.strerror(errno.ENOENT),
        )

    def test_full(self) -> None:
        """
        A system that takes nothing, be it an event or a connection's record, makes no trouble
        for who writes: nothing is raised, and one event is logged.
        """
        self.path = "/dev/full"
        log = logOf(self)
        service = self.started(rotateLength=100)
        for _ in range(50):
            Logger(namespace="txlb.proxy").info("an event")
            service.access(RECORD)
        [told] = [event for event in log if "lost" in event]
        self.assertEqual(told["lost"], 1)
        self.assertFalse(service.isRotated)


class RotationTests(LogFileCase):
    def test_bySize(self) -> None:
        """
        A file that is full is put aside, and no more old ones are kept than
        wanted. No line is lost in between.
        """
        service = self.service(rotateLength=100, maxRotated=2)
        for n in range(30):
            service.writeLine(f"{n:020}")
        names = sorted(os.listdir(self.folder))
        self.assertEqual(names, ["balancer.log", "balancer.log.1", "balancer.log.2"])
        kept = [
            int(line)
            for name in reversed(names)
            for line in self.lines(os.path.join(self.folder, name))
        ]
        self.assertEqual(kept, list(range(kept[0], 30)))

    def test_never(self) -> None:
        """
        With 0 it is never rotated.
        """
        service = self.service(rotateLength=0)
        for _ in range(1000):
            service.writeLine("x" * 100)
        self.assertEqual(os.listdir(self.folder), ["balancer.log"])
        self.assertEqual(len(self.lines()), 1000)

    def test_SIGUSR1(self) -> None:
        """
        On SIGUSR1 the file is opened anew by its name, outside of the signal's
        handler, and whoever had that signal before is told too.
        """
        told: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _: told.append(number))
        service = self.started()
        service.writeLine("old")
        os.rename(self.path, self.path + ".old")
        os.kill(os.getpid(), signal.SIGUSR1)
        service.writeLine("still old")
        self.reactor.advance(0)
        service.writeLine("new")
        self.assertEqual(self.lines(self.path + ".old"), ["old", "still old"])
        self.assertEqual(self.lines(), ["new"])
        self.assertEqual(told, [signal.SIGUSR1])

    def test_early(self) -> None:
        """
        A SIGUSR1 that came before the service has started is answered when it does.
        """
        self.patch(earlySignals, "came", {signal.SIGUSR1})
        service = self.service()
        os.rename(self.path, self.path + ".old")
        service.startService()
        self.addCleanup(service.stopService)
        self.assertEqual(self.lines(), [])

    def test_signalGivenBack(self) -> None:
        """
        After a stop the signal is as it was before.
        """
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        service = self.started()
        self.assertNotEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGUSR1)
        service.stopService()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_IGN)

    def test_cantBeReopened(self) -> None:
        """
        Where the file can't be opened anew the old one is written on, and the
        trouble is told there.
        """
        service = self.started()
        old = os.path.join(self.folder, "old")
        os.rename(self.path, old)
        os.mkdir(self.path)
        service.reopen()
        service.writeLine("on")
        complaint, line = self.lines(old)
        self.assertIn("can't open the log file", complaint)
        self.assertIn(os.strerror(errno.EISDIR), complaint)
        self.assertEqual(line, "on")

    def test_globalReactor(self) -> None:
        """
        Without a reactor of its own it takes the global one when it starts.
        """
        from twisted.internet import reactor  # noqa: PLC0415 - as the service does

        service = LogFileService(self.path)
        self.addCleanup(service._file.close)
        self.assertIsNone(service._reactor)
        service.startService()
        service.stopService()
        self.assertIs(service._reactor, reactor)
        self.assertNotIn(service, globalLogPublisher._observers)
