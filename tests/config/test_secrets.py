"""
A secret of a kind of check that is a plugin, at each door by which a setting is shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import ARGON2ID, SMALL
from tests.fired import fired
from tests.registries import keepRegistries
from txlb.admin._history import History
from txlb.admin._rows import changeRows, eventRows, numberedRows, statusRows
from txlb.application import ConfigurationFile, LoadBalancedService
from txlb.config import (
    Configuration,
    explainConfiguration,
    loadConfiguration,
    parseConfiguration,
    referencePage,
)
from txlb.config import _schema as schema
from txlb.config._element import walk
from txlb.config._problems import Problems
from txlb.errors import ConfigurationConflict, ConfigurationError, ModelError
from txlb.health import CheckKind, Option, completed, registerCheck
from txlb.manager import proxyManagerFactory
from txlb.model import Change, ChangeKind, HealthCheck, Listener, ResourceProbe
from txlb.model.kinds import HIDDEN, Secret, SecretText, textOf
from txlb.model.options import Text
from txlb.model.registries import CHECKS

SECRET = "hunter2"


def make(_options: Mapping[str, Any], _tools: object) -> Any:
    raise AssertionError("no check is made")


LOGIN = CheckKind(
    "login",
    "Logs in.",
    make,
    (
        Option("token", Secret(Text(r"[a-z0-9]+", "letters and digits")), "The token."),
        Option("as", Text(r"[a-z]+", "letters"), "A name."),
    ),
)

CHECKED = SMALL.replace(
    b'      <host name="h1"',
    b'      <check type="login" token="hunter2" as="ann"/>\n      <host name="h1"',
)


class SecretCase(SynchronousTestCase):
    def setUp(self) -> None:
        keepRegistries(self, CHECKS)
        registerCheck(LOGIN)

    def hidden(self, *shown: object) -> None:
        """
        See that something is shown without the secret, though not without its name.
        """
        for each in shown:
            for text in (str(each), repr(each)):
                self.assertNotIn(SECRET, text)
            self.assertIn("ann", str(each))


class CheckTests(SecretCase):
    def setUp(self) -> None:
        super().setUp()
        self.configuration = parseConfiguration(CHECKED, "c.xml")
        (self.service,) = self.configuration.services

    @property
    def check(self) -> HealthCheck:
        found = self.service.groups[0].check
        assert found is not None
        return found

    def other(self, **options: str) -> Configuration:
        text = CHECKED.decode()
        for name, value in options.items():
            text = text.replace(str(self.check.options[name]), value)
        return parseConfiguration(text.encode(), "c.xml")

    def test_used(self) -> None:
        """
        The check gets it, and a file too.
        """
        self.assertEqual(self.check.options["token"], SECRET)
        self.assertEqual(completed(self.check)["token"], SECRET)
        group = replace(self.service.groups[0], check=replace(self.check, interval=7.0))
        service = replace(self.service, groups=(group,))
        self.assertEqual(
            self.configuration.render([service]),
            CHECKED.replace(b'as="ann"', b'as="ann" interval="7"'),
        )
        written = replace(self.service, name="again", listeners=(Listener("h:1"),))
        self.assertIn(b'token="hunter2"', self.configuration.render([written]))

    def test_values(self) -> None:
        self.hidden(self.check)
        self.hidden(ResourceProbe("login", options=self.check.options))

    def test_explain(self) -> None:
        self.hidden(explainConfiguration(self.configuration))
        self.assertIn("token         (not shown)", explainConfiguration(self.configuration))

    def test_plan(self) -> None:
        plan = self.configuration.planTo(self.other(token="abc", **{"as": "anna"}))
        self.hidden(plan, *plan.changes, json.dumps(plan.asDict()))
        self.hidden(json.dumps([dict(row) for row in changeRows(plan.changes)]))
        plan = self.configuration.planTo(self.other(token="abc"))
        self.assertTrue(plan)
        plan = parseConfiguration(SMALL, "c.xml").planTo(self.configuration)
        self.hidden(plan, json.dumps(plan.asDict()))

    def test_eventsAndStatus(self) -> None:
        manager = proxyManagerFactory([self.service])
        history = History()
        manager.subscribe(history)
        lbs = LoadBalancedService(manager)
        found = lbs.apply(self.other(token="abc", **{"as": "anna"}).services)
        self.hidden(found, json.dumps([dict(row) for row in eventRows(found)]))
        self.hidden(json.dumps([dict(row) for row in numberedRows(history.since(0))]))
        rows = json.dumps([dict(row) for row in statusRows(lbs, self.configuration)])
        self.assertNotIn(SECRET, rows)

    def test_wrong(self) -> None:
        """
        A wrong one is not quoted.
        """
        data = CHECKED.replace(b'"hunter2"', b'"hunter2 &amp; more"')
        error = self.fails(data)
        self.assertEqual(str(error), "c.xml:5: token of <check> is wrong; it is letters and digits")
        error = self.fails(CHECKED.replace(b'"ann"/>', b'"ann">hunter2</check>'))
        self.assertIn("the text in <check> means nothing", str(error))
        wrong = HealthCheck("login", options={"token": "hunter2 & more"})
        self.assertNotIn(SECRET, str(self.assertRaises(ModelError, completed, wrong)))

    def fails(self, data: bytes) -> ConfigurationError:
        try:
            parseConfiguration(data, "c.xml")
        except ConfigurationError as error:
            return error
        raise AssertionError("nothing is wrong")

    def test_reference(self) -> None:
        self.assertIn("   * - ``token``\n     - The token.\n\n       Letters and", referencePage())


class ConflictTests(SecretCase):
    def test_conflict(self) -> None:
        """
        Neither what is saved over nor what is reloaded shows it.
        """
        path = os.path.abspath(self.mktemp())

        def write(data: bytes) -> None:
            with open(path, "wb") as file:
                file.write(data)

        write(CHECKED)
        loaded = loadConfiguration(path)
        lbs = LoadBalancedService(proxyManagerFactory(loaded.services))
        file = ConfigurationFile(lbs, loaded)
        lbs.apply(parseConfiguration(CHECKED.replace(b"hunter2", b"hunter22"), path).services)
        write(CHECKED.replace(b"hunter2", b"hunter21").replace(b'"ann"', b'"anna"'))
        error = self.assertRaises(ConfigurationConflict, lambda: fired(file.save()))
        self.hidden(error)
        self.assertIn('-      <check type="login" token="(not shown)" as="anna"/>', error.lines)
        error = self.assertRaises(ConfigurationConflict, lambda: fired(file.reload()))
        self.assertNotIn(SECRET, str(error))
        self.assertIn("check", str(error))


class WrongPlaceTests(SynchronousTestCase):
    def test_everyAttribute(self) -> None:
        """
        The hash of a password that has come into another attribute is in no message.
        """
        told = 0
        for element, _ in walk(schema.CONFIG):
            for attribute in element.attributes:
                for text in (ARGON2ID, f"{ARGON2ID}/", f" {ARGON2ID}", "x" * 45 + ARGON2ID):
                    problems = Problems("c.xml")
                    try:
                        attribute.kind.parse(text, f"{attribute.name} of <{element.tag}>")
                    except ModelError as error:
                        problems.report(1, str(error))
                    for problem in problems.first():
                        self.assertNotIn("argon2id$", problem.message)
                        self.assertNotIn("c2Fsd", problem.message)
                        told += 1
        self.assertGreater(told, 200)

    def test_twoUsers(self) -> None:
        """
        Nor is one that has come into the name.
        """
        user = f'<user name="{ARGON2ID}" password="ann" acess="full"/>'
        data = SMALL.replace(b"</config>", f"<admin>{user * 2}</admin></config>".encode())
        try:
            parseConfiguration(data, "c.xml")
        except ConfigurationError as error:
            self.assertEqual(len(error.problems), 7)
            self.assertNotIn("argon2id$", str(error))
        else:
            raise AssertionError("nothing is wrong")


class TextTests(SynchronousTestCase):
    def test_secretText(self) -> None:
        """
        It is a text in all but its looks.
        """
        text = SecretText("abc")
        self.assertEqual(text, "abc")
        self.assertEqual(f"{text}", "abc")
        self.assertEqual(repr([text]), f"[{HIDDEN}]")
        self.assertEqual((textOf(text), textOf("abc"), textOf(7)), (HIDDEN, "abc", "7"))

    def test_changes(self) -> None:
        """
        What has changed is shown without its values.
        """
        change = Change(ChangeKind.CHANGED, "user", ("ann",), "password", "abc", "abd", secret=True)
        self.assertEqual(repr(change), "<Change: user ann: password changed>")
