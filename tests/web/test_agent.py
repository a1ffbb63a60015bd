"""
Tests for L{txlb.web._agent}, against servers in this process.
"""

from __future__ import annotations

import datetime as dt
from io import BytesIO
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from treq.client import HTTPClient
from twisted.internet import reactor as _reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import (
    BrowserLikePolicyForHTTPS,
    FileBodyProducer,
    ResponseFailed,
    ResponseNeverReceived,
    readBody,
)
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from tests.integration.support import freePorts
from txlb.errors import NoHostAvailable
from txlb.model import ProxyHost
from txlb.pool import DialLimits, HostPool, Outcome
from txlb.schedulers import roundr
from txlb.web import BalancedAgent

#: The module says IReactor and means all of these.
reactor: Any = _reactor


def certificateFor(name: str) -> PrivateCertificate:
    """
    A certificate that signs itself.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    loaded: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    return loaded


class Page(Resource):
    """
    Says who was asked for; or begins, and goes on when the test says so.

    @ivar held: the requests that have begun.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.held: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        """
        Answer a request.
        """
        self.asked += 1
        if request.path == b"/held":
            request.setHeader(b"content-length", b"8")
            request.write(b"half")
            self.held.append(request)
            return NOT_DONE_YET
        if request.path == b"/silent":
            self.held.append(request)
            return NOT_DONE_YET
        if request.path == b"/503":
            request.setResponseCode(503)
            return b"busy"
        if request.path == b"/broken":
            request.transport.abortConnection()  # type: ignore[union-attr] # it has one
            return NOT_DONE_YET
        return (request.getHeader(b"host") or b"") + b" " + (request.content or BytesIO()).read()


class Counting(Site):
    """
    A site that counts its connections.
    """

    connections = 0

    def buildProtocol(self, addr: Any) -> Any:
        """
        See L{Site.buildProtocol}.
        """
        self.connections += 1
        return super().buildProtocol(addr)


