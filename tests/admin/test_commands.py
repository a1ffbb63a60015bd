"""
Tests for L{txlb.admin._commands}, L{txlb.admin._arguments} and L{txlb.admin._rows}.
"""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import replace
from enum import Enum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import quickChecks
from tests.admin.targets import FakeBalancer, FakeListener
from tests.fired import fired
from txlb.admin._access import FULL, LEVELS, OPERATOR, READONLY, Caller
from txlb.admin._actions import ACTIONS
from txlb.admin._arguments import DEADLINE, FLAG, SECONDS, TEXT, WHOLE, Argument, readArguments
from txlb.admin._commands import COMMANDS, FAMILIES, findCommand
from txlb.admin._history import History
from txlb.admin._rows import plain
from txlb.admin._target import Target
from txlb.admin.login import Login, Logins
from txlb.admin.login._tries import PAIR_TRIES, TooManyTries
from txlb.deadlines import Deadlines
from txlb.errors import AccessDenied, ModelError, TxlbError, UnknownName
from txlb.manager import ProxyManager
from txlb.model import (
    Change,
    ChangeKind,
    Listener,
    Plan,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    TCPAddress,
)
from txlb.model.kinds import UNITS_SHOWN
from txlb.pool import Event, EventKind


class CommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.balancer = FakeBalancer()
        self.history = History(now=lambda: 1000.0)
        self.balancer.manager.subscribe(self.history)
        self.clock = Clock()
        self.target = Target(
            self.balancer, None, self.history, Deadlines(self.clock, self.clock.seconds)
        )

    def do(self, name: str, access: str = FULL, **texts: str) -> Any:
        command = findCommand(name)
        values = readArguments(command.arguments, texts, name)
        answer = command(self.target, Caller("uid:7 (test)", access), values)
        if isinstance(answer, Deferred):
            return list(fired(answer)) if answer.called else answer
        return list(answer)

    def host(self, **texts: str) -> dict[str, str]:
        return {"service": "web", "group": "prod", "host": "h0", **texts}


class ListTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """
        Each command has a name and words of its own, an access and a description, and its
        action takes its arguments.
        """
        names = [command.name for command in COMMANDS]
        self.assertEqual(len(set(names)), len(names))
        words = [command.words for command in COMMANDS if command.words]
        self.assertEqual(len(set(words)), len(words))
        self.assertLessEqual({word.split()[0] for word in words if " " in word}, set(FAMILIES))
        for command in COMMANDS:
            self.assertTrue(command.doc.endswith("."))
            self.assertLess(len(command.summary), 70)
            self.assertIn(command.access, LEVELS)
            arguments = [each.name for each in command.arguments]
            action = ACTIONS.get(command.name)
            if action is not None:
                taken = list(inspect.signature(action).parameters)
                self.assertEqual(taken, ["target", *arguments])
            else:
                # The manager's verb says serviceName for service, and proxiedName for host.
                verb = inspect.signature(getattr(ProxyManager, command.name))
                optional = {each.name: None for each in command.arguments if not each.required}
                optional.pop("settings", None)
                places = [each for each in arguments if each not in optional and each != "settings"]
                verb.bind(None, *places, **optional)
            for argument in command.arguments:
                self.assertTrue(argument.doc)
                if not argument.required and argument.default is not None:
                    self.assertIsInstance(argument.default, argument.kind.type)

    def test_find(self) -> None:
        """
        By either name.
        """
        self.assertIs(findCommand("setWeight"), findCommand("SetWeight"))
        error = self.assertRaises(UnknownName, findCommand, "setWieght")
        self.assertIn("did you mean 'setWeight'?", str(error))


