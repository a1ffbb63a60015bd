"""
Tests for L{txlb.admin.login._users}.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import argon2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.conch.error import ValidPublicKey
from twisted.conch.ssh.common import MP, NS
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import SSHPrivateKey, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.admin.fakes import collectLog, lines, quickChecks, quickHash
from txlb.admin import AdminUser
from txlb.admin.login import Login, LoginRefused, Users
from txlb.admin.login._authorized import KeyFiles
from txlb.admin.login._keychecker import KeyChecker
from txlb.admin.login._passwordchecker import PasswordChecker
from txlb.admin.login._passwords import PasswordChecks
from txlb.admin.login._users import loginOf
from txlb.errors import DuplicateName

ANNA = AdminUser("anna", quickHash("secret"))
RITA = AdminUser("rita", quickHash("secret"), access="readonly")
OLGA = AdminUser("olga", "..xpoEyRReGzk")
PLAIN = AdminUser("plain", "secret")
NINA = AdminUser("nina")
MARA = AdminUser("mara", quickHash("secret"))


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
    def login(self, name: bytes, password: bytes) -> Deferred[Login]:
        checker = PasswordChecker(Users([ANNA, RITA, OLGA, PLAIN, NINA]), quickChecks())
        verifyObject(ICredentialsChecker, checker)
        return maybeDeferred(checker.requestAvatarId, UsernamePassword(name, password))

    def test_letIn(self) -> None:
        self.assertEqual(self.successResultOf(self.login(b"anna", b"secret")), loginOf(ANNA))

    def test_refused(self) -> None:
        for name, password, reason in (
            (b"anna", b"wrong", "the password is wrong"),
            (b"anna", b"", "the password is wrong"),
            (b"nobody", b"secret", "no such user"),
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
            return succeed(False)

        checker = PasswordChecker(Users([ANNA, RITA, OLGA, NINA]), PasswordChecks(run))
        for name in (b"anna", b"nobody", b"rita", b"olga", b"nina"):
            self.failureResultOf(checker.requestAvatarId(UsernamePassword(name, b"x")))
        self.assertEqual(len(checked), 5)

    def test_changedMeanwhile(self) -> None:
        """
        A user who was removed, or has another password or less access since the check of the
        password began, does not get in.
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
        failure = self.failureResultOf(checker.requestAvatarId(credentials), LoginRefused)
        self.assertIn("1 passwords are being checked", failure.getErrorMessage())


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
        self.assertEqual(self.successResultOf(letIn).name, "anna")
        letIn = self.checker.requestAvatarId(self.credentials(b"rita"))
        self.assertEqual(self.successResultOf(letIn), Login("rita", "user", (), "readonly"))

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

    def test_refused(self) -> None:
        self.assertIn("no such user", self.refused(self.credentials(b"nobody")))
        self.assertIn("no authorizedKeys", self.refused(self.credentials(b"nina")))

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
        self.assertEqual(self.successResultOf(self.checker.requestAvatarId(good)).name, "anna")
        weak = self.credentials(key=key, algorithm=b"ssh-rsa")
        self.assertIn("ssh-rsa are not accepted", self.refused(weak))
        weak.algName = b"rsa-sha2-256"
        self.assertIn("signature is wrong", self.refused(weak))


