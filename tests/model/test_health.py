"""
How hosts are checked, as configured.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import HealthCheck, ProxyGroup, ProxyHost


class HealthCheckTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        check = HealthCheck()
        self.assertEqual((check.kind, check.interval, check.rise, check.fall), ("tcp", 2.0, 2, 3))
        self.assertIsNone(check.fastInterval)
        self.assertIsNone(check.downInterval)
        self.assertFalse(check.onlyDown)

    def test_patience(self) -> None:
        self.assertEqual(HealthCheck().patience, 2.0)
        self.assertEqual(HealthCheck(interval=60).patience, 5.0)
        self.assertEqual(HealthCheck(interval=60, timeout=30).patience, 30.0)

    def test_equalAndHashable(self) -> None:
        one = HealthCheck("http", options={"path": "/health"})
        other = HealthCheck("http", options={"path": "/health"})
        self.assertEqual(one, other)
        self.assertEqual(len({one, other}), 1)
        self.assertNotEqual(one, replace(one, options={"path": "/"}))

    def test_optionsAreFrozen(self) -> None:
        mine: dict[str, object] = {"path": "/"}
        check = HealthCheck("http", options=mine)
        mine["path"] = "/other"
        self.assertEqual(check.options["path"], "/")
        with self.assertRaises(TypeError):
            check.options["path"] = "/other"  # type: ignore[index]

    def test_wrong(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"kind": ""}, "no kind of check"),
            ({"kind": "TCP IP"}, "no kind of check"),
            ({"interval": 0}, "interval of the tcp check is 0"),
            ({"interval": None}, "interval of the tcp check is None"),
            ({"interval": 1, "timeout": 2}, "longer than its interval of 1"),
            ({"fastInterval": -1}, "fastInterval"),
            ({"downInterval": True}, "downInterval"),
            ({"rise": 0}, "rise of the tcp check"),
            ({"fall": 101}, "fall of the tcp check"),
            ({"port": 0}, "port of the tcp check"),
            ({"onlyDown": "yes"}, "onlyDown of the tcp check"),
        ]
        for wrong, says in cases:
            error = self.assertRaises(ModelError, HealthCheck, **wrong)
            self.assertIn(says, str(error))


class OwnersTests(SynchronousTestCase):
    def test_ofGroupAndHost(self) -> None:
        check = HealthCheck()
        self.assertIs(ProxyGroup("g", check=check).check, check)
        self.assertIs(ProxyHost("h", "10.0.0.1", 80, check=check).check, check)
        self.assertIs(ProxyHost.at("h", "10.0.0.1:80", check=check).check, check)
        self.assertIs(ProxyHost.at("h", "unix:/s", check=check).check, check)

    def test_noCheck(self) -> None:
        self.assertIsNone(ProxyGroup("g").check)
        self.assertIsNone(ProxyHost("h", "10.0.0.1", 80).check)

    def test_wrong(self) -> None:
        wrong: object = "tcp"
        error = self.assertRaises(ModelError, ProxyGroup, "g", check=wrong)
        self.assertIn("check of group 'g' is 'tcp'", str(error))
        error = self.assertRaises(ModelError, ProxyHost, "h", "10.0.0.1", 80, check=wrong)
        self.assertIn("check of host 'h' is 'tcp'", str(error))
