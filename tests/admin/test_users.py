"""
Tests for L{txlb.admin._users}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import argon2
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from twisted.conch.error import ValidPublicKey
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import SSHPrivateKey, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from tests.admin.fakes import collectLog, lines, quickChecks, quickHash
from txlb.admin import AdminUser
from txlb.admin._passwords import PasswordChecks
from txlb.admin._users import KeyChecker, LoginRefused, PasswordChecker, Realm, Users
from txlb.errors import DuplicateName

ANNA = AdminUser("anna", quickHash("secret"))
RITA = AdminUser("rita", quickHash("secret"), access="readonly")
OLGA = AdminUser("olga", "..xpoEyRReGzk")
PLAIN = AdminUser("plain", "secret")
NINA = AdminUser("nina")


class UsersTests(SynchronousTestCase):
    def test_names(self) -> None:
        users = Users([ANNA, AdminUser("zoë")])
        self.assertEqual(users.named(b"anna"), ANNA)
        self.assertEqual(users.named("zoë".encode()).name, "zoë")
        for name in (b"Anna", b"", b"\xff"):
            self.assertRaises(LoginRefused, users.named, name)

    def test_twice(self) -> None:
        error = self.assertRaises(DuplicateName, Users, [ANNA, AdminUser("anna")])
        self.assertIn("'anna'", str(error))

    def test_replace(self) -> None:
        """
        Others may log in from now on; where they are wrong the old ones stay.
        """
        users = Users([ANNA])
        self.assertRaises(DuplicateName, users.replace, [RITA, RITA])
        self.assertEqual(list(users), [ANNA])
        users.replace([RITA])
        self.assertRaises(LoginRefused, users.named, b"anna")
        self.assertEqual(users.named(b"rita"), RITA)

    def test_warnings(self) -> None:
        keys = AdminUser("kim", authorizedKeys="/etc/keys")
        old, plain, nothing = Users([ANNA, RITA, keys, OLGA, PLAIN, NINA]).warnings()
        self.assertIn("'olga'", old)
        self.assertIn("crypt(3)", old)
        self.assertIn("txlb passwd", old)
        self.assertIn("'plain'", plain)
        self.assertIn("no argon2id", plain)
        self.assertIn("'nina'", nothing)
        self.assertNotIn("secret", old + plain + nothing)

    def test_costliestHash(self) -> None:
        self.assertEqual(Users([OLGA, NINA, ANNA]).costliestHash(), ANNA.password)
        slow = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("x")
        users = Users([ANNA, AdminUser("slow", slow), RITA])
        self.assertEqual(users.costliestHash(), slow)
        self.assertIsNone(Users([OLGA, NINA]).costliestHash())


class PasswordCheckerTests(SynchronousTestCase):
    def login(self, name: bytes, password: bytes) -> Deferred[bytes | tuple[()]]:
        checker = PasswordChecker(Users([ANNA, RITA, OLGA, PLAIN, NINA]), quickChecks())
        verifyObject(ICredentialsChecker, checker)
        return maybeDeferred(checker.requestAvatarId, UsernamePassword(name, password))

    def test_letIn(self) -> None:
        self.assertEqual(self.successResultOf(self.login(b"anna", b"secret")), b"anna")

    def test_refused(self) -> None:
        for name, password, reason in (
            (b"anna", b"wrong", "the password is wrong"),
            (b"anna", b"", "the password is wrong"),
            (b"nobody", b"secret", "no such user"),
            (b"rita", b"secret", "readonly"),
            (b"rita", b"wrong", "the password is wrong"),
            (b"olga", b"secret", "no argon2id hash"),
            (b"plain", b"secret", "no argon2id hash"),
            (b"nina", b"", "no password"),
        ):
            failure = self.failureResultOf(self.login(name, password), UnauthorizedLogin)
            self.assertIn(reason, failure.getErrorMessage())

    def test_everybodyCostsACheck(self) -> None:
        checked: list[Callable[[], bool]] = []

        def run(check: Callable[[], bool]) -> Deferred[bool]:
            checked.append(check)
            return Deferred()

        checker = PasswordChecker(Users([ANNA, RITA, OLGA, NINA]), PasswordChecks(run))
        for name in (b"anna", b"nobody", b"rita", b"olga", b"nina"):
            self.assertNoResult(checker.requestAvatarId(UsernamePassword(name, b"x")))
        self.assertEqual(len(checked), 5)

    def test_changedMeanwhile(self) -> None:
        """
        Who was removed, or has got another password or less access while the
        password was being checked, does not get in.
        """
        for after in ([], [AdminUser("anna", quickHash("other"))], [RITA]):
            users = Users([ANNA])
            checking: Deferred[bool] = Deferred()
            checker = PasswordChecker(users, PasswordChecks(lambda _, it=checking: it))  # type: ignore[misc]
            login = maybeDeferred(checker.requestAvatarId, UsernamePassword(b"anna", b"secret"))
            users.replace(after)
            checking.callback(True)
            self.failureResultOf(login, LoginRefused)

    def test_tooMany(self) -> None:
        checks = PasswordChecks(lambda _: Deferred(), maxWaiting=1)
        checker = PasswordChecker(Users([ANNA]), checks)
        credentials = UsernamePassword(b"anna", b"secret")
        self.assertNoResult(checker.requestAvatarId(credentials))
        error = self.assertRaises(LoginRefused, checker.requestAvatarId, credentials)
        self.assertIn("1 passwords are being checked", str(error))


class KeyCheckerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.key = Key(ed25519.Ed25519PrivateKey.generate())
        self.put(self.key.public().toString("OPENSSH"))
        path = str(self.path)
        self.users = Users(
            [
                AdminUser("anna", authorizedKeys=path),
                AdminUser("rita", authorizedKeys=path, access="readonly"),
                AdminUser("nina", quickHash("x")),
            ]
        )
        self.checker = KeyChecker(self.users)
        verifyObject(ICredentialsChecker, self.checker)

    def put(self, *publicKeys: bytes) -> None:
        self.path.write_bytes(b"\n".join(publicKeys))
        self.path.chmod(0o600)

    def credentials(
        self, name: bytes = b"anna", key: Key | None = None, algorithm: bytes = b"ssh-ed25519"
    ) -> SSHPrivateKey:
        key = key or self.key
        signature = key.sign(b"data", signatureType=algorithm)
        return SSHPrivateKey(name, algorithm, key.public().blob(), b"data", signature)

    def refused(self, credentials: SSHPrivateKey) -> str:
        error = self.assertRaises(LoginRefused, self.checker.requestAvatarId, credentials)
        return str(error)

    def test_letIn(self) -> None:
        letIn = self.checker.requestAvatarId(self.credentials())
        self.assertEqual(self.successResultOf(letIn), b"anna")

    def test_offered(self) -> None:
        """
        Without a signature a key is only told that it would do, and only one
        that would.
        """
        offer = SSHPrivateKey(b"anna", b"ssh-ed25519", self.key.public().blob(), None, None)
        self.assertRaises(ValidPublicKey, self.checker.requestAvatarId, offer)
        stranger = Key(ed25519.Ed25519PrivateKey.generate()).public().blob()
        self.assertIn(
            "not in authorizedKeys",
            self.refused(SSHPrivateKey(b"anna", b"ssh-ed25519", stranger, None, None)),
        )
        offer = SSHPrivateKey(b"rita", b"ssh-ed25519", self.key.public().blob(), None, None)
        self.assertIn("readonly", self.refused(offer))

    def test_refused(self) -> None:
        self.assertIn("no such user", self.refused(self.credentials(b"nobody")))
        self.assertIn("no authorizedKeys", self.refused(self.credentials(b"nina")))
        self.assertIn("readonly", self.refused(self.credentials(b"rita")))

    def test_wrongSignature(self) -> None:
        credentials = self.credentials()
        credentials.sigData = b"other data"
        self.assertIn("signature is wrong", self.refused(credentials))
        for signature in (b"\0", b"nonsense", NS(b"ssh-ed25519"), NS(b"ssh-ed25519") + NS(b"x")):
            credentials.signature = signature
            self.assertIn("signature is wrong", self.refused(credentials))

    def test_fileIsReadEachTime(self) -> None:
        self.successResultOf(self.checker.requestAvatarId(self.credentials()))
        self.put(b"")
        self.assertIn("not in authorizedKeys", self.refused(self.credentials()))
        self.path.unlink()
        self.assertIn("No such file", self.refused(self.credentials()))

    def test_linesThatAreLeftOutAreLogged(self) -> None:
        events = collectLog(self)
        self.put(b"nonsense", self.key.public().toString("OPENSSH"))
        self.successResultOf(self.checker.requestAvatarId(self.credentials()))
        (line,) = lines(events)
        self.assertIn(f"{self.path}:1: ", line)

    def test_rsa(self) -> None:
        """
        With SHA-2, but not with SHA-1, not even where it is said to be SHA-2.
        """
        key = Key(rsa.generate_private_key(65537, 2048))
        self.put(key.public().toString("OPENSSH"))
        good = self.credentials(key=key, algorithm=b"rsa-sha2-256")
        self.assertEqual(self.successResultOf(self.checker.requestAvatarId(good)), b"anna")
        weak = self.credentials(key=key, algorithm=b"ssh-rsa")
        self.assertIn("ssh-rsa are not accepted", self.refused(weak))
        weak.algName = b"rsa-sha2-256"
        self.assertIn("signature is wrong", self.refused(weak))


class RealmTests(SynchronousTestCase):
    def test_users(self) -> None:
        realm = Realm(lambda name: f"avatar of {name}")
        verifyObject(IRealm, realm)
        interface, avatar, logout = realm.requestAvatar("zoë".encode(), None, IConchUser)
        self.assertIs(interface, IConchUser)
        self.assertEqual(avatar, "avatar of zoë")
        logout()

    def test_nothingElse(self) -> None:
        realm = Realm(lambda name: name)
        self.assertRaises(NotImplementedError, realm.requestAvatar, b"anna", None, Interface)
        self.assertRaises(NotImplementedError, realm.requestAvatar, (), None, IConchUser)
