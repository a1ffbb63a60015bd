"""
Tests for L{txlb.admin._settings}, and for the commands that change settings.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._access import FULL, Caller
from txlb.admin._arguments import WEIGHT, readArguments
from txlb.admin._commands import findCommand
from txlb.admin._functions import functions
from txlb.admin._history import History
from txlb.admin._settings import describedSettings, settingKinds
from txlb.admin._target import Target
from txlb.application import LoadBalancedService
from txlb.errors import ModelError, UnknownName
from txlb.manager import ProxyManager
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.model.settings import settingsOf

CALLER = Caller("uid:7", FULL)


class SettingsCase(SynchronousTestCase):
    def setUp(self) -> None:
        hosts = [ProxyHost("h0", "127.0.0.1", 7001, maxConnections=9)]
        groups = [ProxyGroup("prod", "roundr", True, hosts)]
        service = ProxyService("web", [("127.0.0.1", 8080)], groups)
        self.manager = ProxyManager([service], seconds=lambda: 5.0)
        self.target = Target(LoadBalancedService(self.manager), None, History())

    def do(self, name: str, settings: dict[str, str], **texts: str) -> list[str]:
        """
        Give a command as a program does.

        @return: the texts of its rows.
        """
        command = findCommand(name)
        given = {**texts, "settings": json.dumps(settings)} if settings else texts
        values = readArguments(command.arguments, given, name)
        rows: Any = command(self.target, CALLER, values)
        return [row["text"] for row in rows]

    def group(self) -> ProxyGroup:
        return self.manager.getGroup("web", "prod")


class CommandTests(SettingsCase):
    path = {"service": "web", "group": "prod"}  # noqa: RUF012 - is not changed

    def test_host(self) -> None:
        told = self.do("setHost", {"maxConnections": "50", "backup": "yes"}, **self.path, host="h0")
        host = self.group().getHost("h0")
        self.assertEqual((host.maxConnections, host.backup), (50, True))
        self.assertTrue(all(each.endswith(", by uid:7") for each in told), told)
        self.do("setHost", {"maxConnections": "none"}, **self.path, host="h0")
        self.assertIsNone(self.group().getHost("h0").maxConnections)

    def test_group(self) -> None:
        """
        A value is a text as the configuration file has it.
        """
        self.do(
            "setGroup", {"maxQueue": "100", "queueTimeout": "3s", "sendProxy": "v1"}, **self.path
        )
        group = self.group()
        self.assertEqual((group.maxQueue, group.queueTimeout, group.sendProxy), (100, 3.0, "v1"))
        self.do("setGroup", {"sendProxy": "none"}, **self.path)
        self.assertIsNone(self.group().sendProxy)

    def test_addHost(self) -> None:
        told = self.do(
            "addHost",
            {"maxConnections": "7"},
            **self.path,
            host="h1",
            address="127.0.0.1:7002",
            weight="3",
        )
        self.assertEqual(len(told), 1)
        host = self.group().getHost("h1")
        self.assertEqual((host.maxConnections, host.weight), (7, 3))

    def test_scheduler(self) -> None:
        self.do("setScheduler", {"choices": "3"}, **self.path, scheduler="p2c")
        group = self.group()
        self.assertEqual((group.scheduler, group.choices), ("p2c", 3))

    def test_admission(self) -> None:
        self.do(
            "setAdmission",
            {"deny": "192.0.2.0/24, 198.51.100.7", "ratePerClient": "10"},
            service="web",
        )
        service = self.manager.getService("web")
        self.assertEqual(service.deny, ("192.0.2.0/24", "198.51.100.7"))
        self.assertEqual(service.ratePerClient, 10.0)
        self.do("setAdmission", {"deny": "none", "ratePerClient": "none"}, service="web")
        service = self.manager.getService("web")
        self.assertEqual((service.deny, service.ratePerClient), ((), None))

    def test_check(self) -> None:
        """
        A check is given for a group, or for a host; its options are those of its kind.
        """
        self.do("setCheck", {"path": "/health", "interval": "1s"}, **self.path, check="http")
        check = self.group().check
        assert check is not None
        self.assertEqual(
            (check.kind, check.interval, check.options["path"]), ("http", 1.0, "/health")
        )
        self.do("setCheck", {}, **self.path, check="tcp", proxiedName="h0")
        host = self.group().getHost("h0")
        self.assertEqual(host.check, HealthCheck("tcp"))
        self.do("setCheck", {}, **self.path, check="none")
        self.assertIsNone(self.group().check)

    def test_defaultCheck(self) -> None:
        self.do("setDefaultCheck", {"rise": "4"}, check="tcp")
        self.assertEqual(self.manager.defaultCheck, HealthCheck("tcp", rise=4))
        self.do("setDefaultCheck", {}, check="none")
        self.assertIsNone(self.manager.defaultCheck)

    def test_wrong(self) -> None:
        """
        What is wrong is named, and changes nothing.
        """
        before = self.manager.getService("web")
        host = {**self.path, "host": "h0"}
        for name, settings, texts, kind, told in (
            (
                "setHost",
                {"maxConnections": "x"},
                host,
                ModelError,
                "maxConnections is 'x'; it is a whole",
            ),
            ("setHost", {"weight": "x"}, host, UnknownName, "weight"),
            # The manager would take a check of any word.
            ("setHost", {"check": "nosuch"}, host, UnknownName, "setting of a host"),
            ("setGroup", {"maxQueu": "1"}, self.path, UnknownName, "did you mean 'maxQueue'?"),
            (
                "setScheduler",
                {"maxQueue": "1"},
                {**self.path, "scheduler": "p2c"},
                UnknownName,
                "maxQueue",
            ),
            ("setAdmission", {"deny": "x"}, {"service": "web"}, ModelError, "'x'"),
            ("setAdmission", {"maxQueue": "1"}, {"service": "web"}, UnknownName, "the admission"),
            ("setCheck", {}, {**self.path, "check": "nosuch"}, UnknownName, "nosuch"),
            ("setCheck", {"pth": "/"}, {**self.path, "check": "http"}, UnknownName, "'path'"),
            ("setCheck", {"interval": "0"}, {**self.path, "check": "tcp"}, ModelError, "interval"),
            ("setCheck", {"interval": "1"}, {**self.path, "check": "none"}, UnknownName, "none"),
            ("setDefaultCheck", {}, {"check": "nosuch"}, UnknownName, "nosuch"),
        ):
            error = self.assertRaises(kind, self.do, name, settings, **texts)
            self.assertIn(told, str(error))
        self.assertEqual(self.manager.getService("web"), before)
        self.assertIsNone(self.manager.defaultCheck)
        for text in ("x", "[]", '{"maxQueue": 1}'):
            arguments = findCommand("setGroup").arguments
            self.assertRaises(
                ModelError, readArguments, arguments, {**self.path, "settings": text}, "setGroup"
            )

    def test_atThePrompt(self) -> None:
        """
        In the manhole settings are keyword arguments; a value is one of Python, or a text.
        """
        prompt = functions(self.target, CALLER)
        prompt["setGroup"]("web", "prod", maxQueue=100, queueTimeout="3s")
        group = self.group()
        self.assertEqual((group.maxQueue, group.queueTimeout), (100, 3.0))
        prompt["setCheck"]("web", "prod", "http", path="/x", host="example.org", interval=1)
        check = self.group().check
        assert check is not None
        self.assertEqual((check.options["path"], check.options["host"]), ("/x", "example.org"))
        self.assertIn("setGroup(service, group, **settings)", repr(help_(prompt["setGroup"])))

    def test_log(self) -> None:
        """
        A log does not have the values of settings, which may be secrets.
        """
        shown = findCommand("setCheck").shown({"service": "web", "settings": '{"token": "x"}'})
        self.assertEqual(shown, "service=web settings=...")


def help_(function: object) -> str:
    from txlb.admin._help import helpText  # noqa: PLC0415 - for this alone

    return helpText(function)


class DescriptionTests(SynchronousTestCase):
    def test_names(self) -> None:
        """
        A setting that the manager changes by its own verb is not among the others.
        """
        self.assertEqual(set(settingKinds("host")), {"maxConnections", "backup"})
        self.assertTrue({"maxQueue", "slowStart", "choices"} <= set(settingKinds("group")))
        self.assertFalse({"name", "scheduler", "enabled"} & set(settingKinds("group")))
        self.assertEqual(set(settingKinds("scheduler")), {"boundedLoad", "choices", "decay"})

    def test_described(self) -> None:
        self.assertIn(
            ("maxConnections", "a whole number from 1 to 1000000000"), describedSettings("host")
        )
        self.assertIn("deny", dict(describedSettings("admission")))
        self.assertNotIn("path", dict(describedSettings("check")))
        self.assertIn("path", dict(describedSettings("check", "http")))
        self.assertEqual(
            list(describedSettings("check", "nosuch")), list(describedSettings("check"))
        )


class WeightTests(SynchronousTestCase):
    def test_range(self) -> None:
        """
        The list of commands is read without the model, and names the range of weights itself.
        It is that of the setting.
        """
        kind = settingsOf(ProxyHost)["weight"].kind
        self.assertEqual(WEIGHT.wanted, kind.describe())
        for text in ("0", "65535"):
            self.assertEqual(WEIGHT.read(text), kind.parse(text, "weight"))
        for text in ("-1", "65536"):
            self.assertRaises(ValueError, WEIGHT.read, text)
            self.assertRaises(ModelError, kind.parse, text, "weight")
