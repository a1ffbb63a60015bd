"""
Tests for L{txlb.admin._login} and L{txlb.admin._transport}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from twisted.conch.ssh import transport
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.client import AbortableTransport, Auth, ClientTransport, Link, Wire
from tests.admin.fakes import collectLog, lines, quickChecks, quickHash
from tests.sleeping import SleepingClock
from txlb.admin import AdminUser
from txlb.admin._login import LOGIN_TIMEOUT, MAX_TRIES
from txlb.admin._passwords import PasswordChecks
from txlb.admin._transport import (
    CLOSE_TIMEOUT,
    GOODBYE_TIMEOUT,
    MAX_CONNECTIONS,
    ManholeTransport,
)
from txlb.admin._users import SIGNATURE_ALGORITHMS, Users
from txlb.deadlines import Deadlines

PASSWORD = b"\0" + NS(b"secret")
WRONG = b"\0" + NS(b"wrong-password")


class LoginTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.keys = Path(self.mktemp())
        self.key = Key(Ed25519PrivateKey.generate())
        self.keys.write_bytes(self.key.public().toString("OPENSSH"))
        self.keys.chmod(0o600)
        self.wire = Wire(self.users(), self.checks())
        self.events = collectLog(self)

    def users(self) -> Users:
        stored = quickHash("secret")
        return Users(
            [
                AdminUser("anna", stored, str(self.keys)),
                AdminUser("rita", stored, access="readonly"),
            ]
        )

    def checks(self) -> PasswordChecks:
        return quickChecks()

    def connect(self) -> Link:
        link = self.wire.connect()
        assert link is not None
        return link

    def tell(self) -> list[str]:
        told = lines(self.events)
        self.events.clear()
        return told

    def pass_(self, seconds: float) -> None:
        self.wire.clock.pump([0.5] * int(seconds * 2))


class NegotiationTests(LoginTestCase):
    def test_modernOnly(self) -> None:
        self.assertEqual(
            ManholeTransport.supportedCiphers, [b"aes256-ctr", b"aes192-ctr", b"aes128-ctr"]
        )
        self.assertEqual(ManholeTransport.supportedMACs, [b"hmac-sha2-512", b"hmac-sha2-256"])
        self.assertEqual(ManholeTransport.supportedCompressions, [b"none"])
        self.assertIn(b"curve25519-sha256", ManholeTransport.supportedKeyExchanges)
        for name in ManholeTransport.supportedKeyExchanges:
            self.assertNotIn(b"sha1", name)
            self.assertNotIn(b"diffie-hellman", name)
        link = self.connect()
        self.assertEqual(link.server.supportedPublicKeys, [b"ssh-ed25519"])
        self.assertTrue(link.client.secure)

    def test_oldOnesAreRefused(self) -> None:
        for offered, old in (
            ("supportedCiphers", [b"aes128-cbc", b"3des-cbc"]),
            ("supportedMACs", [b"hmac-sha1", b"hmac-md5"]),
            ("supportedKeyExchanges", [b"diffie-hellman-group14-sha1"]),
            ("supportedPublicKeys", [b"ssh-rsa", b"ssh-dss"]),
        ):
            with self.subTest(offered):
                self.patch(ClientTransport, offered, old)
                link = self.connect()
                self.assertFalse(link.client.secure)
                self.assertTrue(link.serverEnd.disconnecting)
                link.lose()

    def test_signatureAlgorithms(self) -> None:
        """
        The client learns which keys of its users it can offer.
        """
        link = self.connect()
        self.assertEqual(
            link.client.peerExtensions, {b"server-sig-algs": b",".join(SIGNATURE_ALGORITHMS)}
        )


class PasswordTests(LoginTestCase):
    def test_letIn(self) -> None:
        link = self.connect()
        link.login()
        self.assertEqual(self.tell(), ["anna@192.0.2.1:4321: logged in"])
        assert link.server.user is not None
        self.assertEqual(link.server.user.name, "anna")
        link.lose()
        self.assertEqual(self.tell(), ["anna@192.0.2.1:4321: logged out"])

    def test_refused(self) -> None:
        for user, password, reason in (
            (b"anna", b"wrong-password", "the password is wrong"),
            (b"nobody", b"secret", "there is no such user"),
            (b"rita", b"secret", "the access of this user is readonly"),
        ):
            link = self.connect()
            link.login(user, password)
            self.pass_(1)
            (line,) = self.tell()
            name = user.decode()
            self.assertIn(f"{name}@192.0.2.1:4321: login by password failed: {reason}", line)
            self.assertNotIn(password.decode(), line)
            self.assertIsNone(link.server.user)
            link.lose()
            self.assertEqual(self.tell(), [])

    def test_theAnswerComesLate(self) -> None:
        link = self.connect()
        auth = link.auth()
        auth.request(b"password", WRONG)
        link.pump()
        self.pass_(0.5)
        link.pump()
        self.assertEqual(auth.failures, 0)
        self.pass_(1)
        link.pump()
        self.assertEqual(auth.failures, 1)

    def test_names(self) -> None:
        """
        A name can't pretend to be a line of the log.
        """
        link = self.connect()
        link.login(b"x\nanna@192.0.2.1:4321: logged in" + b"y" * 99 + b"\xff{name}")
        self.pass_(1)
        (line,) = self.tell()
        self.assertTrue(line.startswith("x\\nanna@192.0.2.1:4321: logged in"), line)
        self.assertNotIn("\n", line)

    def test_tries(self) -> None:
        link = self.connect()
        auth = link.auth()
        for _ in range(MAX_TRIES):
            self.assertIsNone(link.client.disconnected)
            auth.request(b"password", WRONG)
            link.pump()
            self.pass_(1)
            link.pump()
        self.assertEqual(link.client.disconnected, b"too many bad auths")
        self.assertTrue(link.serverEnd.disconnecting)
        self.assertEqual(len(self.tell()), MAX_TRIES)
        auth.request(b"password", PASSWORD)
        link.pump()
        self.assertEqual(self.tell(), [])

    def test_beginningAgainGivesNoMoreTries(self) -> None:
        link = self.connect()
        link.auth()
        link.auth()
        self.assertEqual(link.client.disconnected, b"no such service now")

    def test_noneIsNoTry(self) -> None:
        link = self.connect()
        auth = link.auth()
        for _ in range(MAX_TRIES + 2):
            auth.request(b"none")
            link.pump()
        self.assertIsNone(link.client.disconnected)
        self.assertEqual(self.tell(), [])

    def test_otherMethods(self) -> None:
        link = self.connect()
        link.auth().request(b"hostbased")
        link.pump()
        (line,) = self.tell()
        self.assertIn("login by hostbased failed", line)

    def test_anotherService(self) -> None:
        link = self.connect()
        link.auth().request(b"password", PASSWORD, service=b"ssh-userauth")
        link.pump()
        self.pass_(1)
        self.assertIsNone(link.server.user)
        self.assertIn("failed: it was for something else", self.tell()[0])


class SlowPasswordTests(LoginTestCase):
    """
    While a password is being checked.
    """

    def checks(self) -> PasswordChecks:
        self.jobs: list[tuple[Callable[[], bool], Deferred[bool]]] = []

        def run(check: Callable[[], bool]) -> Deferred[bool]:
            self.jobs.append((check, Deferred()))
            return self.jobs[-1][1]

        return PasswordChecks(run, quickHash("decoy"))

    def finish(self) -> None:
        for check, answer in self.jobs:
            answer.callback(check())

    def test_oneTryAtATime(self) -> None:
        """
        What follows would be taken for the try that is under way.
        """
        link = self.connect()
        auth = link.auth()
        auth.request(b"password", WRONG)
        auth.request(b"none")
        auth.request(b"password", PASSWORD)
        link.pump()
        self.assertEqual(link.client.disconnected, b"one try at a time, please")
        self.finish()
        self.pass_(1)
        self.assertEqual(self.tell(), [])

    def test_theClientGoes(self) -> None:
        """
        It was right, but it isn't logged in any more.
        """
        link = self.connect()
        link.login()
        link.lose()
        self.finish()
        self.assertIsNone(link.server.user)
        self.assertEqual(self.tell(), [])

    def test_afterwards(self) -> None:
        link = self.connect()
        auth = link.auth()
        auth.request(b"password", WRONG)
        link.pump()
        self.finish()
        self.pass_(1)
        link.pump()
        self.jobs.clear()
        auth.request(b"password", PASSWORD)
        link.pump()
        self.finish()
        self.assertIn("logged in", self.tell()[-1])


class KeyTests(LoginTestCase):
    def offer(self, key: Key, user: bytes = b"anna") -> tuple[Link, Auth]:
        link = self.connect()
        auth = link.auth(user)
        auth.keys = [key]
        auth.tryAuth(b"publickey")
        link.pump()
        return link, auth

    def test_letIn(self) -> None:
        link, _ = self.offer(self.key)
        self.assertEqual(self.tell(), ["anna@192.0.2.1:4321: logged in"])
        self.assertIsNotNone(link.server.user)

    def test_stranger(self) -> None:
        link, auth = self.offer(Key(Ed25519PrivateKey.generate()))
        self.assertIn("login by publickey failed: the key is not in", self.tell()[0])
        self.assertIsNone(link.server.user)
        self.assertEqual(auth.failures, 1)

    def test_weakSignature(self) -> None:
        """
        A key whose kind is not accepted is not even parsed.
        """
        link = self.connect()
        auth = link.auth()
        key = Key(generate_private_key(65537, 1024)).public()
        auth.request(b"publickey", b"\0" + NS(b"ssh-rsa") + NS(key.blob()))
        auth.request(b"publickey", b"\0" + NS(b"{x}") + NS(b"nonsense"))
        link.pump()
        first, second = self.tell()
        self.assertIn("signatures by ssh-rsa are not accepted", first)
        self.assertIn("signatures by {x} are not accepted", second)

    def test_noKey(self) -> None:
        link = self.connect()
        link.auth().request(b"publickey", b"\0" + NS(b"ssh-ed25519") + NS(b"nonsense"))
        link.pump()
        self.assertTrue(self.tell())
        self.assertIsNone(link.server.user)


class TimeTests(LoginTestCase):
    def test_silence(self) -> None:
        link = self.connect()
        self.pass_(LOGIN_TIMEOUT - 1)
        self.assertFalse(link.serverEnd.disconnecting)
        self.pass_(1.5)
        self.assertTrue(link.serverEnd.disconnecting)
        self.assertIn("192.0.2.1:4321: did not log in within 60.0 s", self.tell())
        self.assertFalse(link.serverEnd.aborted)
        self.pass_(CLOSE_TIMEOUT)
        self.assertTrue(link.serverEnd.aborted)

    def test_trying(self) -> None:
        """
        The time is for all tries together.
        """
        link = self.connect()
        auth = link.auth()
        for _ in range(4):
            self.pass_(LOGIN_TIMEOUT / 4)
            auth.request(b"none")
            link.pump()
        self.pass_(1)
        link.pump()
        self.assertEqual(link.client.disconnected, b"you took too long")

    def test_sleep(self) -> None:
        """
        While the process sleeps nobody is heard, so that is not counted.
        """
        clock = SleepingClock()
        self.wire.factory.deadlines = Deadlines(clock, clock.seconds)
        link = self.connect()
        clock.sleep(2 * LOGIN_TIMEOUT)
        clock.decide()
        self.assertFalse(link.serverEnd.disconnecting)
        link.login()
        clock.pump([0.5] * int(3 * LOGIN_TIMEOUT))
        self.assertFalse(link.serverEnd.disconnecting)

    def test_loggedIn(self) -> None:
        link = self.connect()
        link.login()
        self.pass_(2 * LOGIN_TIMEOUT)
        self.assertFalse(link.serverEnd.disconnecting)

    def test_gone(self) -> None:
        link = self.connect()
        link.lose()
        self.pass_(2 * LOGIN_TIMEOUT)
        self.assertFalse(link.serverEnd.aborted)


class NumberTests(LoginTestCase):
    def test_bound(self) -> None:
        links = [self.connect() for _ in range(MAX_CONNECTIONS)]
        for _ in range(3):
            self.assertIsNone(self.wire.connect())
        self.assertEqual(self.wire.factory.refused, 3)
        (line,) = self.tell()
        self.assertIn("192.0.2.1:4321: closed, as there are 16 connections already", line)
        links[0].lose()
        self.connect()
        self.pass_(10)
        self.assertIsNone(self.wire.connect())
        self.assertIn("(4 so far)", self.tell()[-1])

    def test_peers(self) -> None:
        for peer, text in (
            (IPv6Address("TCP", "2001:db8::1", 22), "[2001:db8::1]:22"),
            (UNIXAddress(b"/run/x"), "unix"),
        ):
            link = self.wire.connect(peer)
            assert link is not None
            self.assertEqual(link.server.peer, text)


class RulesTests(LoginTestCase):
    """
    Clients that break the protocol's.
    """

    def closed(self, link: Link) -> None:
        (line,) = self.tell()
        self.assertIn("closed, as it sent what can't be understood", line)
        self.assertTrue(link.serverEnd.aborted)

    def test_noSSH(self) -> None:
        link = self.connect()
        link.server.dataReceived(b"\xff" * 100)
        self.assertTrue(link.serverEnd.disconnecting)
        link.server.dataReceived(b"more of it")
        self.assertEqual(
            [e["log_level"] for e in self.events if e["log_level"] > LogLevel.warn], []
        )

    def test_http(self) -> None:
        server = self.wire.factory.buildProtocol(None)
        assert server is not None
        end = Link(server, IPv6Address("TCP", "::1", 1)).serverEnd
        server.dataReceived(b"GET / HTTP/1.0\r\n\r\n" * 300)
        self.assertTrue(end.disconnecting)

    def test_malformed(self) -> None:
        link = self.connect()
        link.auth()
        link.client.sendPacket(50, b"\0\0")
        link.pump()
        self.closed(link)

    def test_keyExchangeTwice(self) -> None:
        link = self.connect()
        link.client.sendPacket(transport.MSG_KEXDH_INIT, b"")
        link.pump()
        self.closed(link)

    def test_serviceBeforeEncryption(self) -> None:
        server = self.wire.factory.buildProtocol(None)
        assert server is not None
        end = AbortableTransport()
        server.makeConnection(end)
        server.ssh_SERVICE_REQUEST(NS(b"ssh-userauth"))
        self.assertTrue(end.disconnecting)
        self.assertIsNone(server.service)

    def test_sessionsBeforeLogin(self) -> None:
        link = self.connect()
        link.client.sendPacket(transport.MSG_SERVICE_REQUEST, NS(b"ssh-connection"))
        link.pump()
        self.assertTrue(link.serverEnd.disconnecting)
        link = self.connect()
        link.auth()
        link.client.sendPacket(90, b"x")
        link.pump()
        self.assertEqual(link.client.unimplemented, 1)

    def test_whatIsNotKnownIsNotLogged(self) -> None:
        """
        It might hold a password.
        """
        everything: list[Any] = []
        self.patch(ManholeTransport, "sendUnimplemented", lambda _: everything.append(1))
        link = self.connect()
        link.auth()
        link.client.sendPacket(61, NS(b"secret"))
        link.pump()
        self.assertEqual((everything, self.tell()), ([1], []))

    def test_clientSaysGoodbye(self) -> None:
        link = self.connect()
        link.client.sendDisconnect(11, b"disconnected by user")
        link.pump()
        self.assertTrue(link.serverEnd.disconnecting)
        self.assertIsNone(link.serverEnd.producer)
        self.assertEqual(self.tell(), [])
        link.serverEnd.clear()
        link.server.shutDown()
        self.assertEqual(link.serverEnd.value(), b"")
        link.server.abort()
        self.assertTrue(link.serverEnd.aborted)

    def test_unimplementedIsNoMatter(self) -> None:
        link = self.connect()
        link.client.sendUnimplemented()
        link.pump()
        self.assertFalse(link.serverEnd.disconnecting)
        self.assertEqual(self.tell(), [])


class BackpressureTests(LoginTestCase):
    def test_whoDoesNotReadIsNotRead(self) -> None:
        link = self.connect()
        producer = link.serverEnd.producer
        assert producer is not None
        producer.pauseProducing()
        self.assertEqual(link.serverEnd.producerState, "paused")
        producer.resumeProducing()
        self.assertEqual(link.serverEnd.producerState, "producing")
        producer.stopProducing()


class ShutDownTests(LoginTestCase):
    def test_nobodyThere(self) -> None:
        self.assertIsNone(self.successResultOf(self.wire.factory.shutDown()))
        self.assertIsNone(self.wire.connect())

    def test_everybodyIsToldToGo(self) -> None:
        inside, outside = self.connect(), self.connect()
        inside.login()
        channel = inside.open()
        inside.terminal(channel)
        inside.request(channel, b"shell")
        done = self.wire.factory.shutDown()
        inside.pump()
        outside.pump()
        self.assertIn(b"The balancer ends this session.", channel.output)
        self.assertEqual((channel.status, channel.over), (1, True))
        self.assertIsNone(inside.client.disconnected)
        self.assertEqual(outside.client.disconnected, b"the manhole closes")
        self.assertFalse(inside.open().opened)
        inside.lose()
        self.assertNoResult(done)
        outside.lose()
        self.assertIsNone(self.successResultOf(done))

    def test_whoDoesNotGo(self) -> None:
        link = self.connect()
        self.wire.factory.shutDown()
        self.pass_(CLOSE_TIMEOUT + 0.5)
        self.assertTrue(link.serverEnd.aborted)

    def test_whoDoesNotGoFromASession(self) -> None:
        link = self.connect()
        link.login()
        link.open()
        self.wire.factory.shutDown()
        self.pass_(GOODBYE_TIMEOUT + 0.5)
        link.pump()
        self.assertEqual(link.client.disconnected, b"the manhole closes")
        self.pass_(CLOSE_TIMEOUT)
        self.assertTrue(link.serverEnd.aborted)

    def test_whoseSessionHasEnded(self) -> None:
        link = self.connect()
        link.login()
        self.wire.factory.shutDown()
        link.pump()
        self.assertEqual(link.client.disconnected, b"the manhole closes")