class DoTests(CommandCase):
    def test_status(self) -> None:
        found = self.do("status", READONLY)
        kinds = [row["row"] for row in found]
        self.assertEqual(kinds, ["listener", "service", "group", "host", "host", "group", "file"])
        self.assertEqual(found[0]["addresses"], ["127.0.0.1:8080"])
        self.assertEqual(
            [(row["service"], row["group"], row["name"]) for row in found if row["row"] == "host"],
            [("web", "prod", "h0"), ("web", "prod", "h1")],
        )
        self.assertEqual(
            found[-1], {"row": "file", "path": None, "changes": [], "edited": False, "inFile": []}
        )
        json.dumps(found, allow_nan=False)

    def test_statusOfWhatGoes(self) -> None:
        """
        A service that goes while pages are read is left out.
        """
        command = findCommand("status")
        answer = command(self.target, Caller("x", READONLY), {"service": ""})
        assert not isinstance(answer, Deferred)
        rows = iter(answer)
        next(rows)
        self.balancer.manager._running.services.clear()
        self.assertEqual([row["row"] for row in rows], ["file"])

    def test_changes(self) -> None:
        """
        They answer with their events, which say who has made them.
        """
        cases: list[tuple[str, dict[str, str], str]] = [
            ("setWeight", self.host(weight="3"), "host-weight web/prod/h0: weight 1 -> 3"),
            (
                "addHost",
                {"service": "web", "group": "prod", "host": "new", "address": "127.0.0.1:9"},
                "host-added web/prod/new: added at 127.0.0.1:9",
            ),
            ("delHost", self.host(), "host-removed web/prod/h0: removed, 0 connections left"),
            (
                "setScheduler",
                {"service": "web", "group": "prod", "scheduler": "leastc"},
                "scheduler-changed web/prod: scheduler roundr -> leastc",
            ),
            (
                "switchGroup",
                {"service": "web", "group": "test"},
                "group-switched web/test: gets the connections of web instead of prod",
            ),
        ]
        for name, texts, text in cases:
            row = self.do(name, **texts)[0]
            self.assertEqual(row["text"], f"{text}, by uid:7 (test)")
            self.assertEqual(row["by"], "uid:7 (test)")
            self.assertEqual(row["row"], "event")

    def test_states(self) -> None:
        """
        A host is taken out and brought back.
        """
        manager = self.balancer.manager
        for name, texts, state in (
            ("drain", {"deadline": "5"}, "drain"),
            ("maintenance", {}, "maintenance"),
            ("ready", {}, "ready"),
        ):
            rows = self.do(name, **self.host(**texts))
            self.assertEqual(manager.getHost("web", "prod", "h0").state, state)
            self.assertEqual((rows[0]["kind"], rows[0]["by"]), ("host-state", "uid:7 (test)"))
        self.assertRaises(ModelError, self.do, "drain", **self.host(deadline="1e9"))

    def test_deadlineOfRemoved(self) -> None:
        """
        A host that is removed may have a deadline for the connections that it has left.
        """
        pool = self.balancer.manager.getPool("web")
        pool.acquire()
        self.do("delHost", **self.host(deadline="1m"))
        host = next(each for each in pool.hostSnapshots() if each.state == "leaving")
        self.assertEqual(host.drainedIn, 60.0)

    def test_force(self) -> None:
        """
        A host that is removed by force loses its connections too.
        """
        pool = self.balancer.manager.getPool("web")
        pool.acquire()
        cut: list[object] = []
        pool.cut = lambda *what: cut.append(what)
        self.do("delHost", **self.host(force="True"))
        self.assertEqual(len(cut), 1)

    def test_file(self) -> None:
        """
        What differs from the file is told, loaded again, and saved.
        """
        file = self.balancer.configuration
        assert file is not None
        self.assertEqual(self.do("plan"), [])
        self.assertEqual(
            self.do("save")[0]["text"], "nothing to save: /etc/txlb.xml says it already"
        )
        file.edited = True
        self.assertEqual(
            self.do("save")[0]["text"],
            "nothing to save: nothing was changed live. /etc/txlb.xml was edited since it was "
            "read; reload takes that over",
        )
        self.do("setWeight", **self.host(weight="9"))
        (row,) = self.do("plan", file="/other.xml")
        self.assertEqual((row["row"], row["text"]), ("change", "host web/prod/h0: weight 1 -> 9"))
        row, note = self.do("reload", discard="True")
        self.assertEqual(row["after"], 9)
        self.assertEqual((note["row"], note["text"]), ("note", "1 live change is not in the file"))
        (row,) = self.do("save", overwrite="True")
        self.assertEqual(
            row["text"],
            "/etc/txlb.xml was saved; what it was before is /etc/txlb.xml-20261124000000",
        )
        file.kept = None
        self.assertEqual(self.do("save")[0]["text"], "/etc/txlb.xml was saved")
        self.assertEqual(
            file.calls,
            [
                ("plan", None, False),
                ("plan", "/other.xml", False),
                ("reload", True),
                ("save", True),
                ("save", False),
            ],
        )

    def test_drift(self) -> None:
        """
        What was changed in the file and what was changed live are told apart.
        """
        file = self.balancer.configuration
        assert file is not None
        self.assertEqual(self.do("diff"), [])
        file.inFile = Plan((Change(ChangeKind.REMOVED, "user", ("ann",)),))
        self.do("setWeight", **self.host(weight="9"))
        self.do("setWeight", **self.host(host="h1", weight="8"))
        self.assertEqual(
            [(row["row"], row["origin"], row["text"]) for row in self.do("diff")],
            [
                ("change", "file", "in the file: user ann removed"),
                ("change", "live", "changed live: host web/prod/h0: weight 1 -> 9"),
                ("change", "live", "changed live: host web/prod/h1: weight 1 -> 8"),
            ],
        )
        self.assertEqual(self.do("reload")[-1]["text"], "2 live changes are not in the file")

    def test_origin(self) -> None:
        """
        Each host tells where it comes from: the file, a live change or a source. What a
        source has found is in the differences, as what it is.
        """
        self.target = Target(
            self.balancer, self.balancer.configuration, self.history, self.target.deadlines
        )
        add = self.balancer.manager.addHost
        add("web", "prod", "live", "127.0.0.1:9")
        add("web", "prod", "f1", "127.0.0.1:9", origin="dns:web.example")
        add("web", "test", "h0", "127.0.0.1:9")
        found = {
            (row["group"], row["name"]): row["origin"]
            for row in self.do("status")
            if row["row"] == "host"
        }
        wanted = {
            ("prod", "h0"): "file",
            ("prod", "h1"): "file",
            ("prod", "live"): "live",
            ("prod", "f1"): "dns:web.example",
            ("test", "h0"): "live",
        }
        self.assertEqual(found, wanted)
        rows = self.do("diff")
        origins = [(row["origin"], str(row["text"]).split(" (")[0]) for row in rows]
        self.assertEqual([row["row"] for row in rows], ["change", "change", "found"])
        self.assertEqual(
            origins,
            [
                ("live", "changed live: host web/prod/live added"),
                ("live", "changed live: host web/test/h0 added"),
                ("dns:web.example", "found: host web/prod/f1 added"),
            ],
        )
        self.assertEqual(self.do("reload")[-1]["text"], "2 live changes are not in the file")
        self.target = Target(self.balancer, None, self.history, self.target.deadlines)
        rows = [row for row in self.do("status") if row["row"] == "host"]
        self.assertEqual([row["origin"] for row in rows].count("live"), 4)
        error = self.assertRaises(
            ModelError, self.balancer.manager.setHost, "web", "prod", "live", origin="x"
        )
        self.assertIn("is given when the host is added", str(error))

    def test_noFile(self) -> None:
        """
        A balancer without a file can be compared with one, and no more.
        """
        self.balancer.configuration = None
        for name in ("diff", "plan", "reload", "save"):
            error = self.assertRaises(TxlbError, self.do, name)
            self.assertEqual(str(error), "the balancer has no configuration file")
        self.assertEqual(self.do("plan", file="/other.xml"), [])

    def test_guarded(self) -> None:
        """
        With an address only a host that has it is removed.
        """
        self.assertRaises(ModelError, self.do, "delHost", **self.host(address="127.0.0.1:1"))
        self.do("delHost", **self.host(address="127.0.0.1:7001"))

    def test_switchPort(self) -> None:
        (row,) = self.do("switchPort", listener="web", address="9999")
        self.assertEqual(row["text"], "web listens on 127.0.0.1:9999")
        self.assertEqual(row["addresses"], ["127.0.0.1:9999"])

    def test_access(self) -> None:
        """
        A caller with less access than a command needs is refused before anything is done.
        The refusal names both.
        """
        for command in COMMANDS:
            for access in LEVELS[: LEVELS.index(command.access)]:
                caller = Caller("uid:7", access)
                error = self.assertRaises(AccessDenied, command, self.target, caller, {})
                self.assertEqual(
                    str(error),
                    f"{command.name} needs {command.access} access, and uid:7 has {access} access",
                )
        self.assertEqual(self.history.last, 0)

    def test_whichAccess(self) -> None:
        """
        To look takes C{readonly}; to take hosts out, bring them back and weigh them takes
        C{operator}; the rest takes C{full}.
        """
        found = {
            access: [each.name for each in COMMANDS if each.access == access] for access in LEVELS
        }
        looks = [
            "status",
            "health",
            "explain",
            "events",
            "history",
            "diff",
            "certificates",
            "sessions",
        ]
        self.assertEqual(found[READONLY], [*looks, "discovery", "cluster", "sharedValues"])
        self.assertEqual(
            found[OPERATOR],
            ["drain", "maintenance", "ready", "setWeight", "acceptAnswer", "setHealth"],
        )
        for command in COMMANDS:
            # All that the others do is done for an operator, too.
            Caller("x", FULL).check(command.access, command.name)

    def test_unknownAccess(self) -> None:
        """
        A caller whose access is no word of the list may do nothing.
        """
        caller = Caller("x", "root")
        self.assertRaises(AccessDenied, caller.check, READONLY, "status")

    def test_statusOfOne(self) -> None:
        """
        With the name of a service the rows are those of that service alone.
        """
        other = ProxyService(
            "mail",
            [("127.0.0.1", 8025)],
            [ProxyGroup("in", "roundr", True, [ProxyHost("m", "127.0.0.1", 9)])],
        )
        self.balancer.manager.apply([*self.balancer.manager.services.values(), other])
        self.balancer.listeners["mail"] = FakeListener("mail", TCPAddress("127.0.0.1", 8025))
        found = self.do("status", READONLY, service="mail")
        self.assertEqual(
            [(row["row"], row.get("name")) for row in found],
            [
                ("listener", "mail"),
                ("service", "mail"),
                ("group", "in"),
                ("host", "m"),
                ("file", None),
            ],
        )
        self.assertRaises(UnknownName, self.do, "status", READONLY, service="nosuch")

    def test_explain(self) -> None:
        """
        The choice for a client is told, and each host's part in it. A group may be named,
        and nothing is counted.
        """
        first, *others = self.do("explain", READONLY, service="web", clientAddr="192.0.2.1")
        self.assertEqual(first["row"], "explanation")
        self.assertTrue(
            first["text"].startswith("web/prod (roundr): 192.0.2.1 would get h0\n"), first
        )
        self.assertEqual(
            [(row["row"], row["name"]) for row in others], [("choice", "h0"), ("choice", "h1")]
        )
        json.dumps([first, *others], allow_nan=False)
        (alone,) = self.do("explain", READONLY, service="web", group="test")
        self.assertIn("no host is ready for any client", alone["text"])
        self.assertRaises(UnknownName, self.do, "explain", service="web", group="nosuch")
        self.assertEqual(self.balancer.manager.getPool("web").getHost("h0").active, 0)

    def test_explainName(self) -> None:
        """
        With the name of a server the service that gets the client is told, for each address.
        """
        manager = self.balancer.manager
        web = manager.getService("web")
        place = "192.0.2.1:443"
        named = replace(web, name="named", listeners=[Listener(place, serverNames="*.b.example")])
        rest = replace(web, name="rest", listeners=[Listener(place, alpn="h2"), ":8443"])
        manager.apply([*manager.services.values(), named, rest])
        self.addCleanup(manager.apply, list(manager.services.values())[:-2])

        def told(service: str, name: str, **more: str) -> list[str]:
            rows = list(self.do("explain", READONLY, service=service, serverName=name, **more))
            json.dumps(rows, allow_nan=False)
            return [row["text"].partition("\n")[0] for row in rows if row["row"] != "choice"]

        first, second, third, fourth = told("rest", "A.b.example", clientAddr="198.51.100.1")
        self.assertEqual(
            (first, second),
            (
                f"{place}: a client of TLS that asks for a.b.example goes to named",
                "*:8443: a client of TLS that asks for a.b.example goes to rest",
            ),
        )
        self.assertIn("named/prod (roundr): 198.51.100.1 would get h0", third)
        self.assertIn("rest/prod (roundr): 198.51.100.1 would get h0", fourth)
        [closed] = told("named", "c.example")
        self.assertEqual(closed, f"{place}: a client of TLS that asks for c.example is closed")
        group = told("rest", "c.example", group="test")[-1]
        self.assertIn("rest/test (leastc): no host is ready", group)
        for wrong in ("a:b", "a b", " "):
            self.assertRaises(ModelError, told, "named", wrong)


