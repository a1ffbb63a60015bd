"""
Health checks in configuration files.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

import txlb.application  # noqa: F401 - so that files can ask for every kind of check
from txlb.config import Configuration, explainConfiguration, parseConfiguration, referencePage
from txlb.config import _words as words
from txlb.errors import ConfigurationError
from txlb.interfaces import IHealthCheckKind
from txlb.manager import ProxyManager
from txlb.model import HealthCheck
from txlb.registry import Registry

HTTP = '<check type="http" interval="1" path="/health" status="200"/>'


def text(group: str = "", host: str = "", more: str = "") -> bytes:
    """
    A file with a check in a group, in a host, or behind the service.
    """
    inner = f"\n        {host}\n      </host>" if host else "</host>"
    return f"""\
<config>
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="main" enable="true">
      {group}
      <host name="a" ip="10.0.0.1:80">{inner}
      <host name="b" ip="10.0.0.2:80"/>
    </group>
  </service>
  {more}
</config>
""".encode()


def load(group: str = "", host: str = "", more: str = "") -> Configuration:
    """
    Read such a file.
    """
    return parseConfiguration(text(group, host, more), "c.xml")


class ReadTests(SynchronousTestCase):
    """
    What is read.
    """

    def check(self, element: str) -> HealthCheck | None:
        """
        The check of a group.
        """
        return load(element).services[0].groups[0].check

    def test_none(self) -> None:
        found = load()
        self.assertIsNone(found.services[0].groups[0].check)
        self.assertIsNone(found.services[0].groups[0].hosts[0].check)
        self.assertIsNone(found.manager.check)

    def test_plain(self) -> None:
        self.assertEqual(self.check("<check/>"), HealthCheck())

    def test_common(self) -> None:
        self.assertEqual(
            self.check(
                '<check interval="1" timeout="0.5" rise="4" fall="5" fastInterval="0.25" '
                'downInterval="10" port="81" onlyDown="yes"/>'
            ),
            HealthCheck(
                "tcp",
                1.0,
                timeout=0.5,
                rise=4,
                fall=5,
                fastInterval=0.25,
                downInterval=10.0,
                port=81,
                onlyDown=True,
            ),
        )

    def test_own(self) -> None:
        self.assertEqual(
            self.check(HTTP),
            HealthCheck("http", 1.0, options={"path": "/health", "status": "200"}),
        )

    def test_ofHost(self) -> None:
        group = load(HTTP, "<check/>").services[0].groups[0]
        self.assertEqual([host.check for host in group.hosts], [HealthCheck(), None])

    def test_defaultIsNotSaid(self) -> None:
        """
        What is written and is the default all the same makes no other check.
        """
        self.assertEqual(
            self.check('<check type="http" path="/" interval="2" tls="no"/>'), HealthCheck("http")
        )

    def test_oldElements(self) -> None:
        for elements, check in [
            ('<heartbeat enable="yes"/>', HealthCheck("tcp", 60.0, fastInterval=2.0)),
            ('<heartbeat enable="no"/>', None),
            (
                '<hostCheck enable="yes" interval="1"/>',
                HealthCheck("tcp", 1.0, fastInterval=1.0, onlyDown=True),
            ),
            (
                '<hostCheck enable="yes"/><heartbeat enable="yes" interval="5"/>',
                HealthCheck("tcp", 5.0, fastInterval=2.0),
            ),
        ]:
            found = load(more=f"<manager>{elements}</manager>")
            self.assertEqual(found.manager.check, check)
            self.assertEqual(found.notes, ())

    def test_maxChecks(self) -> None:
        self.assertEqual(load().manager.maxChecks, 100)
        self.assertEqual(load(more='<manager maxChecks="7"/>').manager.maxChecks, 7)


class WrongTests(SynchronousTestCase):
    """
    What is wrong is said, with its line.
    """

    def test_wrong(self) -> None:
        for element, says in [
            ('<check type="htp"/>', "type of <check> is 'htp'; .*did you mean 'http'"),
            ('<check type="htp" path="x"/>', "type of <check> is 'htp'"),
            ('<check type="zzzzzz"/>', "it is one of tcp, tls, http, expect, agent, script"),
            ('<check type="python"/>', "type of <check> is 'python'"),
            ('<check path="/"/>', "an attribute 'path', which is not known; there are: .*onlyDown"),
            ('<check type="http" pth="/"/>', "did you mean 'path'"),
            ('<check type="http" path="health"/>', "path of <check> is 'health'"),
            ('<check type="http" status="99"/>', "status of <check> is '99'; it is status codes"),
            ('<check type="expect"/>', "has no attribute expect; it needs one"),
            (r'<check type="expect" expect="\q"/>', "a backslash begins one of"),
            ('<check type="script" program="check"/>', "an absolute path"),
            ('<check interval="0"/>', "interval of <check> is '0'"),
            ('<check interval="1" timeout="2"/>', "longer than its interval of 1"),
            ('<check rise="0"/>', "rise of <check> is '0'"),
            ('<check port="http"/>', "port of <check> is 'http'"),
            ("<check/><check/>", "a second <check> in group 'main'"),
            ("<check><host/></check>", "<host> does not stand in <check>"),
        ]:
            error = self.assertRaises(ConfigurationError, load, element)
            self.assertEqual(len(error.problems), 1, error)
            self.assertEqual(error.problems[0].line, 5)
            self.assertRegex(error.problems[0].message, says)

    def test_nobodyToldOfThem(self) -> None:
        self.patch(
            words.CHECKS, "_registry", Registry("check", IHealthCheckKind, lambda kind: kind)
        )
        error = self.assertRaises(ConfigurationError, load, '<check type="http"/>')
        self.assertIn("once txlb.application was imported", str(error))


class RenderTests(SynchronousTestCase):
    """
    A check that was changed live is written as little as can be.
    """

    def changed(self, before: bytes, change: Callable[[ProxyManager], object]) -> str:
        """
        The document after a change.
        """
        configuration = parseConfiguration(before, "c.xml")
        manager = ProxyManager(configuration.services)
        change(manager)
        services = tuple(manager.services.values())
        after = configuration.render(services)
        self.assertEqual(parseConfiguration(after, "c.xml").services, services)
        return after.decode()

    def test_new(self) -> None:
        check = HealthCheck("http", 1.0, options={"path": "/health", "status": "200"})
        found = self.changed(text(), lambda manager: manager.setCheck("web", "main", check))
        self.assertIn(HTTP, found)
        found = self.changed(text(), lambda manager: manager.setCheck("web", "main", check, "b"))
        self.assertIn(f'<host name="b" ip="10.0.0.2:80">\n        {HTTP}\n      </host>', found)

    def test_otherKind(self) -> None:
        """
        What the kind before had of its own goes with it.
        """
        found = self.changed(
            text(HTTP), lambda manager: manager.setCheck("web", "main", HealthCheck("tcp", 1.0))
        )
        self.assertIn('<check type="tcp" interval="1"/>', found)

    def test_otherOption(self) -> None:
        check = HealthCheck("http", 1.0)
        found = self.changed(text(HTTP), lambda manager: manager.setCheck("web", "main", check))
        self.assertIn('<check type="http" interval="1" path="/" status="200-399"/>', found)

    def test_remove(self) -> None:
        found = self.changed(text(HTTP), lambda manager: manager.setCheck("web", "main", None))
        self.assertNotIn("<check", found)

    def test_function(self) -> None:
        """
        A function can't be written to a file.
        """
        configuration = load()
        manager = ProxyManager(configuration.services)
        manager.setCheck("web", "main", HealthCheck("python", options={"call": print}))
        error = self.assertRaises(
            ConfigurationError, configuration.render, manager.services.values()
        )
        self.assertIn("a python check, which is made by a program", str(error))


class PagesTests(SynchronousTestCase):
    """
    What people read.
    """

    def test_explain(self) -> None:
        found = explainConfiguration(load(HTTP))
        for line in (
            "      check (line 5)",
            "        path          /health",
            "        contains      nothing                       default",
            "        timeout       the interval, at most 5 s     default",
        ):
            self.assertIn(f"{line}\n", found)

    def test_reference(self) -> None:
        page = referencePage()
        self.assertEqual(page.count(".. _config-check:"), 1)
        for word, variant in words.CHECKS.variants().items():
            self.assertIn(f'.. rubric:: ``type="{word}"``', page)
            for attribute in variant.attributes:
                self.assertIn(f"   * - ``{attribute.name}``\n     - {attribute.doc}", page)