class SecurityKeyTests(SynchronousTestCase):
    """
    Keys of FIDO devices, which are software here.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.checker = KeyChecker(Users([AdminUser("anna", authorizedKeys=str(self.path))]))
        self.ed25519 = ed25519.Ed25519PrivateKey.generate()
        self.curve = ec.generate_private_key(ec.SECP256R1())
        point = self.curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.blobs = {
            b"sk-ssh-ed25519@openssh.com": NS(self.ed25519.public_key().public_bytes_raw()),
            b"sk-ecdsa-sha2-nistp256@openssh.com": NS(b"nistp256") + NS(point),
        }
        for kind in self.blobs:
            self.blobs[kind] = NS(kind) + self.blobs[kind] + NS(b"ssh:")
        lines = [kind + b" " + b64encode(blob) for kind, blob in self.blobs.items()]
        self.path.write_bytes(b"\n".join(lines))
        self.path.chmod(0o600)

    def sign(self, kind: bytes, flags: int, application: bytes = b"ssh:") -> Deferred[Login]:
        """
        Log in with a signature that has these flags.
        """
        trailer = struct.pack(">BI", flags, 9)
        hashed = [sha256(each).digest() for each in (application, b"data")]
        signed = hashed[0] + trailer + hashed[1]
        if b"ed25519" in kind:
            signature = self.ed25519.sign(signed)
        else:
            r, s = decode_dss_signature(self.curve.sign(signed, ec.ECDSA(SHA256())))
            signature = MP(r) + MP(s)
        whole = NS(kind) + NS(signature) + trailer
        credentials = SSHPrivateKey(b"anna", kind, self.blobs[kind], b"data", whole)
        return maybeDeferred(self.checker.requestAvatarId, credentials)

    def test_touched(self) -> None:
        for kind in self.blobs:
            self.assertEqual(self.successResultOf(self.sign(kind, 1)).name, "anna")
            self.assertEqual(self.successResultOf(self.sign(kind, 5)).name, "anna")

    def test_notTouched(self) -> None:
        """
        Sshd refuses it, unless the line says C{no-touch-required}, and lines with options are left
        out here.
        """
        for kind in self.blobs:
            for flags in (0, 4):
                failure = self.failureResultOf(self.sign(kind, flags), LoginRefused)
                self.assertIn("was not touched", failure.getErrorMessage())

    def test_forSomethingElse(self) -> None:
        for kind in self.blobs:
            failure = self.failureResultOf(self.sign(kind, 1, b"web:"), LoginRefused)
            self.assertIn("the signature is wrong", failure.getErrorMessage())

    def test_asIfItWereNone(self) -> None:
        """
        A security key can't sign as another kind of key would.
        """
        blob = self.blobs[b"sk-ssh-ed25519@openssh.com"]
        signature = NS(b"ssh-ed25519") + NS(self.ed25519.sign(b"data"))
        credentials = SSHPrivateKey(b"anna", b"ssh-ed25519", blob, b"data", signature)
        error = self.assertRaises(LoginRefused, self.checker.requestAvatarId, credentials)
        self.assertIn("not of the kind of the key", str(error))


class TimeTests(SynchronousTestCase):
    """
    From how long the answer to a key takes nobody can tell who exists: the same is looked at.
    """

    def setUp(self) -> None:
        self.looks: list[str] = []
        self.found = False

        def holds(_files: KeyFiles, path: str, _blob: bytes) -> bool:
            self.looks.append(path)
            return self.found

        self.patch(KeyFiles, "holds", holds)
        self.users = Users(
            [
                AdminUser("anna", authorizedKeys="/a"),
                AdminUser("rita", authorizedKeys="/r", access="readonly"),
                NINA,
            ]
        )
        self.checker = KeyChecker(self.users)

    def offer(self, name: bytes) -> str:
        credentials = SSHPrivateKey(name, b"ssh-ed25519", b"blob", None, None)
        return str(self.assertRaises(LoginRefused, self.checker.requestAvatarId, credentials))

    def test_oneLookEach(self) -> None:
        for name, reason in (
            (b"anna", "the key is not in authorizedKeys"),
            (b"rita", "the key is not in authorizedKeys"),
            (b"nina", "no authorizedKeys"),
            (b"nobody", "no such user"),
            (b"\xff", "no such user"),
        ):
            self.looks.clear()
            self.assertIn(reason, self.offer(name))
            self.assertEqual(len(self.looks), 1, name)

    def test_sameEachTime(self) -> None:
        """
        Always the same file for one name, which differs from name to name.
        """
        for _ in range(5):
            self.offer(b"nobody")
        self.assertEqual(len(set(self.looks)), 1)
        for number in range(50):
            self.offer(b"nobody%d" % number)
        self.assertEqual(set(self.looks), {"/a", "/r"})

    def test_aKeyThatIsThere(self) -> None:
        """
        What stands in another one's file lets nobody in.
        """
        self.found = True
        for name in (b"nina", b"nobody"):
            self.offer(name)

    def test_nobodyHasKeys(self) -> None:
        self.users.replace([ANNA])
        self.assertIn("no authorizedKeys", self.offer(b"anna"))
        self.assertIn("no such user", self.offer(b"nobody"))
        self.assertEqual(self.looks, [])
