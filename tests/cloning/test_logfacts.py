"""
Tests for L{txlb.cloning._logfacts}.
"""

from __future__ import annotations

import io

from twisted.logger import (
    LogEvent,
    Logger,
    LogPublisher,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import Identity, Role
from txlb.cloning._logfacts import LogFacts


class LogFactsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.text, self.json = io.StringIO(), io.StringIO()
        self.events: list[LogEvent] = []
        self.publisher = LogPublisher(
            textFileLogObserver(self.text),
            jsonFileLogObserver(self.json),
            self.events.append,  # type: ignore[arg-type]  # any callable will do
        )
        self.identity = Identity()
        self.facts = LogFacts(self.identity, self.publisher)
        self.facts.start()
        self.log = Logger("app", observer=self.publisher)

    def line(self) -> str:
        return self.text.getvalue().splitlines()[-1]

    def test_roles(self) -> None:
        """
        A text has the process beside the system, whatever that is now.
        """
        for role, slot, wanted in (
            (Role.ALONE, -1, "[app#info] hello"),
            (Role.MANAGER, -1, "[manager g2 app#info] hello"),
            (Role.CLONE, 3, "[clone 3/g2 app#info] hello"),
            (Role.MANAGER, 3, "[manager 3/g2 app#info] hello"),
        ):
            self.identity.role, self.identity.slot, self.identity.generation = role, slot, 2
            self.log.info("hello")
            self.assertIn(wanted, self.line())

    def test_systems(self) -> None:
        """
        A system that an event has stays in it, and one that has none is shown as usual.
        """
        self.identity.role, self.identity.slot = Role.CLONE, 1
        self.log.info("hello", log_system="HTTPChannel,3,127.0.0.1")
        self.assertIn("[clone 1/g0 HTTPChannel,3,127.0.0.1] hello", self.line())
        self.assertEqual(self.events[-1]["log_system"], "HTTPChannel,3,127.0.0.1")
        self.publisher({"log_format": "hello", "log_time": 0.0})
        self.assertIn("[clone 1/g0 -#-] hello", self.line())

    def test_fields(self) -> None:
        """
        Other observers get fields, and find nothing changed.
        """
        self.identity.role, self.identity.slot = Role.CLONE, 1
        self.log.info("hello")
        [event] = self.events
        self.assertEqual(
            (event["txlb_role"], event["txlb_slot"], event["txlb_generation"]), ("clone", 1, 0)
        )
        self.assertNotIn("log_system", event)
        self.assertIn('"txlb_role": "clone"', self.json.getvalue())
        self.assertNotIn("log_system", self.json.getvalue())

    def test_failure(self) -> None:
        """
        A traceback comes as before.
        """
        self.identity.role = Role.MANAGER
        failure = Failure(RuntimeError("the lamp is broken"))
        self.log.failure("it fails", failure)
        self.assertIn("[manager g0 app#critical] it fails", self.text.getvalue())
        self.assertIn("the lamp is broken", self.text.getvalue())

    def test_stop(self) -> None:
        """
        Texts are as before.
        """
        self.facts.stop()
        self.identity.role = Role.MANAGER
        self.log.info("hello")
        self.assertIn("[app#info] hello", self.line())
        self.assertNotIn("txlb_role", self.events[-1])
        self.facts.stop()
