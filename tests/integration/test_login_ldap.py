"""
Logins that OpenLDAP's server decides.
"""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any
from unittest import skipUnless

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key
from twisted.cred.credentials import SSHPrivateKey
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.admin.fakes import collectLog, lines
from tests.certificates import Authority
from tests.hostile import HOSTILE_NAMES, actingCharacters
from tests.integration.support._directory import (
    BASE,
    OPEN,
    SERVICE,
    SERVICE_PASSWORD,
    SLAPD,
    Directory,
    userDN,
)
from tests.integration.support._ports import freePorts
from txlb.admin import AccessMap, LDAPSource
from txlb.admin.login import Login, LoginRefused, Logins, PasswordTry, SourceUnavailable, _order

OPS = AccessMap("operator", group=f"CN=ops, ou=groups,{BASE}")
LOOKERS = AccessMap("readonly", group="Lookers")


class SilentServer:
    """
    A server that accepts connections, sends what it is told to send, and closes none.

    @ivar received: what has come.
    """

    def __init__(self, answer: bytes = b"", closes: bool = False) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.received = b""
        self._answer = answer
        self._closes = closes
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
                self.received += client.recv(65536)
                client.sendall(self._answer)
            except OSError:
                return
            if self._closes:
                client.close()
            else:
                self._open.append(client)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(60)
        for client in self._open:
            client.close()


@skipUnless(SLAPD and shutil.which("ldapmodify"), "needs OpenLDAP's server and tools")
class DirectoryTestCase(TestCase):
    timeout = 240

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ldap"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.authority = Authority()
        self.ca = self.file("ca.pem", self.authority.pem)
        self.secret = self.file("secret", SERVICE_PASSWORD.encode() + b"\n")
        # What a refusal takes is not looked at here.
        self.patch(_order, "REFUSAL_TIME", 0.01)
        self.logins = Logins()
        self.logins.start(reactor)
        self.addCleanup(self.logins.stop)

    def file(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o600)
        return str(path)

    def directory(self, names: tuple[str, ...] = ("127.0.0.1",), **settings: Any) -> Directory:
        certificate = settings.pop("certificate", None) or self.authority.certify(names)
        made = Directory(
            self.folder / f"slapd{len(list(self.folder.iterdir()))}", certificate, **settings
        )
        self.addCleanup(made.stop)
        return made

    def use(self, *urls: str, **settings: Any) -> None:
        given: dict[str, Any] = {
            "url": urls,
            "maps": (OPS, LOOKERS),
            "ca": self.ca,
            "bindDN": SERVICE,
            "bindPasswordFile": self.secret,
            "searchBase": BASE,
            "startTLS": urls[0].startswith("ldap:"),
            "timeout": 30.0,
            **settings,
        }
        if given.get("bindPattern"):
            given["searchBase"] = None
        self.logins.setSources([LDAPSource(**given)])

    async def login(self, name: str, password: str | None = None) -> Login:
        given = f"{name}-password" if password is None else password
        return await self.logins.login(PasswordTry(name.encode(), given.encode()))

    async def refusal(self, name: str, password: str | None = None) -> str:
        """
        Return why a login is refused.
        """
        self.logins.tries.unlock()
        try:
            login = await self.login(name, password)
        except LoginRefused as error:
            self.assertNotIsInstance(error, SourceUnavailable)
            return str(error)
        raise AssertionError(f"{login} is in")

    async def fault(self, name: str = "anna", password: str | None = None) -> str:
        """
        Return why nothing is decided about a login.
        """
        try:
            login = await self.login(name, password)
        except SourceUnavailable as error:
            return str(error)
        raise AssertionError(f"{login} is in")