class LoginTests(CommandCase):
    """
    The commands about sessions and wrong passwords.
    """

    def setUp(self) -> None:
        super().setUp()
        self.logins = Logins(seconds=self.clock.seconds, checks=quickChecks())
        self.target = replace(self.target, logins=self.logins)

    def test_sessions(self) -> None:
        ended: list[str] = []
        login = Login("anna", "ldap", ("ops",), OPERATOR)
        self.logins.sessions._allowed = lambda _: True
        session = self.logins.sessions.open(login, "ssh", "192.0.2.1:7", ended.append)
        self.clock.advance(65)
        (row,) = self.do("sessions", READONLY)
        self.assertEqual(
            row["text"],
            f"session {session.id} of anna, by ssh from 192.0.2.1:7: operator access from source "
            "ldap, in for 65 s, idle for 65 s",
        )
        self.assertEqual((row["groups"], row["idle"]), (["ops"], 65.0))
        self.assertRaises(UnknownName, self.do, "endSession", session="99")
        self.assertEqual(ended, [])
        (row,) = self.do("endSession", session=str(session.id))
        self.assertEqual(row["id"], session.id)
        self.assertEqual(ended, ["an administrator ends this session"])
        self.assertEqual(self.do("sessions"), [])

    def test_unlock(self) -> None:
        tries = self.logins.tries
        for _ in range(PAIR_TRIES):
            tries.begin("2001:db8::/64", b"anna")
        self.assertRaises(TooManyTries, tries.begin, "2001:db8::/64", b"anna")
        (row,) = self.do("unlock", user="rita")
        self.assertEqual(row["pairs"], 0)
        self.assertRaises(ModelError, self.do, "unlock", address="here")
        (row,) = self.do("unlock", user="anna", address="2001:db8::1")
        self.assertIn("1 pair of user and address", row["text"])
        tries.begin("2001:db8::/64", b"anna")
        self.assertIn("0 pairs", self.do("unlock", address="unix")[0]["text"])
        self.assertIn("0 pairs", self.do("unlock", address="192.0.2.1")[0]["text"])
        self.assertIn("1 pair ", self.do("unlock")[0]["text"])

    def test_loginTest(self) -> None:
        """
        No log shows the password.
        """
        asked = self.do("loginTest", user="anna", password="s3cret")
        (row,) = asked if isinstance(asked, list) else []
        self.assertIn("user: refuses: there is no such user", row["text"])
        shown = findCommand("loginTest").shown({"user": "anna", "password": "s3cret"})
        self.assertEqual(shown, "user=anna password=...")
        self.assertFalse(findCommand("loginTest").forPrompt)

    def test_noLogins(self) -> None:
        self.target = replace(self.target, logins=None)
        self.assertRaises(TxlbError, self.do, "sessions")


