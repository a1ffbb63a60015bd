"""
Tests for L{txlb.config._configuration}.
"""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests import fewer
from tests.config.documents import (
    PYTHON_DIRECTOR,
    SAMPLE_1_1_0,
    SAVED_BY_1_1_0,
    SMALL,
    c14n,
    documents,
)
from txlb.config import (
    AdminSettings,
    AdminUser,
    ConfigCheckSettings,
    Configuration,
    LoggingSettings,
    ManagerSettings,
    SSHSettings,
    TimerSettings,
    WebSettings,
    loadConfiguration,
    parseConfiguration,
)
from txlb.errors import ConfigurationError, UnknownName
from txlb.model import Listener, ProxyGroup, ProxyHost, ProxyService, TCPAddress


def notesOf(configuration: Configuration) -> list[tuple[int, str]]:
    return [(note.line, note.message) for note in configuration.notes]


class OldFileTests(SynchronousTestCase):
    """
    Files of the releases before are read as they are.
    """

    def test_services(self) -> None:
        found = parseConfiguration(SAMPLE_1_1_0, "balancer.xml").services
        self.assertEqual(
            found,
            (
                ProxyService(
                    "proxy1",
                    [("127.0.0.1", 8080), ("127.0.0.1", 8081)],
                    [
                        ProxyGroup(
                            "prod",
                            "weightr",
                            True,
                            [
                                ProxyHost("host1", "127.0.0.1", 7001, 1),
                                ProxyHost("host2", "lorien", 1901, 3),
                            ],
                        ),
                        ProxyGroup(
                            "test", "leastc", False, [ProxyHost("host1", "127.0.0.1", 7003)]
                        ),
                    ],
                ),
                ProxyService(
                    "proxy2",
                    [("", 8090)],
                    [ProxyGroup("prod", "rand", True, [ProxyHost("host1", "127.0.0.1", 7001)])],
                ),
            ),
        )

    def test_settings(self) -> None:
        found = parseConfiguration(SAMPLE_1_1_0, "/etc/balancer/balancer.xml")
        self.assertEqual(
            found.admin,
            AdminSettings(
                SSHSettings(TCPAddress("localhost", 2222), True),
                WebSettings(TCPAddress("", 7000), True, False, 10.0),
                (AdminUser("admin", "..xpoEyRReGzk", None, "full"),),
            ),
        )
        self.assertEqual(
            found.manager,
            ManagerSettings(
                TimerSettings(500.0, True),
                ConfigCheckSettings(10.0, False),
                TimerSettings(20.0, False),
            ),
        )
        self.assertEqual(found.control, "/var/run/balancer.sock")
        self.assertEqual(found.logging, LoggingSettings("/etc/balancer/balancer.log"))

    def test_notes(self) -> None:
        """
        What has no effect is said, each with its line.
        """
        found = notesOf(parseConfiguration(SAMPLE_1_1_0, "balancer.xml"))
        self.assertEqual([line for line, _ in found], [22, 22, 23, 24, 26])
        texts = [message for _, message in found]
        self.assertIn("no user can log in to the console", texts.pop(0))
        self.assertIn("the balancer does not start", texts[0])
        self.assertIn("no user gets a prompt by ssh", texts[1])
        self.assertIn("make a new one with: txlb passwd", texts[2])
        self.assertIn("hostCheckInterval of <manager> is read and has no effect", texts[3])

    def test_savedByOldVersion(self) -> None:
        """
        Version 1.1.0 wrote C{None}, C{True} and a bare port for what wasn't set.
        """
        found = parseConfiguration(SAVED_BY_1_1_0, "balancer.xml")
        self.assertEqual(found.admin.web, WebSettings())
        self.assertEqual(found.admin.ssh, SSHSettings())
        self.assertIsNone(found.control)
        self.assertEqual(found.manager.configCheck, ConfigCheckSettings(30.0, True))
        self.assertEqual(found.services[0].enabledGroup.name, "prod")
        self.assertEqual([line for line, _ in notesOf(found)], [14])

    def test_pythonDirector(self) -> None:
        """
        Its root, its words, its way to enable a group and its nameless hosts.
        """
        found = parseConfiguration(PYTHON_DIRECTOR, "pd.xml")
        (service,) = found.services
        self.assertEqual(service.enabledGroup.name, "two")
        self.assertEqual([group.scheduler for group in service.groups], ["rand", "leastc"])
        names = [host.name for host in service.enabledGroup.hosts]
        self.assertEqual(names, ["host.2", "host.1", "host.3"])
        self.assertEqual([line for line, _ in notesOf(found)], [1, 14, 15])
        self.assertIn("PythonDirector's name for <config>", found.notes[0].message)
        self.assertIn("listen of <admin> is read and has no effect", found.notes[1].message)

    def test_enabledTwiceTheSame(self) -> None:
        """
        A group may be enabled in both ways at once.
        """
        data = SMALL.replace(b"</service>", b'<enable group="prod"/></service>')
        found = parseConfiguration(data, "c.xml").services
        self.assertEqual(found, parseConfiguration(SMALL, "c.xml").services)