class HTTPClientTests(TestCase):
    """
    C{BalancedAgent}.
    """

    timeout = 60
    settings: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.page = Page()
        self.site = Counting(self.page)
        self.port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.address = f"127.0.0.1:{self.port.getHost().port}"

    def agent(self, *addresses: str, **more: Any) -> Any:
        """
        An agent over hosts, in turn.
        """
        hosts = [ProxyHost.at(f"host{number}", each) for number, each in enumerate(addresses)]
        pool = HostPool(roundr, hosts, **self.settings)
        limits = DialLimits(connectTimeout=20, dialTimeout=60)
        agent = BalancedAgent(pool, reactor, limits, **more)
        self.addCleanup(agent.close)
        return agent

    def refusing(self) -> str:
        """
        An address where nobody listens.
        """
        return f"127.0.0.1:{freePorts(1)[0]}"

    def counts(self, agent: Any) -> list[tuple[str, int, int, int]]:
        """
        Of each host its state, connections, failures, and leases now.
        """
        return [
            (host.stateWord, host.counters.connections, host.counters.failures, host.active)
            for host in agent.pool.hosts
        ]

    async def test_nextHost(self) -> None:
        """
        A request with a body goes to the second host as a whole, with the name that was
        asked for.
        """
        agent = self.agent(self.refusing(), self.address)
        body = FileBodyProducer(BytesIO(b"body"))
        response = await agent.request(b"POST", b"http://hello/", None, body)
        self.assertEqual(await readBody(response), b"hello body")
        self.assertEqual(self.counts(agent), [("down", 0, 1, 0), ("up", 1, 0, 0)])
        host = agent.pool.getHost("host1")
        self.assertEqual(host.counters.bytesOut, len(b"hello body"))

    async def test_gaveUp(self) -> None:
        """
        Where all refuse, it says so, and of the last host what it said.
        """
        agent = self.agent(self.refusing(), self.refusing())
        with self.assertRaises(NoHostAvailable) as raised:
            await agent.request(b"GET", b"http://hello/")
        self.assertIn(
            "no host could be reached: unreachable; the last failure: refused",
            str(raised.exception),
        )
        self.assertEqual(self.counts(agent), [("down", 0, 1, 0)] * 2)

    async def test_heldUntilRead(self) -> None:
        """
        The host is busy until the last byte of the body is here.
        """
        agent = self.agent(self.address)
        response = await agent.request(b"GET", b"http://hello/held")
        body = readBody(response)
        await deferLater(reactor, 0.05)
        self.assertNoResult(body)
        self.assertEqual(self.counts(agent), [("up", 1, 0, 1)])
        self.page.held[0].write(b"more")
        self.page.held[0].finish()
        self.assertEqual(await body, b"halfmore")
        self.assertEqual(self.counts(agent), [("up", 1, 0, 0)])

    async def test_readingIsCancelled(self) -> None:
        """
        A caller that cancels the reading of a body frees the host, and Twisted does not
        warn that it can't.
        """
        agent = self.agent(self.address)
        response = await agent.request(b"GET", b"http://hello/held")
        body = readBody(response)
        self.assertEqual(self.flushWarnings(), [])
        body.cancel()
        self.failureResultOf(body, ResponseFailed)
        self.assertEqual((agent.pool.active, response._lease.outcome), (0, Outcome.CLIENT_GONE))
        response = await agent.request(b"GET", b"http://hello/")
        self.assertEqual(await readBody(response), b"hello ")

    async def test_heldUntilLost(self) -> None:
        """
        The host is busy until the rest of the body is lost. That is not tried elsewhere.
        """
        agent = self.agent(self.address, self.address)
        response = await agent.request(b"GET", b"http://hello/held")
        lease = response._lease
        body = readBody(response)
        self.assertEqual(agent.pool.active, 1)
        self.page.held[0].transport.abortConnection()  # type: ignore[union-attr] # it has one
        with self.assertRaises(ResponseFailed):
            await body
        self.assertEqual((agent.pool.active, lease.outcome), (0, Outcome.HOST_RESET))
        self.assertEqual(self.page.asked, 1)

    async def test_noBody(self) -> None:
        """
        Where there is no body, the host is free without anybody asking for it; who asks
        gets nothing.
        """
        agent = self.agent(self.address)
        response = await agent.request(b"HEAD", b"http://hello/")
        self.assertEqual(self.counts(agent), [("up", 1, 0, 0)])
        self.assertEqual(await readBody(response), b"")

    async def test_kept(self) -> None:
        """
        Connections are kept for each host, and each request is a lease of its own.
        """
        agent = self.agent(self.address, self.address)
        other = Counting(self.page)
        port = reactor.listenTCP(0, other, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        agent = self.agent(self.address, f"127.0.0.1:{port.getHost().port}")
        for _ in range(6):
            await readBody(await agent.request(b"GET", b"http://hello/"))
        self.assertEqual(self.counts(agent), [("up", 3, 0, 0)] * 2)
        self.assertEqual((self.site.connections, other.connections), (1, 1))

    async def test_notKept(self) -> None:
        """
        Without that, each request has a connection.
        """
        agent = self.agent(self.address, persistent=False)
        for _ in range(3):
            await readBody(await agent.request(b"GET", b"http://hello/"))
        self.assertEqual(self.site.connections, 3)

    async def test_keptIsStale(self) -> None:
        """
        A host that is gone when a kept connection is used again: the next one is asked,
        as nothing was heard of the request and it may be sent twice.
        """
        single = Factory.forProtocol(OneAnswer)
        port = reactor.listenTCP(0, single, interface="127.0.0.1")
        agent = self.agent(f"127.0.0.1:{port.getHost().port}", self.address)
        await readBody(await agent.request(b"GET", b"http://hello/"))
        await readBody(await agent.request(b"GET", b"http://hello/"))
        await port.stopListening()
        self.assertEqual(await readBody(await agent.request(b"GET", b"http://hello/")), b"hello ")
        self.assertEqual(self.counts(agent), [("down", 1, 1, 0), ("up", 2, 0, 0)])

    async def test_brokenIsNotSentAgain(self) -> None:
        """
        A host that was reached and broke: who knows what it did.
        """
        agent = self.agent(self.address, self.address)
        with self.assertRaises(ResponseNeverReceived):
            await agent.request(b"POST", b"http://hello/broken")
        self.assertEqual(self.page.asked, 1)
        self.assertEqual(self.counts(agent), [("up", 1, 0, 0), ("unchecked", 0, 0, 0)])

    async def test_brokenIsRepeated(self) -> None:
        """
        A request that may be repeated goes to the next host, as with nginx's
        C{proxy_next_upstream error}; if there is none, the caller gets the error of the
        last host.
        """
        agent = self.agent(self.address, self.address)
        with self.assertRaises(ResponseNeverReceived):
            await agent.request(b"GET", b"http://hello/broken")
        self.assertEqual(self.page.asked, 2)
        self.assertEqual(self.counts(agent), [("up", 1, 0, 0)] * 2)
        other = reactor.listenTCP(0, Factory.forProtocol(NoAnswer), interface="127.0.0.1")
        self.addCleanup(other.stopListening)
        agent = self.agent(f"127.0.0.1:{other.getHost().port}", self.address)
        response = await agent.request(b"GET", b"http://hello/")
        self.assertEqual((response.host, await readBody(response)), ("host1", b"hello "))
        body = FileBodyProducer(BytesIO(b"body"))
        agent = self.agent(f"127.0.0.1:{other.getHost().port}", self.address)
        with self.assertRaises(ResponseNeverReceived):
            await agent.request(b"PUT", b"http://hello/", None, body)
        agent = self.agent(f"127.0.0.1:{other.getHost().port}", self.address, repeat=False)
        with self.assertRaises(ResponseNeverReceived):
            await agent.request(b"GET", b"http://hello/")

    async def test_failingStatuses(self) -> None:
        """
        A host whose answers are bad is out after C{answerFall} of them in a row, and the
        answers come to the caller. A good one between them counts as a new beginning.
        """
        self.patch(type(self), "settings", {"expectAnswer": True, "answerFall": 2})
        agent = self.agent(self.address, self.address, failing=range(500, 600))
        for path in (b"503", b"", b"503"):
            for _ in range(2):
                await readBody(await agent.request(b"GET", b"http://hello/" + path))
        self.assertEqual([host.stateWord for host in agent.pool.hosts], ["up", "up"])
        self.assertEqual([host.unanswered for host in agent.pool.hosts], [1, 1])
        for _ in range(4):
            response = await agent.request(b"GET", b"http://hello/503")
            self.assertEqual((response.code, await readBody(response)), (503, b"busy"))
        # One of two hosts stays in: clients may cause such answers.
        self.assertEqual(sorted(host.stateWord for host in agent.pool.hosts), ["down", "up"])

    async def test_failingWithoutExpectAnswer(self) -> None:
        """
        Statuses that could not put a host out are an error that says how they could.
        """
        with self.assertRaises(ValueError) as raised:
            self.agent(self.address, failing={500})
        self.assertIn("expectAnswer=True", str(raised.exception))

    async def test_removedByForce(self) -> None:
        """
        The body of a host that has to be left ends at once; the agent of a pool that is
        still used needs no other host for that.
        """
        agent = self.agent(self.address)
        response = await agent.request(b"GET", b"http://hello/held")
        body = readBody(response)
        host = agent.pool.removeHost("host0", force=True)
        with self.assertRaises(ResponseFailed):
            await body
        self.assertEqual((host.active, response._lease.outcome), (0, Outcome.REMOVED))

    async def test_treq(self) -> None:
        """
        It stands in for an C{Agent} in treq.
        """
        agent = self.agent(self.refusing(), self.address)
        client = HTTPClient(agent)
        response = await client.post("http://hello/", data=b"by treq")
        self.assertEqual(await response.text(), "hello by treq")
        response = await client.get("http://hello/", params={"a": "b"})
        self.assertEqual((response.code, await response.content()), (200, b"hello "))
        self.assertEqual(agent.pool.active, 0)

    async def test_cancelled(self) -> None:
        """
        Who waits no longer frees the host, and no other is asked.
        """
        agent = self.agent(self.address, self.address)
        asking = agent.request(b"GET", b"http://hello/silent")
        while not self.page.held:
            await deferLater(reactor, 0.01)
        self.assertEqual(agent.pool.active, 1)
        asking.cancel()
        with self.assertRaises(ResponseNeverReceived):
            await asking
        self.assertEqual((agent.pool.active, self.page.asked), (0, 1))

    async def test_cancelledWhileConnecting(self) -> None:
        """
        That is no failure of the host's.
        """
        agent = self.agent(self.address, self.address)
        asking = agent.request(b"GET", b"http://hello/")
        self.assertEqual(agent.pool.active, 1)
        asking.cancel()
        with self.assertRaises(Exception) as raised:
            await asking
        self.assertNotIsInstance(raised.exception, NoHostAvailable)
        self.assertEqual(self.counts(agent), [("unchecked", 0, 0, 0)] * 2)

    async def test_wrongURI(self) -> None:
        """
        What Twisted can't ask for leaves nothing behind.
        """
        agent = self.agent(self.address)
        with self.assertRaises(ValueError):
            await agent.request(b"GET", b"http://hello/ /")
        self.assertEqual(self.counts(agent), [("unchecked", 0, 0, 0)])

    async def test_secure(self) -> None:
        """
        The certificate has to be for the name that was asked for.
        """
        mine = certificateFor("hello.example")
        port = reactor.listenSSL(0, self.site, mine.options(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        root = trustRootFromCertificates([Certificate(mine.original)])
        agent = self.agent(
            self.refusing(),
            f"127.0.0.1:{port.getHost().port}",
            policy=BrowserLikePolicyForHTTPS(root),
        )
        response = await agent.request(b"GET", b"https://hello.example/")
        self.assertEqual(await readBody(response), b"hello.example ")
        with self.assertRaises(ResponseNeverReceived):
            await agent.request(b"GET", b"https://other.example/")
        self.assertEqual(agent.pool.active, 0)


class NoAnswer(Protocol):
    """
    Closes the connection at the first request.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Close.
        """
        assert self.transport is not None
        self.transport.loseConnection()


class OneAnswer(Protocol):
    """
    Answers once, says that it keeps the connection, and closes it at the next request.
    """

    answered = False

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol.dataReceived}.
        """
        assert self.transport is not None
        if self.answered:
            self.transport.loseConnection()
        else:
            self.answered = True
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
