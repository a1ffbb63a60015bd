"""
Logins that FreeRADIUS decides.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.admin.fakes import collectLog, lines
from tests.admin.targets import FakeBalancer
from tests.hostile import HOSTILE_NAMES, actingCharacters
from tests.integration.support._ports import freePorts
from tests.integration.support._radius import FREERADIUS, SECRET, RADIUSServer
from txlb.admin import AccessMap, RADIUSSource, webService
from txlb.admin.login import Login, LoginRefused, Logins, PasswordTry, SourceUnavailable, _order

MAPS = (
    AccessMap("operator", value="ops"),
    AccessMap("readonly", value="lookers"),
    AccessMap("full", value="admins"),
    AccessMap("full", value="shell:priv-lvl=15"),
)


class Between(DatagramProtocol):
    """
    A host between client and server that forwards datagrams, and changes answers.

    @ivar change: given an answer of the server, makes the datagrams that the client gets.
    """

    transport: Any

    def __init__(self, server: int, change: Any) -> None:
        self.server = ("127.0.0.1", server)
        self.change = change
        self.client: Any = None

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if addr != self.server:
            self.client = addr
            self.transport.write(datagram, self.server)
            return
        for each in self.change(datagram):
            self.transport.write(each, self.client)


def _post(url: str, body: dict[str, str]) -> tuple[int, Any]:
    """
    Send a JSON body, and return the status and the value that is answered.
    """
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@skipUnless(FREERADIUS, "needs FreeRADIUS")
class RADIUSTestCase(TestCase):
    timeout = 240

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="radius"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.secret = self.file("secret", SECRET)
        # What a refusal takes is not looked at here.
        self.patch(_order, "REFUSAL_TIME", 0.01)
        self.logins = Logins()
        self.logins.start(reactor)
        self.addCleanup(self.logins.stop)

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return str(path)

    def server(self, **settings: Any) -> RADIUSServer:
        made = RADIUSServer(self.folder / f"server{len(list(self.folder.iterdir()))}", **settings)
        self.addCleanup(made.stop)
        return made

    def use(self, *servers: object, **settings: Any) -> None:
        given: dict[str, Any] = {
            "servers": tuple(
                f"127.0.0.1:{each}" if isinstance(each, int) else each for each in servers
            ),
            "secretFile": self.secret,
            "maps": MAPS,
            "timeout": 30.0,
            **settings,
        }
        self.logins.setSources([RADIUSSource(**given)])

    def login(self, name: str, password: str | None = None, ask: Any = None) -> Deferred[Login]:
        self.logins.tries.unlock()
        given = f"{name}-password" if password is None else password
        return self.logins.login(PasswordTry(name.encode(), given.encode(), ask=ask))

    async def refusal(self, *arguments: Any, **more: Any) -> str:
        try:
            login = await self.login(*arguments, **more)
        except LoginRefused as error:
            self.assertNotIsInstance(error, SourceUnavailable)
            return str(error)
        raise AssertionError(f"{login} is in")

    async def fault(self, name: str = "anna") -> str:
        try:
            login = await self.login(name)
        except SourceUnavailable as error:
            self.assertNotIn("password", str(error))
            return str(error)
        raise AssertionError(f"{login} is in")

    def between(self, server: RADIUSServer, change: Any) -> int:
        port: Any = reactor.listenUDP(0, Between(server.port, change), interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number


class LoginTests(RADIUSTestCase):
    async def test_attributes(self) -> None:
        """
        The access is what an attribute of the Access-Accept says.
        """
        server = self.server()
        self.use(server.port)
        login = await self.login("anna")
        self.assertEqual((login.name, login.source, login.access), ("anna", "radius", "operator"))
        self.assertEqual((login.groups, login.lasts), (("ops",), 43_200))
        login = await self.login("rita")
        self.assertEqual((login.access, login.lasts), ("readonly", 60))
        self.assertIn("tells no Filter-Id that has access", await self.refusal("nina"))
        self.use(server.port, attribute="Class")
        self.assertEqual((await self.login("anna")).access, "operator")
        self.use(server.port, attribute="9/1")
        self.assertEqual((await self.login("anna")).access, "full")

    async def test_refused(self) -> None:
        """
        An Access-Reject may have the attributes too, and is none the less one. It comes late.
        """
        server = self.server(delay=1)
        self.use(server.port)
        for name in ("anna", "nobody"):
            self.assertIn("the server refuses: go away", await self.refusal(name, "wrong"))
        self.assertIn("empty", await self.refusal("anna", ""))
        self.assertIn("too long", await self.refusal("anna", "x" * 129))
        await self.refusal("anna", "x" * 128)

    async def test_addresses(self) -> None:
        server = self.server()
        self.use(f"localhost:{server.port}")
        self.assertEqual((await self.login("anna")).access, "operator")
        if server.sixPort is not None:
            self.use(f"[::1]:{server.sixPort}")
            self.assertEqual((await self.login("anna")).access, "operator")

    async def test_challenge(self) -> None:
        """
        A second factor is asked for. The attributes of the question tell no access.
        """
        server = self.server()
        self.use(server.port)
        asked: list[tuple[str, bool]] = []

        def answer(text: bytes) -> Any:
            def ask(question: str, echo: bool) -> Deferred[bytes]:
                asked.append((question, echo))
                return succeed(text)

            return ask

        login = await self.login("otto", ask=answer(b"246810"))
        self.assertEqual(login.access, "operator")
        await self.login("olga", ask=answer(b"246810"))
        self.assertEqual(asked, [("Code of the token", False), ("Code of the token", True)])
        self.assertIn("refuses", await self.refusal("otto", ask=answer(b"1")))
        self.assertIn("empty", await self.refusal("otto", ask=answer(b"")))
        self.assertIn("can't be asked for here", await self.refusal("otto"))
        self.assertIn("refuses", await self.refusal("otto", "wrong", ask=answer(b"246810")))

    async def test_consoleAsks(self) -> None:
        """
        The web console passes the question on, and takes the answer with the next request.
        """
        server = self.server()
        self.use(server.port)
        balancer: Any = FakeBalancer()
        service = webService(balancer, "127.0.0.1:0", logins=self.logins, reactor=reactor)
        service.startService()
        self.addCleanup(service.stopService)
        [address] = service.addresses
        url = f"http://{address}/api/v1/login"

        async def post(**body: str) -> tuple[int, Any]:
            answer: tuple[int, Any] = await deferToThread(_post, url, body)
            return answer

        async def ask() -> str:
            status, told = await post(user="otto", password="otto-password")
            self.assertEqual((status, told["challenge"]), (401, "Code of the token"))
            return str(told["continuation"])

        status, told = await post(continuation=await ask(), answer="1")
        self.assertEqual((status, told["detail"]), (401, "the answer is wrong; log in again"))
        status, told = await post(continuation=await ask(), answer="246810")
        self.assertEqual((status, told["user"], told["access"]), (200, "otto", "operator"))
        status, told = await post(user="otto", password="wrong")
        self.assertEqual((status, "challenge" in told), (401, False))

    async def test_hostileNames(self) -> None:
        events = collectLog(self)
        server = self.server()
        self.use(server.port)
        trying = [
            self.logins.login(PasswordTry(name, password, f"{name!r}{password!r}"[:50]))
            for name in HOSTILE_NAMES
            for password in (b"anna-password", b"x")
        ]
        for each in trying:
            with self.assertRaises(LoginRefused) as caught:
                await each
            self.assertEqual(actingCharacters([str(caught.exception)]), [])
        self.assertEqual(actingCharacters(lines(events)), [])

    async def test_manyAtOnce(self) -> None:
        server = self.server()
        self.use(server.port)
        trying = [
            self.logins.login(PasswordTry(b"anna", b"anna-password", f"192.0.2.{number}"))
            for number in range(20)
        ]
        self.assertEqual({each.access for each in await gatherResults(trying)}, {"operator"})


class TroubleTests(RADIUSTestCase):
    async def test_unsigned(self) -> None:
        """
        An answer without a Message-Authenticator is not believed, and the log says what to set
        at the server. A server that signs its answers is asked next.
        """
        old, server = self.server(signed=False), self.server()
        self.use(old.port, timeout=1.0, retries=0)
        fault = await self.fault()
        for _ in range(30):
            # The server may be slow to answer.
            if "CVE-2024-3596" in fault:
                break
            fault = await self.fault()
        self.assertIn("CVE-2024-3596", fault)
        self.assertIn("Message-Authenticator := 0x00", fault)
        self.use(old.port, server.port, timeout=1.0, retries=0)
        self.assertEqual((await self.login("anna")).access, "operator")

    async def test_dead(self) -> None:
        server = self.server()
        (free,) = freePorts(1)
        self.use(free)
        self.assertIn("nothing listens there", await self.fault())
        self.use(free, server.port)
        self.assertEqual((await self.login("anna")).access, "operator")
        self.use("nowhere.invalid:1812")
        self.assertIn("can't be looked up", await self.fault())

    async def test_wrongSecret(self) -> None:
        """
        A server that knows another secret is silent.
        """
        server = self.server()
        self.use(server.port, secretFile=self.file("other", "other"), timeout=0.2, retries=1)
        self.assertIn("no answer", await self.fault())

    async def test_lostAndRepeated(self) -> None:
        """
        Lost answers are asked for again; duplicates and late ones do no harm.
        """
        server = self.server()
        lost: list[bytes] = []

        def lose(answer: bytes) -> list[bytes]:
            lost.append(answer)
            return [] if len(lost) < 3 else [answer, answer, lost[0]]

        self.use(self.between(server, lose), timeout=0.2, retries=10)
        self.assertEqual((await self.login("anna")).access, "operator")
        self.assertEqual((await self.login("rita")).access, "readonly")

    async def test_forged(self) -> None:
        """
        Answers that are not the server's are ignored; the right one behind them counts.
        """
        server = self.server()

        def forge(answer: bytes) -> list[bytes]:
            accept = bytes((2,)) + answer[1:]
            wrong = [accept[:length] for length in (0, 1, 19, 20, 25, len(accept) - 1)]
            wrong += [accept, bytes((2, answer[1] ^ 1)) + answer[2:], accept + b"\0" * 5000]
            wrong += [answer[:4] + bytes(16) + answer[20:], b"\xff" * 4096]
            return [*wrong, answer]

        self.use(self.between(server, forge))
        self.assertEqual((await self.login("anna")).access, "operator")
        self.assertIn("refuses", await self.refusal("anna", "wrong"))
        self.use(self.between(server, lambda answer: forge(answer)[:-1]), timeout=0.2, retries=1)
        # The server refuses this one, so that none of these is the answer.
        with self.assertRaises(SourceUnavailable):
            await self.login("anna", "wrong")

    async def test_flooded(self) -> None:
        """
        A host that sends answers without end gets nothing of it.
        """
        server = self.server()
        self.use(self.between(server, lambda _: [b"x" * 100] * 500))
        self.assertIn("forged answers", await self.fault())