class NewSettingsTests(SynchronousTestCase):
    """
    What is new in the file.
    """

    def test_everyAttribute(self) -> None:
        data = b"""<config>
          <service name="web" maxConnections="7" connectTimeout="0.5" dialTimeout="1.5"
              retries="0" idleTimeout="0" finTimeout="5" resolveInterval="60" relay="portable">
            <listen ip="[::1]:80"/>
            <group name="g" scheduler="weightlc" enable="enable" passiveFall="3"
                whenAllDown="close" sendProxy="v2">
              <host ip="unix:/run/app.sock" maxConnections="9" weight=" 4 "/>
            </group>
          </service>
          <manager graceTime="2.5"/>
          <logging file="log/access.log" connections="on" format="json" rotateLength="0"
              maxRotated="9"/>
        </config>"""
        found = parseConfiguration(data, "/etc/c.xml")
        self.assertEqual(
            found.services,
            (
                ProxyService(
                    "web",
                    ["[::1]:80"],
                    [
                        ProxyGroup(
                            "g",
                            "weightlc",
                            True,
                            [ProxyHost("host.1", "unix:/run/app.sock", 0, 4, 9)],
                            passiveFall=3,
                            whenAllDown="close",
                            sendProxy="v2",
                        )
                    ],
                    maxConnections=7,
                    connectTimeout=0.5,
                    dialTimeout=1.5,
                    retries=0,
                    idleTimeout=0.0,
                    finTimeout=5.0,
                    resolveInterval=60.0,
                    relay="portable",
                ),
            ),
        )
        self.assertEqual(found.manager.graceTime, 2.5)
        self.assertEqual(found.logging, LoggingSettings("/etc/log/access.log", True, "json", 0, 9))
        self.assertEqual(found.notes, ())

    def test_defaults(self) -> None:
        """
        What isn't in the file is as if it had never been thought of.
        """
        found = parseConfiguration(SMALL, "c.xml")
        self.assertEqual(found.admin, AdminSettings())
        self.assertEqual(found.manager, ManagerSettings())
        self.assertIsNone(found.control)
        self.assertIsNone(found.logging)

    def test_processingInstructions(self) -> None:
        """
        They are nobody's business.
        """
        data = SMALL.replace(b"<service", b"<?php echo?><service")
        self.assertEqual(
            parseConfiguration(data, "c.xml").services, parseConfiguration(SMALL, "c.xml").services
        )

    @fewer(0.5)
    @given(documents())
    def test_random(self, each: tuple[bytes, list[ProxyService]]) -> None:
        data, services = each
        self.assertEqual(list(parseConfiguration(data, "c.xml").services), services)