class EventsTests(CommandCase):
    def happen(self, weight: int) -> None:
        self.balancer.manager.setWeight("web", "prod", "h0", weight)

    def numbers(self, rows: Any) -> list[int]:
        return [row["number"] for row in rows]

    def test_after(self) -> None:
        for weight in (2, 3, 4):
            self.happen(weight)
        self.assertEqual(self.numbers(self.do("events")), [1, 2, 3, 3])
        self.assertEqual(self.numbers(self.do("events", after="2")), [3, 3])
        self.assertEqual(self.numbers(self.do("events", after="-1")), [3, 3])
        self.assertEqual(self.numbers(self.do("events", after="3")), [3])
        self.assertIn("host-weight web/prod/h0", self.do("events")[0]["text"])

    def test_bounded(self) -> None:
        history = History(most=3)
        for number in range(10):
            history(Event(EventKind.HOST_UP, ("a",), str(number), 0.0))
        self.assertEqual([number for number, _, _ in history.since(0)], [8, 9, 10])

    def test_wait(self) -> None:
        """
        Where there is nothing new, the answer comes with the next event.
        """
        waiting = self.do("events", after="0", wait="30")
        self.assertNoResult(waiting)
        self.happen(2)
        self.assertEqual(self.numbers(self.successResultOf(waiting)), [1, 1])
        self.assertEqual(len(self.target.deadlines or ()), 0)

    def test_waitedLongEnough(self) -> None:
        """
        Or after a while, which is at most a minute.
        """
        waiting = self.do("events", after="0", wait="1000")
        self.clock.advance(59)
        self.assertNoResult(waiting)
        self.clock.advance(2)
        self.assertEqual(self.numbers(self.successResultOf(waiting)), [0])
        self.happen(2)

    def test_waitNotNeeded(self) -> None:
        self.happen(2)
        self.assertEqual(self.numbers(self.do("events", after="0", wait="30")), [1, 1])

    def test_cancelled(self) -> None:
        """
        Who goes leaves nothing behind.
        """
        waiting = self.do("events", after="0", wait="30")
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.assertEqual(len(self.target.deadlines or ()), 0)
        self.assertEqual(self.history._waiting, {})


