"""
Tests for L{txlb.application.AccessLog} and L{txlb.application.EventLog}.
"""

from __future__ import annotations

import dataclasses
import io
import json
from datetime import UTC, datetime

from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.cloning.test_lateclones import lateness
from tests.proxy.fakes import logOf
from txlb.application import AccessLog, EventLog
from txlb.deadlines import Deadlines
from txlb.errors import ModelError
from txlb.pool import Event, EventKind
from txlb.proxy import ConnectionRecord

RECORD = ConnectionRecord(
    client="192.0.2.7:4711",
    service="web",
    group="main",
    host="a",
    connectTime=0.0021,
    totalTime=1.5,
    bytesIn=10,
    bytesOut=200,
    outcome="done",
    tries=2,
    active=9,
    serviceActive=8,
    groupActive=7,
    hostActive=6,
)

NOW = datetime(2026, 2, 3, 4, 5, 6, 789_000, UTC)


class AccessLogTests(SynchronousTestCase):
    def lines(self, record: ConnectionRecord, style: str = "text") -> list[str]:
        lines: list[str] = []
        AccessLog(lines.append, style, lambda: NOW)(record)
        return lines

    def test_text(self) -> None:
        """
        A line has the fields of HAProxy's tcplog, in their order.
        """
        self.assertEqual(
            self.lines(RECORD),
            [
                (
                    "2026-02-03T04:05:06.789+00:00 192.0.2.7:4711 web main/a 2/1500 10/200 "
                    "done 2 9/8/7/6"
                )
            ],
        )

    def test_noHost(self) -> None:
        """
        Where no host was reached there is a dash for it, and -1 for the time.
        """
        record = dataclasses.replace(RECORD, host=None, connectTime=None, outcome="no-host")
        [line] = self.lines(record)
        self.assertIn(" main/- -1/1500 ", line)
        self.assertIn(" no-host ", line)

    def test_JSON(self) -> None:
        """
        An object has the time and each field of the record.
        """
        [line] = self.lines(RECORD, "json")
        self.assertNotIn("\n", line)
        self.assertEqual(
            json.loads(line), {"time": "2026-02-03T04:05:06.789+00:00", **RECORD.asDict()}
        )

    def test_JSONnoHost(self) -> None:
        """
        What is not there is null.
        """
        [line] = self.lines(dataclasses.replace(RECORD, host=None, connectTime=None), "json")
        parsed = json.loads(line)
        self.assertIsNone(parsed["host"])
        self.assertIsNone(parsed["connectTime"])

    def test_style(self) -> None:
        """
        Another style is an error that names those that there are.
        """
        error = self.assertRaises(ModelError, AccessLog, print, "xml")
        self.assertEqual(str(error), "'xml' is no style of a log; it is one of: text, json")

    def test_file(self) -> None:
        """
        In a file each record is one line, with the time of now.
        """
        file = io.StringIO()
        log = AccessLog.toFile(file)
        before = datetime.now(UTC)
        log(RECORD)
        log(RECORD)
        first, second = file.getvalue().splitlines()
        time = datetime.fromisoformat(first.split(" ")[0])
        self.assertLess(abs((time - before).total_seconds()), 60)
        self.assertEqual(first.split(" ")[1:], second.split(" ")[1:])


class EventLogTests(SynchronousTestCase):
    def test_levels(self) -> None:
        """
        What wants attention is a warning, anything else for information; the
        event goes with its line.
        """
        log = logOf(self)
        clock = Clock()
        observer = EventLog(Deadlines(clock, clock.seconds))
        events = [Event(kind, ("web", "main", "a"), "so it is", 1.0) for kind in EventKind]
        for event in events:
            observer(event)
        self.assertEqual([each["event"] for each in log], events)
        warned = {each["event"].kind for each in log if each["log_level"] is LogLevel.warn}
        self.assertEqual(
            {kind.value for kind in warned},
            {
                "answer-held",
                "cluster-lost",
                "entry-skipped",
                "source-down",
                "host-down",
                "host-unresolved",
                "group-down",
                "backup-used",
                "circuit-opened",
                "scheduler-failed",
            },
        )
        others = {each["log_level"] for each in log if each["event"].kind not in warned}
        self.assertEqual(others, {LogLevel.info})
        self.assertEqual({each["log_namespace"] for each in log}, {"txlb.events"})

    def test_lateClones(self) -> None:
        """
        A clone that is late again and again has a line each ten seconds.
        """
        log = logOf(self)
        clock = Clock()
        deadlines = Deadlines(clock, clock.seconds)
        self.addCleanup(deadlines.stop)
        observer = EventLog(deadlines)
        for number in range(100):
            observer(lateness(number))
        self.assertEqual(len(log), 1)
        observer.flush()
        [_, last] = map(formatEvent, log)
        self.assertIn("event 99 (98 events of it in 10 s before this one: left out)", str(last))
