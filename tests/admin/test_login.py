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
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.admin.client import PEER, AbortableTransport, Auth, ClientTransport, Link, Wire
from tests.admin.fakes import collectLog, lines, quickChecks, quickHash
from tests.sleeping import SleepingClock
from txlb.admin import AdminUser, _factory, _startups
from txlb.admin._ciphers import CIPHERS, MACS
from txlb.admin._factory import BEGINNING, BEGINNING_SECONDS, REFUSAL_INTERVAL
from txlb.admin._login import LOGIN_TIMEOUT, MAX_TRIES
from txlb.admin._newcomer import LOGINS, MAX_EARLY_MESSAGES
from txlb.admin._order import MAX_MEANWHILE, MSG_KEX_INIT
from txlb.admin._packets import MAX_PACKET_BEFORE_LOGIN, Packets
from txlb.admin._startups import EARLY_OF_ONE, MOST_OF_ONE, SILENCE
from txlb.admin._transport import (
    CLOSE_TIMEOUT,
    GOODBYE_TIMEOUT,
    ManholeTransport,
)
from txlb.admin.login import ILoginSource, Login, LoginRefused, Logins, SourceUnavailable, Users
from txlb.admin.login._order import REFUSAL_TIME
from txlb.admin.login._passwords import PasswordChecks
from txlb.admin.login._signatures import SIGNATURE_ALGORITHMS
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


class SessionsTests(LoginTestCase):
    """
    The register of sessions, and the end of those whose access is taken away.
    """

    def test_registered(self) -> None:
        link = self.connect()
        link.login()
        (session,) = self.wire.logins.sessions
        self.assertEqual((session.door, session.login.name), ("ssh", "anna"))
        self.assertEqual(session.address, "192.0.2.1:4321")
        self.pass_(3)
        self.assertEqual(session.idle, 3)
        link.open()
        self.assertEqual(session.idle, 0)
        link.lose()
        self.assertEqual(list(self.wire.logins.sessions), [])

    def test_takenAway(self) -> None:
        link = self.connect()
        link.login()
        channel = link.open()
        link.request(channel, b"shell")
        self.wire.logins.setUsers([AdminUser("anna", access="operator")])
        link.pump()
        self.assertIn(b"the access of this user was taken away", channel.errors)
        self.assertTrue(channel.over)
        self.pass_(GOODBYE_TIMEOUT)
        link.pump()
        self.assertTrue(link.serverEnd.disconnecting)
        self.assertEqual(list(self.wire.logins.sessions), [])

    def test_nothingIsDecided(self) -> None:
        """
        A person whose login could not be decided is told so, as a banner.
        """

        @implementer(ILoginSource)
        class Dead:
            label = "ldap"
            asksNext = False
            recheck = 0.0
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: object) -> Deferred[Any]:
                raise SourceUnavailable("no server answers")

            def again(self, login: object) -> Deferred[Any]:
                raise SourceUnavailable("no server answers")

            def close(self) -> None:
                """
                There is nothing to close.
                """

        self.wire.logins._order.sources = (Dead(),)
        link = self.connect()
        auth = link.auth()
        banners: list[bytes] = []
        auth.ssh_USERAUTH_BANNER = banners.append  # type: ignore[attr-defined]
        auth.protocolMessages = {**auth.protocolMessages, 53: "MSG_USERAUTH_BANNER"}
        auth.request(b"password", PASSWORD)
        link.pump()
        self.pass_(2)
        link.pump()
        self.assertEqual(auth.failures, 1)
        self.assertIn(b"a login server does not answer", banners[0])
        self.assertIn("ldap: no server answers", self.tell()[-1])