class LoginTests(DirectoryTestCase):
    async def test_search(self) -> None:
        """
        By LDAPS and by StartTLS, with the groups of memberOf.
        """
        directory = self.directory()
        for url in (f"ldaps://127.0.0.1:{directory.tlsPort}", f"ldap://127.0.0.1:{directory.port}"):
            self.use(url)
            login = await self.login("anna")
            self.assertEqual((login.name, login.source, login.access), ("anna", "ldap", "operator"))
            self.assertEqual(login.groups, (f"cn=ops,ou=groups,{BASE}",))
            self.assertEqual((await self.login("rita")).access, "readonly")
            self.assertIn("the password is wrong", await self.refusal("anna", "wrong"))
            self.assertIn("no such user", await self.refusal("nobody"))
            self.assertIn("no group that has access", await self.refusal("nina"))
            self.assertIn("more than one", await self.refusal("twin"))
        # Names are those of the directory.
        self.assertEqual((await self.login("ANNA", "anna-password")).name, "anna")

    async def test_groupSearch(self) -> None:
        directory = self.directory()
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}", groupBase=f"ou=groups,{BASE}")
        self.assertEqual((await self.login("otto")).groups, (f"cn=ops,ou=groups,{BASE}",))
        self.assertIn("no group", await self.refusal("nina"))

    async def test_pattern(self) -> None:
        directory = self.directory()
        pattern = f"cn={{user}},ou=people,{BASE}"
        url = f"ldaps://127.0.0.1:{directory.tlsPort}"
        self.use(url, bindPattern=pattern, bindDN=None, bindPasswordFile=None)
        login = await self.login("anna")
        self.assertEqual((login.access, login.lasts), ("operator", 300.0))
        self.assertIn("the password is wrong", await self.refusal("anna", "wrong"))
        self.assertIn("the password is wrong", await self.refusal("nobody,dc=x"))
        self.use(url, bindPattern=pattern, groupBase=f"ou=groups,{BASE}")
        self.assertEqual((await self.login("otto")).access, "operator")

    async def test_manyGroups(self) -> None:
        """
        500 groups are taken, by either way. More than the server tells are no login.
        """
        directory = self.directory(groups=500, limits="sizelimit 400\n")
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}")
        self.assertEqual(len((await self.login("anna")).groups), 501)
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}", groupBase=f"ou=groups,{BASE}")
        self.assertIn("more groups than it tells", await self.refusal("anna"))
        self.assertEqual((await self.login("otto")).access, "operator")

    async def test_emptyPassword(self) -> None:
        """
        The server would say yes. It is not asked.
        """
        directory = self.directory(more="allow bind_anon_dn\n", access=OPEN)
        url = f"ldaps://127.0.0.1:{directory.tlsPort}"
        self.use(url)
        self.assertIn("the password is empty", await self.refusal("anna", ""))
        self.assertIn("the password is empty", await self.refusal("anna", "\0"))
        self.use(url, bindPattern=f"cn={{user}},ou=people,{BASE}")
        self.assertIn("the password is empty", await self.refusal("anna", ""))
        self.use(url, bindDN=None, bindPasswordFile=None)
        self.assertEqual((await self.login("anna")).access, "operator")
        self.assertIn("the password is empty", await self.refusal("anna", ""))

    async def test_hostileNames(self) -> None:
        events = collectLog(self)
        directory = self.directory(access=OPEN)
        urls = f"ldaps://127.0.0.1:{directory.tlsPort}"
        for settings in ({}, {"bindPattern": f"cn={{user}},ou=people,{BASE}"}):
            self.use(urls, **settings)
            trying = [
                self.logins.login(PasswordTry(each, password, f"{each!r}{password!r}"[:50]))
                for each in HOSTILE_NAMES
                for password in (b"anna-password", b"x")
            ]
            for each in trying:
                with self.assertRaises(LoginRefused) as caught:
                    await each
                self.assertEqual(actingCharacters([str(caught.exception)]), [])
        self.assertEqual(actingCharacters(lines(events)), [])

    async def test_keys(self) -> None:
        key = Key(Ed25519PrivateKey.generate())
        line = key.public().toString("OPENSSH").decode()
        directory = self.directory(keys=line)
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}", keyAttribute="sshPublicKey")

        def signed(name: bytes, signer: Key) -> SSHPrivateKey:
            signature = signer.sign(b"data")
            return SSHPrivateKey(name, b"ssh-ed25519", signer.public().blob(), b"data", signature)

        login = await self.logins.login(signed(b"anna", key))
        self.assertEqual((login.name, login.access), ("anna", "operator"))
        other = Key(Ed25519PrivateKey.generate())
        for name, signer in ((b"anna", other), (b"otto", key), (b"*", key), (b"nobody", key)):
            with self.assertRaises(LoginRefused):
                await self.logins.login(signed(name, signer))

    async def test_sessionsEnd(self) -> None:
        """
        A user that is taken out of the group, or removed, is not in for long.
        """
        directory = self.directory()
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}", recheck=1.0)
        ended: list[str] = []
        for name in ("anna", "otto", "rita"):
            self.logins.sessions.open(await self.login(name), "web", "x", ended.append)
        directory.modify(f"dn: {userDN('anna')}\nchangetype: delete\n")
        directory.modify(
            f"dn: cn=ops,ou=groups,{BASE}\nchangetype: modify\nreplace: member\n"
            f"member: {userDN('rita')}\n"
        )
        await self.until(lambda: len(ended) == 2)
        self.assertEqual(ended, ["the access of this user was taken away"] * 2)
        (left,) = self.logins.sessions
        self.assertEqual(left.login.name, "rita")

    async def until(self, condition: Any) -> None:
        for _ in range(600):
            if condition():
                return
            await deferLater(reactor, 0.1)
        raise AssertionError("it does not come")


