"""
Tests for L{txlb.config._admin}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import ARGON2ID, CRYPT, SMALL
from txlb.config import (
    AdminUser,
    Configuration,
    EventsSettings,
    LoggingSettings,
    WebSettings,
    parseConfiguration,
)
from txlb.errors import ConfigurationError
from txlb.model import TCPAddress

SSH = '<ssh enable="true"/>'


def load(more: str, name: str = "/etc/txlb/config.xml") -> Configuration:
    return parseConfiguration(SMALL.replace(b"</config>", f"{more}</config>".encode()), name)


def user(name: str, access: str = "full", **more: str) -> str:
    attributes = " ".join(f'{key}="{value}"' for key, value in more.items())
    return f'<user name="{name}" access="{access}" {attributes}/>'


class UserTests(SynchronousTestCase):
    def notes(self, *users: str, ssh: str = SSH) -> list[str]:
        configuration = load(f"<admin>{ssh}{''.join(users)}</admin>")
        return [note.message for note in configuration.notes]

    def test_inOrder(self) -> None:
        folder = self.mktemp()
        found = load(
            "<admin>"
            + user("b", password=ARGON2ID)
            + user("a", "readonly", password=CRYPT, authorizedKeys="keys/a")
            + "</admin>",
            os.path.join(folder, "c.xml"),
        )
        keys = os.path.join(os.path.abspath(folder), "keys/a")
        self.assertEqual(
            found.admin.users,
            (AdminUser("b", ARGON2ID), AdminUser("a", CRYPT, keys, "readonly")),
        )

    def test_nothingToSay(self) -> None:
        """
        One who can log in is enough.
        """
        self.assertEqual(self.notes(user("u", password=ARGON2ID)), [])

    def test_keysAreThere(self) -> None:
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("ssh-ed25519 AAAA")
        self.assertEqual(self.notes(user("u", authorizedKeys=os.path.abspath(path))), [])

    def test_keysAreMissing(self) -> None:
        (note,) = self.notes(user("u", authorizedKeys="nowhere/keys"))
        self.assertIn("keys of user 'u' are not there yet: no file /etc/txlb/nowhere/keys", note)

    def test_oldHash(self) -> None:
        (note,) = self.notes(user("u", password=CRYPT), user("v", password=ARGON2ID))
        self.assertIn("password of user 'u' is an old crypt hash", note)

    def test_nobodyGetsIn(self) -> None:
        for users in (
            (),
            *((user("u", each, password=ARGON2ID),) for each in ("readonly", "operator")),
        ):
            (note,) = self.notes(*users)
            self.assertIn("no user gets a prompt by ssh", note)

    def test_nobodyNeeds(self) -> None:
        self.assertEqual(self.notes(ssh=""), [])
        self.assertEqual(self.notes(ssh='<ssh enable="off"/>'), [])


class PathTests(SynchronousTestCase):
    def test_relative(self) -> None:
        found = load('<control socket="run/c.sock"/><logging file="../log"/>')
        self.assertEqual(found.control, "/etc/txlb/run/c.sock")
        self.assertEqual(found.logging, LoggingSettings("/etc/txlb/../log"))

    def test_relativeToNowhere(self) -> None:
        """
        A name without a folder stands for a file in the working directory.
        """
        found = load('<logging file="log"/>', "c.xml")
        self.assertEqual(found.logging, LoggingSettings(os.path.abspath("log")))

    def test_absolute(self) -> None:
        found = load('<control socket="/c.sock"/><logging file="/log"/>')
        self.assertEqual(found.control, "/c.sock")
        self.assertEqual(found.logging, LoggingSettings("/log"))


class EventsTests(SynchronousTestCase):
    """
    The place to which events are published.
    """

    RIGHT = 'to="stomp" url="stomp://a:1 stomp+ssl://[::1]:2/" destination="/topic/x"'

    def test_settings(self) -> None:
        found = load(f'<events {self.RIGHT} user="me" passwordFile="p" ca="/ca" name="lb1"/>')
        self.assertEqual(
            found.events,
            EventsSettings(
                "stomp",
                ("stomp://a:1", "stomp+ssl://[::1]:2"),
                "/topic/x",
                user="me",
                passwordFile="/etc/txlb/p",
                ca="/ca",
                name="lb1",
            ),
        )
        self.assertIsNone(load("").events)

    def test_wrong(self) -> None:
        for attributes, said in (
            (self.RIGHT.replace("stomp", "http", 1), "to of <events> is 'http'"),
            (self.RIGHT.replace("stomp://a:1", "stomp://me:secret@a:1"), "has a wrong URL"),
            (f'{self.RIGHT} passwordFile="p"', "has a passwordFile and no user"),
            (self.RIGHT.replace("/topic/x", "a b"), "destination of <events>"),
            ('to="stomp" url=" " destination="x"', "no URL"),
        ):
            with self.subTest(attributes):
                error = self.assertRaises(ConfigurationError, load, f"<events {attributes}/>")
                self.assertIn(said, str(error))
                self.assertNotIn("secret", str(error))


class IdleTests(SynchronousTestCase):
    """
    What has no effect is said where somebody wants the effect.
    """

    def test_switchedOff(self) -> None:
        found = load(
            '<admin><web enable="no"/></admin><manager><heartbeat interval="1"/></manager>'
            "<control/>"
        )
        self.assertEqual(found.notes, ())

    def test_switchedOn(self) -> None:
        found = load(
            '<admin listen="127.0.0.1:1"/>'
            '<manager><heartbeat enable="1"/></manager>'
            '<control socket="s"/>'
        )
        texts = [note.message for note in found.notes]
        (text,) = texts
        self.assertIn("listen of <admin> is read and has no effect", text)

    def test_emptyGroup(self) -> None:
        found = parseConfiguration(
            b'<config><service name="s"><listen ip=":1"/><group name="g" enable="1"/></service>'
            b"</config>",
            "c.xml",
        )
        (note,) = found.notes
        self.assertIn("group 'g' has no host", note.message)


class WebTests(SynchronousTestCase):
    """
    The web console.
    """

    def notes(self, web: str) -> list[str]:
        found = load(
            f'<admin>{web}<token name="t" access="full" hash="sha256:{"0" * 64}"/></admin>'
        )
        return [note.message for note in found.notes]

    def test_settings(self) -> None:
        found = load(
            '<admin><web enable="yes" listen="127.0.0.1:1" refresh="2" metrics="login" '
            'hostNames="lb.example [::1]"/>'
            f'<token name="grafana" access="readonly" hash="sha256:{"0" * 64}"/></admin>'
        )
        self.assertEqual(
            found.admin.web,
            WebSettings(
                TCPAddress("127.0.0.1", 1),
                True,
                refresh=2.0,
                hostNames=("lb.example", "[::1]"),
                metrics="login",
            ),
        )
        [token] = found.admin.tokens
        self.assertEqual((token.name, token.access), ("grafana", "readonly"))
        self.assertNotIn("0000", repr(token))

    def test_notes(self) -> None:
        for web, text in (
            ("<web/>", 'write enable="yes"'),
            ('<web enable="no"/>', ""),
            ('<web enable="yes"/>', ""),
            ('<web enable="yes" listen="[::1]:1"/>', ""),
            ('<web enable="yes" listen="localhost:1"/>', ""),
            ('<web enable="yes" listen="unix:/tmp/x"/>', ""),
            ('<web enable="yes" listen="systemd:web"/>', ""),
            ('<web enable="yes" listen="192.0.2.1:1"/>', "does not start"),
        ):
            notes = self.notes(web)
            self.assertEqual(len(notes), bool(text), (web, notes))
            self.assertIn(text, "".join(notes))

    def test_errors(self) -> None:
        for inside, text in (
            ('<web enable="yes" secure="yes"/>', "there is no certificate"),
            ('<web secure="no"><tls certificates="nowhere"/></web>', "nowhere"),
            ('<web metrics="none"/>', "metrics"),
            ('<web hostNames="a b/c"/>', "hostNames"),
            ('<web enable="yes" listen="127.0.0.1:8080"/>', "service 'web' has in line"),
            ('<token name="t" hash="txlb_secret" access="full"/>', "txlb token"),
            ('<token name="t" hash="x"/>', "access"),
        ):
            error = self.assertRaises(ConfigurationError, load, f"<admin>{inside}</admin>")
            self.assertIn(text, str(error))
            self.assertNotIn("txlb_secret", str(error))