class ArgumentTests(SynchronousTestCase):
    arguments = (
        Argument("text", TEXT, "a text"),
        Argument("whole", WHOLE, "a number", 1),
        Argument("seconds", SECONDS, "a time", 0.5),
        Argument("flag", FLAG, "a choice", False),
    )

    def wrong(self, **texts: str) -> str:
        return str(self.assertRaises(ModelError, readArguments, self.arguments, texts, "frob"))

    def test_read(self) -> None:
        self.assertEqual(
            readArguments(
                self.arguments, {"text": "x", "whole": "-3", "seconds": "1.5", "flag": "True"}, "f"
            ),
            {"text": "x", "whole": -3, "seconds": 1.5, "flag": True},
        )
        self.assertEqual(
            readArguments(self.arguments, {"text": ""}, "f"),
            {"text": "", "whole": 1, "seconds": 0.5, "flag": False},
        )

    def test_units(self) -> None:
        """
        The units that messages name are those of the model.
        """
        for kind in (SECONDS, DEADLINE):
            self.assertTrue(kind.wanted.endswith(f"as in {UNITS_SHOWN}"))

    def test_times(self) -> None:
        """
        A time may have a unit, and be written as a program writes numbers.
        """
        for text, seconds in (("250ms", 0.25), ("2m", 120.0), ("1d", 86400.0), ("1e-05", 1e-05)):
            found = readArguments(self.arguments, {"text": "", "seconds": text}, "f")
            self.assertEqual(found["seconds"], seconds)

    def test_wrong(self) -> None:
        self.assertEqual(self.wrong(), "frob needs text: a text")
        self.assertIn("whole: 'x' is not a whole number", self.wrong(text="", whole="x"))
        self.assertIn("whole", self.wrong(text="", whole="9" * 5000))
        self.assertIn("text has at most 4096 characters", self.wrong(text="9" * 5000))
        for text in ("-1", "nan", "inf", "x", "-1s", "1 s", "1w"):
            self.assertIn("seconds", self.wrong(text="", seconds=text))
        self.assertIn("flag: 'maybe' is not True or False", self.wrong(text="", flag="maybe"))
        self.assertIn("did you mean 'text'?", self.wrong(text="", txet=""))
        self.assertIn("it has: text, whole", self.wrong(text="", zzzzz=""))

    @given(st.text(max_size=40), st.sampled_from([WHOLE, SECONDS, FLAG]))
    def test_anyText(self, text: str, kind: Any) -> None:
        """
        Any text is a value or a L{ModelError}.
        """
        try:
            value = Argument("x", kind, "doc").read(text)
        except ModelError:
            return
        self.assertIsInstance(value, kind.type)


class PlainTests(SynchronousTestCase):
    def test_plain(self) -> None:
        class Word(Enum):
            A = "a"

        value = {Word.A: (1, 2.5, None, True, Word.A, frozenset({"x"}), object, math.inf)}
        self.assertEqual(
            plain(value), {"a": [1, 2.5, None, True, "a", ["x"], "<class 'object'>", None]}
        )