class TroubleTests(DirectoryTestCase):
    async def test_certificates(self) -> None:
        """
        No password goes to a server whose certificate is for another name, is over, or is of
        another authority.
        """
        other = Authority("Other")
        for certificate, words in (
            (self.authority.certify(["localhost.example"]), "another name"),
            (self.authority.certify(["127.0.0.1"], days=-0.5), "has expired"),
            (other.certify(["127.0.0.1"]), "not trusted"),
        ):
            directory = self.directory(certificate=certificate, more="loglevel stats\n")
            for url in (
                f"ldaps://127.0.0.1:{directory.tlsPort}",
                f"ldap://127.0.0.1:{directory.port}",
            ):
                self.use(url)
                self.assertIn(words, await self.fault())
            directory.stop()

    async def test_noTLS(self) -> None:
        directory = self.directory()
        plain = Directory(self.folder / "plain", None)
        self.addCleanup(plain.stop)
        self.use(f"ldap://127.0.0.1:{plain.port}")
        self.assertIn("does not begin TLS", await self.fault())
        self.use(f"ldap://127.0.0.1:{plain.port}", f"ldap://127.0.0.1:{directory.port}")
        self.assertEqual((await self.login("anna")).access, "operator")

    async def test_noServers(self) -> None:
        """
        Servers that are dead, silent, of another protocol, or that send what can't be, decide
        nothing, and the next one is asked.
        """
        directory = self.directory()
        (free,) = freePorts(1)
        silent, web = SilentServer(), SilentServer(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        huge = SilentServer(b"\x30\x84\x7f\xff\xff\xff")
        wrong = SilentServer(b"\x30\x0c\x02\x01\x01\x99\x07\x0a\x01\x00\x04\x00\x04\x00")
        gone = SilentServer(closes=True)
        servers = (silent, web, huge, wrong, gone)
        for each in servers:
            self.addCleanup(each.close)
        for port, words in (
            (free, "refused"),
            (silent.port, "no answer within 1 s"),
            (web.port, "does not speak LDAP"),
            (huge.port, "longer than"),
            (wrong.port, "unknown tag"),
            (gone.port, "the connection was lost"),
        ):
            self.use(f"ldap://127.0.0.1:{port}", timeout=1.0 if port == silent.port else 30.0)
            self.assertIn(words, await self.fault())
        urls = [f"ldap://127.0.0.1:{each}" for each in (free, web.port, gone.port, directory.port)]
        self.use(*urls)
        self.assertEqual((await self.login("anna")).access, "operator")
        for each in servers:
            self.assertNotIn(b"password", each.received)
            self.assertNotIn(SERVICE_PASSWORD.encode(), each.received)

    async def test_diesAndComesBack(self) -> None:
        """
        A connection that is kept may be dead; then there is another one. Once a login was
        answered the next one finds a server that is back.
        """
        self.patch(_order, "REFUSAL_TIME", 1.0)
        directory = self.directory()
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}")
        await self.login("anna")
        directory.stop(signal.SIGKILL)
        self.assertIn("can't be reached", await self.fault())
        directory.start()
        self.assertEqual((await self.login("anna")).access, "operator")
        assert directory.program is not None
        directory.program.process.send_signal(signal.SIGSTOP)
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}", timeout=1.0)
        self.assertIn("no answer within", await self.fault())
        directory.program.process.send_signal(signal.SIGCONT)

    async def test_serviceAccount(self) -> None:
        directory = self.directory()
        wrong = self.file("wrong", b"not-the-password\n")
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}", bindPasswordFile=wrong)
        fault = await self.fault()
        self.assertIn(f"the server refuses {SERVICE}", fault)
        self.assertNotIn("not-the-password", fault)

    async def test_manyAtOnce(self) -> None:
        """
        Logins wait for one of few connections, in turn.
        """
        directory = self.directory()
        self.use(f"ldaps://127.0.0.1:{directory.tlsPort}")
        logins = [
            self.logins.login(PasswordTry(b"anna", b"anna-password", f"192.0.2.{number}"))
            for number in range(50)
        ]
        found = await gatherResults(logins)
        self.assertEqual({each.access for each in found}, {"operator"})
