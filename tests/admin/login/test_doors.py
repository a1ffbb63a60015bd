"""
Logins by ssh and at the web console of one balancer.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address
from twisted.internet.defer import maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.client import Link, Wire
from tests.admin.fakes import collectLog, lines, quickChecks, quickHash
from tests.admin.login.test_logins import FakeSource
from tests.admin.targets import FakeBalancer
from tests.admin.web.asking import ConsoleCase
from tests.hostile import HOSTILE_NAMES, actingCharacters
from txlb.admin import AdminUser, CheckerSource, Target
from txlb.admin._access import FULL, Caller
from txlb.admin._history import History
from txlb.admin._work import RationedWork
from txlb.admin.control._clients import COMMANDS, Clients
from txlb.admin.control._protocol import ControlProtocol
from txlb.admin.login import (
    LoginRefused,
    Logins,
    PasswordTry,
    SourceUnavailable,
    Users,
    _order,
)
from txlb.admin.login._cred import CredChecker
from txlb.admin.login._means import Means
from txlb.admin.login._tries import PAIR_TRIES
from txlb.deadlines import Deadlines

#: What a server may say of a login.
RUDE = "no\nanna@192.0.2.1:1: logged in \u202e\x1b[2K\u2028\x9b\udc80"


def checkerOf(path: Path) -> CredChecker:
    """
    Make a source of a file of passwords.
    """
    path.write_bytes(b"anna:secret\nrita:other\n")
    settings = CheckerSource(f"file:{path}", "full")
    return CredChecker(settings, "checker", Means(maybeDeferred))


class SourceTests(SynchronousTestCase):
    """
    The users of a configuration, and of a file of a checker.
    """

    def logins(self, source: str) -> Logins:
        if source == "user":
            users = [AdminUser("anna", quickHash("secret"))]
            return Logins(users, seconds=Clock().seconds, checks=quickChecks())
        logins = Logins((), seconds=Clock().seconds)
        logins._order.sources = (checkerOf(Path(self.mktemp())),)
        return logins

    def test_hostileNames(self) -> None:
        for source in ("user", "checker"):
            logins = self.logins(source)
            login = self.successResultOf(logins.login(PasswordTry(b"anna", b"secret")))
            self.assertEqual((login.name, login.source), ("anna", source))
            for number, name in enumerate(HOSTILE_NAMES):
                for password in (b"secret", b"x", b"other"):
                    trying = logins.login(PasswordTry(name, password, f"192.0.2.{number}"))
                    failure = self.failureResultOf(trying, LoginRefused)
                    self.assertIsNone(failure.check(SourceUnavailable), name)
                    self.assertEqual(actingCharacters([failure.getErrorMessage()]), [])

    def test_loginTest(self) -> None:
        """
        What an administrator is told of such a name, has no character of it.
        """
        for source in ("user", "checker"):
            logins = self.logins(source)
            for name in HOSTILE_NAMES:
                text = name.decode("utf-8", "surrogateescape")
                (row,) = self.successResultOf(logins.test(text, "secret"))
                self.assertFalse(row["accepts"], name)
                self.assertEqual(actingCharacters([str(row["text"])]), [])


class DoorsTestCase(ConsoleCase):
    def makeLogins(self) -> Logins:
        self.keys = Path(self.mktemp())
        self.key = Key(Ed25519PrivateKey.generate())
        self.keys.write_bytes(self.key.public().toString("OPENSSH"))
        self.keys.chmod(0o600)
        users = Users(
            [
                AdminUser("anna", quickHash("secret"), str(self.keys)),
                AdminUser("rita", quickHash("secret"), access="readonly"),
            ]
        )
        self.wire = Wire(users, self.checks)
        self.clock = self.wire.clock
        self.patch(_order, "REFUSAL_TIME", 0.1)
        self.addCleanup(self.wire.logins.stop)
        self.events = collectLog(self)
        return self.wire.logins

    def connect(self, peer: str) -> Link:
        link = self.wire.connect(IPv4Address("TCP", peer, 4321))
        assert link is not None
        return link

    def ssh(self, name: bytes, password: bytes, peer: str = "192.0.2.1") -> bool:
        """
        Log in by ssh with a password, and leave.

        @return: whether it did.
        """
        link = self.connect(peer)
        link.login(name, password)
        return self.leave(link)

    def sshByKey(self, name: bytes, peer: str) -> bool:
        link = self.connect(peer)
        auth = link.auth(name)
        auth.keys = [self.key]
        auth.triedPublicKeys = []
        auth.tryAuth(b"publickey")
        link.pump()
        return self.leave(link)

    def leave(self, link: Link) -> bool:
        self.clock.pump([0.1] * 2)
        link.pump()
        isIn = link.server.user is not None
        link.lose()
        return isIn

    def told(self) -> list[str]:
        told = lines(self.events)
        self.events.clear()
        return told


class HostileTests(DoorsTestCase):
    """
    What each door logs and answers if it refuses a login.
    """

    def sources(self) -> dict[str, Any]:
        own = self.logins.sources[0]
        return {
            "user": own,
            "checker": checkerOf(Path(self.mktemp())),
            "ldap": FakeSource("ldap", LoginRefused(RUDE)),
            "radius": FakeSource("radius", SourceUnavailable(RUDE)),
        }

    def oneLine(self, name: bytes, words: str) -> None:
        (line,) = [each for each in self.told() if words in each]
        self.assertEqual(actingCharacters([line]), [], name)
        self.assertLess(len(line), 1500)

    def test_ssh(self) -> None:
        for label, source in self.sources().items():
            self.logins._order.sources = (source,)
            for name in HOSTILE_NAMES:
                self.logins.tries.unlock()
                self.assertFalse(self.ssh(name, b"secret"), (label, name))
                self.oneLine(name, "login by password failed: ")

    def test_sshByKey(self) -> None:
        for name in HOSTILE_NAMES:
            self.assertFalse(self.sshByKey(name, "192.0.2.1"), name)
            self.oneLine(name, "login by publickey failed: ")

    def test_sshInteractive(self) -> None:
        for label, source in self.sources().items():
            self.logins._order.sources = (source,)
            for name in HOSTILE_NAMES:
                self.logins.tries.unlock()
                link = self.connect("192.0.2.1")
                auth = link.auth(name)
                self.patch(auth, "getGenericAnswers", lambda *_: succeed(["secret"]))
                auth.request(b"keyboard-interactive", NS(b"") + NS(b""))
                link.pump()
                self.assertFalse(self.leave(link), (label, name))
                self.oneLine(name, "login by keyboard-interactive failed: ")

    def test_control(self) -> None:
        """
        Programs of this machine name users to the control socket, to test and to unlock them.
        """
        balancer: Any = FakeBalancer()
        deadlines = Deadlines(self.clock, self.clock.seconds)
        target = Target(balancer, None, History(), deadlines, logins=self.logins)
        work = RationedWork(deadlines, COMMANDS)
        clients = Clients(target, self.clock, deadlines, 3, work)
        self.logins._order.sources = tuple(self.sources().values())
        for name in HOSTILE_NAMES:
            for command, values in (("LoginTest", {"password": "secret"}), ("Unlock", {})):
                protocol = ControlProtocol(clients, target, Caller("uid:7", FULL))
                clients._clients[protocol] = None
                transport = StringTransport()
                protocol.makeConnection(transport)
                box = amp.Box({amp.COMMAND: command.encode(), amp.ASK: b"1", b"user": name})
                box.update({key.encode(): value.encode() for key, value in values.items()})
                protocol.dataReceived(box.serialize())
                self.clock.pump([0.1] * 20)
                (answer,) = amp.parseString(transport.value())
                if amp.ERROR in answer:
                    text = answer[amp.ERROR_DESCRIPTION].decode()
                else:
                    rows = json.loads(answer[b"rows"])
                    self.assertFalse(any(row.get("accepts") for row in rows), name)
                    text = " ".join(str(row["text"]) for row in rows)
                self.assertEqual(actingCharacters([text, *self.told()]), [], (command, name))

    def test_sshMethods(self) -> None:
        for method in HOSTILE_NAMES:
            link = self.connect("192.0.2.1")
            link.auth(method).request(method, NS(b"secret"))
            link.pump()
            self.assertFalse(self.leave(link))
            self.oneLine(method, " failed: ")

    def test_web(self) -> None:
        for label, source in self.sources().items():
            self.logins._order.sources = (source,)
            for name in HOSTILE_NAMES:
                self.logins.tries.unlock()
                answer = self.logIn(name.decode("utf-8", "surrogateescape"))
                if len(name) > 1000:
                    self.assertEqual(answer.status, 422)
                    continue
                self.assertEqual(answer.status, 503 if label == "radius" else 401, name)
                self.assertEqual(actingCharacters([answer.detail]), [])
                self.oneLine(name, "login to the console failed: ")

    def test_webBasic(self) -> None:
        """
        Programs that fetch metrics send their names in another way.
        """
        for name in HOSTILE_NAMES:
            if b":" in name or len(name) > 1000:
                continue
            self.logins.tries.unlock()
            word = base64.b64encode(name + b":secret").decode()
            headers = {"Authorization": f"Basic {word}"}
            answer = self.ask("GET", "/metrics", token=None, headers=headers)
            self.assertEqual(answer.status, 401, name)
            self.assertEqual(actingCharacters([answer.detail]), [])
            self.assertEqual(actingCharacters(self.told()), [], name)


class SharedTests(DoorsTestCase):
    """
    Wrong passwords count for all doors together, and keep out no other client.
    """

    def test_guesses(self) -> None:
        bad, good = "192.0.2.1", "192.0.2.2"
        for number in range(PAIR_TRIES):
            if number % 2:
                self.assertEqual(self.logIn("anna", "guess", peer=bad).status, 401)
            else:
                self.assertFalse(self.ssh(b"anna", b"guess", bad))
        self.assertNotIn("too many", " ".join(self.told()))
        # The right password comes too late from there, by whichever door.
        self.assertFalse(self.ssh(b"anna", b"secret", bad))
        self.assertEqual(self.logIn("anna", "secret", peer=bad).status, 401)
        self.assertEqual(" ".join(self.told()).count("too many passwords were wrong"), 2)
        # Not from elsewhere, nor for another account.
        self.assertTrue(self.ssh(b"anna", b"secret", good))
        self.assertEqual(self.logIn("anna", "secret", peer=good).status, 200)
        self.assertTrue(self.ssh(b"rita", b"secret", bad))
        self.assertEqual(self.logIn("rita", "secret", peer=bad).status, 200)
        # A key can't be guessed: it is looked at from anywhere.
        self.assertTrue(self.sshByKey(b"anna", good))
        self.assertTrue(self.sshByKey(b"anna", bad))
        # What is right elsewhere is no pardon here.
        self.assertFalse(self.ssh(b"anna", b"secret", bad))
        self.assertEqual(self.logins.tries.unlock(b"anna"), 1)
        self.assertTrue(self.ssh(b"anna", b"secret", bad))

    def test_history(self) -> None:
        """
        No password is in the events, nor in what another process gets of them.
        """
        self.assertEqual(self.logIn("anna", "secret").status, 200)
        self.assertEqual(self.logIn("anna", "secret-guess").status, 401)
        body = {"user": "anna", "password": "secret"}
        self.assertEqual(self.ask("POST", "/api/v1/login-test", body).status, 200)
        self.balancer.manager.setWeight("web", "prod", "h0", 7)
        kept = json.dumps(self.console.history.rows(0))
        self.assertIn("host-weight", kept)
        self.assertNotIn("secret", kept)
