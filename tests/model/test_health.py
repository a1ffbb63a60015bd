"""
How hosts are checked, as configured.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.manager import proxyManagerFactory
from txlb.model import (
    HealthCheck,
    HostMapper,
    ProxyGroup,
    ProxyHost,
    convertMapperToModel,
)


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

    def test_function(self) -> None:
        """
        With a function in the place of a word, all other settings are at hand.
        """
        check = HealthCheck(isWell, 0.5, rise=1)
        self.assertEqual(check, HealthCheck("python", 0.5, rise=1, options={"call": isWell}))
        self.assertEqual(str(check), "python every 0.5 s rise=1 call=isWell")
        self.assertEqual(replace(check, rise=2).options["call"], isWell)
        self.assertNotEqual(check, HealthCheck(print, 0.5, rise=1))

    def test_wrong(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"kind": ""}, "it is a word, such as 'tcp', or a function"),
            ({"kind": "TCP IP"}, "it is a word, such as 'tcp', or a function"),
            (
                {"kind": 7},
                "kind of a check is '7'",
            ),
            ({"kind": HealthCheck}, "it is a word, such as 'tcp', or a function"),
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

    def test_short(self) -> None:
        """
        A function or a word will do, wherever a check is wanted.
        """
        for short, check in ((isWell, HealthCheck(isWell)), ("tcp", HealthCheck("tcp"))):
            self.assertEqual(ProxyGroup("g", check=short).check, check)
            self.assertEqual(ProxyHost("h", "10.0.0.1", 80, check=short).check, check)
            self.assertEqual(ProxyHost.at("h", "unix:/s", check=short).check, check)
            mapper = HostMapper(proxy=":80", host="h", address="10.0.0.1:80", check=short)
            (service,) = convertMapperToModel([mapper])
            self.assertEqual(service.enabledGroup.hosts[0].check, check)
            manager = proxyManagerFactory([service])
            manager.addHost("proxy1", "group1", "i", "10.0.0.2:80", check=short)
            self.assertEqual(manager.checkOf("proxy1", "group1", "i"), check)
        self.assertIsNone(HostMapper(proxy=":80", host="h", address="10.0.0.1:80").check)

    def test_wrong(self) -> None:
        for wrong in (7, b"tcp", HealthCheck, ["tcp"]):
            for make, whose in (
                (partial(ProxyGroup, "g"), "check of group 'g'"),
                (partial(ProxyHost, "h", "10.0.0.1", 80), "check of host 'h'"),
                (partial(HostMapper, proxy=":80", host="h", address="10.0.0.1:80"), "host 'h'"),
            ):
                error = self.assertRaises(ModelError, make, check=wrong)
                self.assertIn(f"{whose} is {wrong!r}; it is a HealthCheck, a word", str(error))


def isWell(target: object) -> bool:
    raise NotImplementedError("nothing is checked here")