class InteractionTests(LoginTestCase):
    """
    Questions to the person, for which a source asks.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(Logins, "asks", True)

        @implementer(ILoginSource)
        class Asking:
            label = "radius"
            asksNext = False
            recheck = 0.0
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
                if credentials.password != b"secret" or credentials.ask is None:
                    raise LoginRefused("no")
                return credentials.ask("Code: ", True).addCallback(self._decide)  # type: ignore[no-any-return]

            def _decide(self, code: bytes) -> Login:
                if code != b"246":
                    raise LoginRefused("the code is wrong")
                return Login("anna", "user", (), "full")

            def again(self, login: object) -> Deferred[Any]:
                raise SourceUnavailable("it is not asked")

            def close(self) -> None:
                """
                There is nothing to close.
                """

        self.wire.logins._order.sources = (Asking(),)

    def begin(self, *answers: bytes) -> tuple[Link, list[tuple[bytes, bool]]]:
        link, waiting, asked = self.connect(), list(answers), []
        auth = link.auth()

        def answer(_name: bytes, _text: bytes, prompts: list[tuple[bytes, bool]]) -> Any:
            asked.extend(prompts)
            return succeed([waiting.pop(0).decode()]) if waiting else Deferred()

        self.patch(auth, "getGenericAnswers", answer)
        auth.request(b"keyboard-interactive", NS(b"") + NS(b""))
        link.pump()
        return link, asked

    def test_secondFactor(self) -> None:
        link, asked = self.begin(b"secret", b"246")
        self.assertEqual(asked, [(b"Password: ", False), (b"Code: ", True)])
        assert link.server.user is not None
        self.assertEqual(link.server.user.name, "anna")
        link.open()

    def test_wrong(self) -> None:
        for answers, reason in (((b"secret", b"1"), "code is wrong"), ((b"x",), "radius: no")):
            link, _ = self.begin(*answers)
            self.pass_(2)
            link.pump()
            self.assertIsNone(link.server.user)
            self.assertIn(reason, self.tell()[-1])

    def test_noAnswer(self) -> None:
        """
        A client that does not answer is not one about which something is being decided, and
        leaves nothing behind if it goes.
        """
        for answers in ((), (b"secret",)):
            link, _ = self.begin(*answers)
            self.assertFalse(link.server.deciding)
            link.lose()
            self.pass_(2)
            self.assertEqual(self.wire.logins._order.deciding, 0)

    def test_senseless(self) -> None:
        for packet in (b"", b"\0\0\0\2" + NS(b"a") + NS(b"b"), b"\0\0\0\1" + NS(b"x" * 2000)):
            link, _ = self.begin()
            link.client.sendPacket(61, packet)
            link.pump()
            self.assertIn("makes no sense", self.tell()[-1])
            # There is no question any more.
            link.client.sendPacket(61, packet)
            link.pump()
            self.assertEqual(link.client.unimplemented, 1)
            link.lose()

    def test_onlyIfASourceAsks(self) -> None:
        self.patch(Logins, "asks", False)
        link, asked = self.begin(b"secret")
        self.assertEqual(asked, [])
        self.assertIn("unsupported authentication", self.tell()[-1])
        self.assertIsNone(link.server.user)


class NegotiationTests(LoginTestCase):
    def test_modernOnly(self) -> None:
        """
        What ssh-audit has nothing to say against, beside key exchanges for clients
        that have none against quantum computers: no curve of NIST's, nothing that is
        authenticated after it is decrypted.
        """
        for name in ManholeTransport.supportedCiphers:
            self.assertRegex(name, rb"^aes(128|192|256)-(gcm@openssh\.com|ctr)$")
        for name in ManholeTransport.supportedMACs:
            self.assertRegex(name, rb"^hmac-sha2-(256|512)-etm@openssh\.com$")
        self.assertEqual(ManholeTransport.supportedCompressions, [b"none"])
        self.assertIn(b"curve25519-sha256", ManholeTransport.supportedKeyExchanges)
        for name in ManholeTransport.supportedKeyExchanges:
            self.assertIn(b"25519", name)
        link = self.connect()
        self.assertEqual(link.server.supportedPublicKeys, [b"ssh-ed25519"])
        self.assertTrue(link.client.secure)

    def test_oldOnesAreRefused(self) -> None:
        for offered, old in (
            ("supportedCiphers", [b"aes128-cbc", b"3des-cbc"]),
            ("supportedMACs", [b"hmac-sha1", b"hmac-md5"]),
            ("supportedMACs", [b"hmac-sha2-256", b"hmac-sha2-512"]),
            ("supportedKeyExchanges", [b"diffie-hellman-group14-sha1"]),
            ("supportedKeyExchanges", [b"ecdh-sha2-nistp521", b"ecdh-sha2-nistp256"]),
            ("supportedPublicKeys", [b"ssh-rsa", b"ssh-dss"]),
        ):
            with self.subTest(offered):
                self.patch(ClientTransport, offered, old)
                link = self.connect()
                self.assertFalse(link.client.secure)
                self.assertTrue(link.serverEnd.disconnecting)
                link.lose()

    def test_everyCipher(self) -> None:
        """
        Each of them carries a login.
        """
        for cipher in CIPHERS:
            for mac in MACS:
                with self.subTest(cipher=cipher, mac=mac):
                    self.patch(ClientTransport, "supportedCiphers", [cipher])
                    self.patch(ClientTransport, "supportedMACs", [mac])
                    link = self.connect()
                    link.login()
                    self.assertIsNotNone(link.server.user)
                    link.lose()

    def test_signatureAlgorithms(self) -> None:
        """
        The client learns which keys of its users it can offer.
        """
        link = self.connect()
        self.assertEqual(
            link.client.peerExtensions, {b"server-sig-algs": b",".join(SIGNATURE_ALGORITHMS)}
        )


class GivingWayTests(LoginTestCase):
    def test_untilItIsIn(self) -> None:
        """
        Relayed connections go on between all parts of a login, the key exchange included. A
        command of a user that is in is not interrupted.
        """
        given: list[int] = []
        self.wire.logins.giveWayBy(lambda: given.append(1))
        link = self.connect()
        exchanged = len(given)
        self.assertGreater(exchanged, 8)
        link.login(password=b"wrong")
        self.wire.clock.advance(REFUSAL_TIME)
        self.assertGreater(len(given), exchanged + 5)
        link.auth().request(b"password", b"\0" + NS(b"secret"))
        link.pump()
        self.assertIsNotNone(link.server.user)
        given.clear()
        link.open()
        link.pump()
        self.assertEqual(given, [])


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

    def test_beginningAgain(self) -> None:
        """
        A client may ask for the service before each try, as paramiko does, and gets no more
        tries by that.
        """
        link = self.connect()
        for number in range(MAX_TRIES):
            self.assertIsNone(link.client.disconnected)
            link.auth().request(b"password", WRONG if number else b"\0" + NS(b"x"))
            link.pump()
            self.pass_(1)
            link.pump()
        self.assertEqual(link.client.disconnected, b"too many bad auths")

    def test_beginningAgainAndThenTheRightOne(self) -> None:
        link = self.connect()
        link.auth().request(b"password", WRONG)
        link.pump()
        self.pass_(1)
        link.login()
        self.assertIsNotNone(link.server.user)

    def test_afterTheLoginThereIsNoOther(self) -> None:
        link = self.connect()
        link.login()
        link.auth()
        self.assertEqual(link.client.disconnected, b"no such service now")

    def test_changingIt(self) -> None:
        """
        A client may say that it wants a new password: RFC 4252, section 8.
        """
        link = self.connect()
        link.auth().request(b"password", b"\1" + NS(b"secret") + NS(b"new"))
        link.pump()
        self.assertIn("passwords can't be changed here", self.tell()[0])
        self.assertIsNone(link.server.user)

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
    def peer(self, number: int) -> IPv4Address:
        return IPv4Address("TCP", f"192.0.2.{number}", 4321)

    def connectFrom(self, number: int) -> Link | None:
        return self.wire.connect(self.peer(number))

    def test_bound(self) -> None:
        """
        Of those that come at once from one address some are refused from 16 on, and all from
        32 on; others still come in.
        """
        links = [self.connectFrom(1) for _ in range(80)]
        let = [link for link in links if link is not None]
        self.assertTrue(all(links[:EARLY_OF_ONE]))
        self.assertGreater(len(let), EARLY_OF_ONE)
        self.assertLessEqual(len(let), MOST_OF_ONE)
        self.assertEqual(self.wire.factory.refused, 80 - len(let))
        self.assertIn("192.0.2.1:4321: closed, as", self.tell()[0])
        other = self.connectFrom(2)
        assert other is not None
        other.login()
        self.assertIsNotNone(other.server.user)

    def test_saidOnceInAWhile(self) -> None:
        """
        The first one at once, and the others together, within ten seconds.
        """
        self.patch(_startups, "EARLY_OF_ONE", 1)
        self.patch(_startups, "MOST_OF_ONE", 1)
        link = self.connect()
        for _ in range(3):
            self.assertIsNone(self.wire.connect())
        (line,) = self.tell()
        self.assertIn("1 connections are waiting to log in already", line)
        self.assertIn("(1 such times, 1 so far)", line)
        self.wire.clock.advance(REFUSAL_INTERVAL)
        self.assertIn("(2 such times, 3 so far)", self.tell()[0])
        link.lose()
        self.connect()
        self.assertIsNone(self.wire.connect())
        self.assertEqual(self.tell(), [])
        self.wire.factory.shutDown()
        self.assertIn("(1 such times, 4 so far)", self.tell()[0])

    def test_silentOnesMakeRoom(self) -> None:
        """
        Connections that say nothing keep nobody out, not even from the same address.
        """
        silent = [self.wire.factory.buildProtocol(PEER) for _ in range(MOST_OF_ONE)]
        ends = []
        for each in silent:
            ends.append(AbortableTransport(peerAddress=PEER))
            each.makeConnection(ends[-1])
        self.pass_(SILENCE + BEGINNING_SECONDS * MOST_OF_ONE)
        self.assertEqual(len(self.wire.factory.startups), MOST_OF_ONE)
        for number in range(3):
            link = self.connect()
            link.login()
            self.assertIsNotNone(link.server.user)
            self.assertTrue(ends[number].disconnecting)
        self.assertFalse(ends[3].disconnecting)

    def test_onlyThoseThatHaveNotLoggedInCount(self) -> None:
        for number in range(MOST_OF_ONE + 2):
            link = self.connect()
            link.login()
            self.assertIsNotNone(link.server.user, number)
        self.assertEqual(len(self.wire.factory.startups), 0)

    def test_mostThatHaveLoggedIn(self) -> None:
        self.patch(_factory, "MAX_INSIDE", 1)
        first, second = self.connect(), self.connect()
        for link in (first, second):
            link.login()
        self.assertIsNone(second.server.user)
        self.pass_(1)
        self.assertIn("too many clients have logged in", self.tell()[-1])
        first.lose()
        self.connect().login()
        self.assertEqual(len(self.wire.factory.inside), 1)

    def test_beginning(self) -> None:
        """
        One address can begin only so often. The others wait, and nothing is said to them
        before it is their turn; logins that succeed don't count.
        """
        for _ in range(2 * BEGINNING):
            link = self.connect()
            link.login()
            link.lose()
        self.pass_(BEGINNING * BEGINNING_SECONDS)
        servers = [self.wire.factory.buildProtocol(PEER) for _ in range(BEGINNING + 1)]
        ends = [AbortableTransport(peerAddress=PEER) for _ in servers]
        for server, end in zip(servers, ends, strict=True):
            server.makeConnection(end)
        late, end = servers[-1], ends[-1]
        late.dataReceived(b"SSH-2.0-early\r\n")
        self.wire.clock.advance(BEGINNING_SECONDS / 2)
        self.assertTrue(all(each.value() for each in ends[:-1]))
        self.assertEqual(end.value(), b"")
        self.assertFalse(late.newcomer.silent)
        elsewhere = self.connectFrom(9)
        assert elsewhere is not None
        self.assertTrue(elsewhere.client.secure)
        self.wire.clock.pump([BEGINNING_SECONDS / 2, LOGINS.pause, LOGINS.pause])
        self.assertTrue(end.value().startswith(b"SSH-2.0-"), end.value())
        self.assertTrue(late.gotVersion)

    def test_manyThatNeverBegin(self) -> None:
        """
        Those that go before it is their turn don't make others wait.
        """
        for _ in range(100):
            server = self.wire.factory.buildProtocol(PEER)
            server.makeConnection(AbortableTransport(peerAddress=PEER))
            server.connectionLost()
        link = self.connect()
        self.assertTrue(link.client.secure)

    def test_goneBeforeItsTurn(self) -> None:
        self.patch(_factory, "BEGINNING", 0)
        wire = Wire(self.users(), self.checks())
        for end in ("lost", "told"):
            server = wire.factory.buildProtocol(PEER)
            transport = AbortableTransport(peerAddress=PEER)
            server.makeConnection(transport)
            if end == "lost":
                server.connectionLost()
            else:
                server.makeRoom()
                self.assertTrue(transport.aborted)
            wire.clock.pump([0.5] * 10)
            self.assertEqual(transport.value(), b"")
        self.assertFalse(wire.factory.work.pending)

    def test_peers(self) -> None:
        for peer, text in (
            (IPv6Address("TCP", "2001:db8::1", 22), "[2001:db8::1]:22"),
            (IPv6Address("TCP", "::ffff:192.0.2.7", 22), "192.0.2.7:22"),
            (UNIXAddress(b"/run/x"), "unix"),
        ):
            link = self.wire.connect(peer)
            assert link is not None
            self.assertEqual(link.server.peer, text)


class RulesTests(LoginTestCase):
    """
    Clients that break the protocol's.
    """

    def closed(self, link: Link, why: str = "") -> None:
        (line,) = self.tell()
        self.assertIn("closed, as its input can't be understood", line)
        self.assertIn(why, line)
        self.assertTrue(link.serverEnd.disconnecting or link.serverEnd.aborted)

    def begin(self) -> tuple[ManholeTransport, AbortableTransport]:
        """
        A connection without our client.
        """
        server = self.wire.factory.buildProtocol(PEER)
        end = AbortableTransport(peerAddress=PEER)
        server.makeConnection(end)
        self.wire.clock.pump([LOGINS.pause] * 2)
        return server, end

    def say(self, server: ManholeTransport, data: bytes) -> None:
        server.dataReceived(data)
        while self.wire.factory.work.pending:
            self.wire.clock.advance(LOGINS.pause)

    def test_noSSH(self) -> None:
        link = self.connect()
        self.say(link.server, b"\xff" * 100)
        self.closed(link, "a packet of 4294967295 bytes")
        link.server.dataReceived(b"more of it")
        self.assertEqual(
            [e["log_level"] for e in self.events if e["log_level"] > LogLevel.warn], []
        )

    def test_firstLine(self) -> None:
        for line, why in (
            (b"GET / HTTP/1.0\r\n", "its first line is no ssh"),
            (b"SSH\r\n", "its first line is no ssh"),
            (b"x" * 255, "more than 255 bytes"),
        ):
            server, end = self.begin()
            self.say(server, line)
            self.assertTrue(end.disconnecting)
            self.assertIn(why, self.tell()[0])
        server, end = self.begin()
        self.say(server, b"SSH-1.5-old\r\n")
        self.assertTrue(end.disconnecting)
        self.assertIn(b"bad version 1.5", end.value())

    def test_lineInPieces(self) -> None:
        server, end = self.begin()
        self.say(server, b"SSH-2.0-")
        self.assertFalse(server.gotVersion)
        self.assertTrue(server.newcomer.silent)
        self.say(server, b"x\n")
        self.assertEqual(server.otherVersionString, b"SSH-2.0-x")
        self.assertFalse(end.disconnecting)

    def test_malformed(self) -> None:
        link = self.connect()
        link.auth()
        link.client.sendPacket(50, b"\0\0")
        link.pump()
        self.closed(link)

    def test_wrongTag(self) -> None:
        link = self.connect()
        sealed = bytearray(link.client.packets.seal(b"\2" + NS(b"")))
        sealed[-1] ^= 1
        self.say(link.server, bytes(sealed))
        self.closed(link, "wrong tag")

    def test_messagesOfAnExchangeOutOfOrder(self) -> None:
        """
        Nothing of an exchange of keys may come but in its order, and none before the login
        but the first: it takes half a millisecond.
        """
        for number in (
            transport.MSG_KEXINIT,
            MSG_KEX_INIT,
            transport.MSG_NEWKEYS,
            transport.MSG_KEX_DH_GEX_INIT,
            transport.MSG_KEX_DH_GEX_REQUEST,
        ):
            with self.subTest(number=number):
                link = self.connect()
                link.client.sendPacket(number, b"")
                link.client._keyExchangeState = link.client._KEY_EXCHANGE_NONE
                link.pump()
                self.closed(link, f"message {number} does not belong here")

    def test_keysBeforeAnyExchange(self) -> None:
        for number in (transport.MSG_NEWKEYS, MSG_KEX_INIT, 50, transport.MSG_SERVICE_REQUEST):
            with self.subTest(number=number):
                server, end = self.begin()
                self.say(server, b"SSH-2.0-x\r\n" + Packets().seal(bytes([number])))
                self.assertTrue(end.disconnecting)
                self.assertIn("does not belong here", self.tell()[0])

    def test_strictOrder(self) -> None:
        """
        OpenSSH's PROTOCOL, section 1.10: in a strict key exchange nothing may come before the
        client's first message of it, and nothing else during it. An attacker on the way could
        insert what changes the numbers of messages, and drop as many later (Terrapin).
        """
        client = ClientTransport()
        client.makeConnection(AbortableTransport())
        offer = client.ourKexInitPayload
        ignored = bytes([transport.MSG_IGNORE]) + NS(b"")
        for messages, why in (
            ([ignored, offer], "begins with the first message"),
            ([offer, ignored], "message 2 does not belong here"),
        ):
            server, end = self.begin()
            packets = Packets()
            self.say(server, b"SSH-2.0-x\r\n" + b"".join(map(packets.seal, messages)))
            self.assertTrue(end.disconnecting)
            self.assertIn(why, self.tell()[0])

    def test_notStrict(self) -> None:
        """
        A client that knows nothing of that gets in too, and may send a few messages that
        mean nothing (RFC 4253, section 11.2), but not as many as it likes.
        """
        self.patch(ClientTransport, "strict", False)
        link = self.connect()
        link.login()
        self.assertIsNotNone(link.server.user)
        self.tell()
        server, end = self.begin()
        ignored = [bytes([transport.MSG_IGNORE]) + NS(b"")] * (MAX_MEANWHILE + 1)
        packets = Packets()
        self.say(server, b"SSH-2.0-x\r\n" + b"".join(map(packets.seal, ignored[1:])))
        self.assertFalse(end.disconnecting)
        self.say(server, packets.seal(ignored[0]))
        self.assertTrue(end.disconnecting)

    def test_numbersBeginAgain(self) -> None:
        """
        In a strict one, with the new keys.
        """
        link = self.connect()
        self.assertEqual(link.server._packets.received, link.client.packets.sent)
        self.assertLess(link.server._packets.received, 2)

    def test_newKeysAfterTheLogin(self) -> None:
        link = self.connect()
        link.login()
        channel = link.open()
        before = link.server._packets.outgoing
        link.client.sendKexInit()
        link.pump()
        self.assertIsNot(link.server._packets.outgoing, before)
        link.request(channel, b"shell")
        link.type(channel, b"answer\n")
        self.assertEqual(channel.output, b"42\n")

    def test_tooMuch(self) -> None:
        """
        What a client may say before it has logged in has a bound.
        """
        link = self.connect()
        link.auth()
        for _ in range(MAX_EARLY_MESSAGES):
            link.client.sendIgnore(b"")
        link.pump()
        self.closed(link, "too much without logging in")
        link = self.connect()
        for _ in range(9):
            link.client.sendIgnore(b"x" * 30_000)
        link.pump()
        self.closed(link, "too much without logging in")

    def test_longPackets(self) -> None:
        """
        Before the login none is longer than RFC 4253 asks for; after it they may be.
        """
        link = self.connect()
        link.client.sendIgnore(b"x" * MAX_PACKET_BEFORE_LOGIN)
        link.pump()
        self.closed(link, "a packet of 35")
        link = self.connect()
        link.login()
        self.tell()
        link.client.sendIgnore(b"x" * MAX_PACKET_BEFORE_LOGIN)
        link.pump()
        self.assertFalse(link.serverEnd.disconnecting)

    def test_serviceBeforeEncryption(self) -> None:
        server, end = self.begin()
        self.say(server, b"SSH-2.0-x\r\n" + Packets().seal(b"\5" + NS(b"ssh-userauth")))
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


class TurnTests(LoginTestCase):
    """
    What comes before a login is worked on when it is its turn.
    """

    def test_notReadBeforeThat(self) -> None:
        link = self.connect()
        auth = link.auth()
        auth.request(b"none")
        auth.request(b"none")
        link.server.dataReceived(link.clientEnd.value())
        link.clientEnd.clear()
        self.assertEqual(link.serverEnd.producerState, "paused")
        self.assertEqual(link.serverEnd.value(), b"")
        self.assertFalse(link.server.newcomer.silent)
        link.pump()
        self.assertEqual(auth.failures, 2)
        self.assertEqual(link.serverEnd.producerState, "producing")
        self.assertTrue(link.server.newcomer.silent)

    def test_afterTheLoginAtOnce(self) -> None:
        link = self.connect()
        link.login()
        channel = link.open()
        link.request(channel, b"shell")
        channel.write(b"answer\n")
        link.server.dataReceived(link.clientEnd.value())
        link.clientEnd.clear()
        self.assertFalse(self.wire.factory.work.pending)
        self.assertNotEqual(link.serverEnd.value(), b"")

    def test_whatComesWithTheLogin(self) -> None:
        """
        A client may send what comes next without waiting for an answer.
        """
        link = self.connect()
        auth = link.auth()
        auth.request(b"password", PASSWORD)
        link.client.sendIgnore(b"")
        link.client.sendPacket(99, b"")
        link.pump()
        self.assertIsNotNone(link.server.user)
        self.assertFalse(self.wire.factory.work.pending)

    def test_aLoginCostsNothing(self) -> None:
        """
        What it has cost is given back, so that those who may log in often can.
        """
        spent = iter(range(10**6))
        self.wire = Wire(self.users(), self.checks(), spent=lambda: next(spent) / 10_000)
        for _ in range(5):
            link = self.connect()
            link.login()
            self.assertIsNotNone(link.server.user)
            link.lose()
        self.assertGreater(self.wire.factory.work._left, 0.045)


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

    def test_notReadForTwoReasons(self) -> None:
        """
        It is read again when both are over.
        """
        link = self.connect()
        producer = link.serverEnd.producer
        assert producer is not None
        link.auth().request(b"none")
        link.server.dataReceived(link.clientEnd.value())
        link.clientEnd.clear()
        producer.pauseProducing()
        link.pump()
        self.assertEqual(link.serverEnd.producerState, "paused")
        producer.resumeProducing()
        self.assertEqual(link.serverEnd.producerState, "producing")


class ShutDownTests(LoginTestCase):
    def test_nobodyThere(self) -> None:
        self.assertIsNone(self.successResultOf(self.wire.factory.shutDown()))
        self.assertIsNone(self.wire.connect())

    def test_itIsNotItsTurnYet(self) -> None:
        """
        What was put off is not done any more.
        """
        link = self.connect()
        link.auth().request(b"none")
        link.server.dataReceived(link.clientEnd.value())
        link.clientEnd.clear()
        self.wire.factory.shutDown()
        self.assertFalse(self.wire.factory.work.pending)
        link.pump()
        self.assertEqual(link.client.disconnected, b"the manhole closes")

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