class LineTests(SynchronousTestCase):
    """
    Where things stand.
    """

    def setUp(self) -> None:
        self.configuration = parseConfiguration(SAMPLE_1_1_0, "c.xml")

    def test_service(self) -> None:
        self.assertEqual(self.configuration.lineOf("proxy1"), 2)
        self.assertEqual(self.configuration.lineOf("proxy2"), 13)

    def test_listener(self) -> None:
        self.assertEqual(self.configuration.lineOf("proxy1", 0), 3)
        self.assertEqual(self.configuration.lineOf("proxy1", 1), 4)

    def test_listenerNotInFile(self) -> None:
        """
        One that came later has its service's line.
        """
        self.assertEqual(self.configuration.lineOf("proxy1", 2), 2)
        self.assertEqual(self.configuration.lineOf("proxy1", -1), 2)

    def test_unknownService(self) -> None:
        error = self.assertRaises(UnknownName, self.configuration.lineOf, "proxy3")
        self.assertIn("did you mean", str(error))

    def test_ssh(self) -> None:
        self.assertEqual(self.configuration.sshLine, 23)

    def test_noSSH(self) -> None:
        self.assertEqual(parseConfiguration(SMALL, "c.xml").sshLine, 0)
        data = SMALL.replace(b"</config>", b"<admin/></config>")
        self.assertEqual(parseConfiguration(data, "c.xml").sshLine, 0)

    def test_beyond65535(self) -> None:
        """
        Long files have lines as well, though libxml2 knows them only nearly.
        """
        data = SMALL.replace(b"<service", b"\n" * 70_000 + b"<service")
        self.assertIn(parseConfiguration(data, "c.xml").lineOf("web"), [70_002, 70_003])


class DocumentTests(SynchronousTestCase):
    """
    From the file and back to it.
    """

    @fewer(0.5)
    @given(documents())
    def test_sameUnderC14N(self, each: tuple[bytes, list[ProxyService]]) -> None:
        data, _ = each
        configuration = parseConfiguration(data, "c.xml")
        self.assertEqual(c14n(configuration.tostring()), c14n(data))

    def test_renderUnchanged(self) -> None:
        """
        Nothing is even laid out anew.
        """
        configuration = parseConfiguration(SAMPLE_1_1_0, "c.xml")
        self.assertEqual(configuration.render(configuration.services), SAMPLE_1_1_0)

    def test_renderIsChecked(self) -> None:
        """
        What couldn't be loaded again is not made.
        """
        configuration = parseConfiguration(SMALL, "c.xml")
        ephemeral = replace(configuration.services[0], listeners=(Listener("127.0.0.1:0"),))
        error = self.assertRaises(ConfigurationError, configuration.render, [ephemeral])
        self.assertIn("port 0", str(error))
        error = self.assertRaises(ConfigurationError, configuration.render, [])
        self.assertIn("no <service>", str(error))

    def test_changes(self) -> None:
        configuration = parseConfiguration(SMALL, "c.xml")
        (service,) = configuration.services
        self.assertEqual(configuration.changes([service]), [])
        self.assertEqual(
            configuration.changes([replace(service, retries=1)]),
            ["service web: retries 3 -> 1"],
        )

    def test_loadAndSave(self) -> None:
        path = self.mktemp()
        parseConfiguration(SMALL, "c.xml").save(path)
        configuration = loadConfiguration(path)
        self.assertEqual(configuration.tostring(), SMALL)
        self.assertEqual(configuration.path, os.path.abspath(path))

    def test_repr(self) -> None:
        """
        At a prompt it says in a line what it is; hashes are for nobody to see.
        """
        configuration = parseConfiguration(SAMPLE_1_1_0, "/etc/c.xml")
        self.assertEqual(repr(configuration), "<Configuration /etc/c.xml: proxy1, proxy2>")
        self.assertNotIn("..xpoEyRReGzk", repr(configuration.admin))

    def test_readOnly(self) -> None:
        configuration = parseConfiguration(SMALL, "c.xml")
        with self.assertRaises(AttributeError):
            configuration.services = ()  # type: ignore[misc]  # that it can't be is the point
