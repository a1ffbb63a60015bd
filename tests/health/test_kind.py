"""
Tests for L{txlb.health._kind}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb import health
from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.health import checkKinds, completed, getCheckKind, normalized, registerCheck
from txlb.health._tcp import TCP
from txlb.model import HealthCheck


class KindTests(SynchronousTestCase):
    """
    Kinds of checks and their options.
    """

    def test_words(self) -> None:
        words = [kind.word for kind in checkKinds()]
        self.assertEqual(words[:4], ["tcp", "tls", "http", "expect"])
        self.assertIs(getCheckKind("tcp"), TCP)
        self.assertRaises(UnknownName, getCheckKind, "nothing")
        self.assertRaises(DuplicateName, registerCheck, TCP)

    def test_formerName(self) -> None:
        """
        Checks of third parties can go on with the name that a connection had before.
        """
        self.assertIs(health.Line, health.CheckConnection)

    def test_completed(self) -> None:
        found = completed(HealthCheck("http", options={"path": "/a", "tls": True}))
        self.assertEqual((found["path"], found["status"], found["tls"]), ("/a", "200-399", True))
        self.assertIsNone(found["host"])

    def test_asInAFile(self) -> None:
        """
        A text will do for everything that is no text.
        """
        self.assertEqual(completed(HealthCheck("http", options={"tls": "yes"}))["tls"], True)

    def test_wrong(self) -> None:
        cases: list[tuple[str, dict[str, object], str]] = [
            ("http", {"path": "no slash"}, "path of the http check is 'no slash'"),
            ("expect", {}, "expect of the expect check is missing; it is text"),
            ("http", {"status": 99}, "status of the http check is '99'"),
            ("script", {"program": "relative"}, "an absolute path"),
            ("python", {"call": 7}, "call of the python check is '7'"),
        ]
        for kind, options, says in cases:
            check = HealthCheck(kind, options=options)
            error = self.assertRaises(ModelError, completed, check)
            self.assertIn(says, str(error))
        error = self.assertRaises(UnknownName, completed, HealthCheck("tcp", options={"path": "/"}))
        self.assertIn("option of the tcp check", str(error))

    def test_normalized(self) -> None:
        check = HealthCheck("http", fall=5, options={"path": "/", "status": "200, 204"})
        self.assertEqual(
            normalized(check), HealthCheck("http", fall=5, options={"status": "200,204"})
        )
