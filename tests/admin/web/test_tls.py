"""
Tests for L{txlb.admin.web._tls}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.admin.web.asking import TOKENS, ClientTransport, ConsoleCase, parsed
from tests.certificates import Authority, newKey, put
from txlb.admin.web._channel import RECEIVE
from txlb.admin.web._tls import ConsoleTLSFactory
from txlb.model import ListenTLS
from txlb.tls import TLSStore

#: A request of a program.
REQUEST = (
    b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nConnection: close\r\n"
    b"Authorization: Bearer " + TOKENS["full"].encode() + b"\r\n\r\n"
)


class TLSClient:
    """
    A client of the console that speaks TLS.

    @param name: the name of the server that it asks for.
    """

    def __init__(self, case: ConsoleTLSTests, name: str = "a.example") -> None:
        self._case = case
        self.server = ClientTransport(case.address, case.address)
        self.layer = case.factory.buildProtocol(case.address)
        self.layer.makeConnection(self.server)
        self.tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        self.tls.set_tlsext_host_name(name.encode())
        self.tls.set_connect_state()

    def said(self) -> bytes:
        """
        Take the bytes that the client's TLS has for the console.
        """
        try:
            return self.tls.bio_read(65_536)
        except SSL.WantReadError:
            return b""

    def pass_(self) -> None:
        """
        Pass bytes both ways, and let the console work.
        """
        data = self.said()
        if data:
            self.layer.dataReceived(data)
        self._case.turn(3)
        answer = self.server.value()
        self.server.clear()
        if answer:
            self.tls.bio_write(answer)

    def shake(self, times: int = 4) -> bool:
        """
        Go on with the handshake.

        @return: whether it is done.
        @raise SSL.Error: the console refuses the client.
        """
        for _ in range(times):
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                self.pass_()
            else:
                self.pass_()
                return True
        return False

    def ask(self) -> bytes:
        """
        Make a request.
        """
        self.tls.send(REQUEST)
        return self.answer()

    def answer(self) -> bytes:
        """
        Take what the console answers.
        """
        self.pass_()
        self._case.turn()
        self.pass_()
        data = b""
        try:
            while True:
                data += self.tls.recv(65_536)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            return data


class ConsoleTLSTests(ConsoleCase):
    def setUp(self) -> None:
        super().setUp()
        self.address = StringTransport().getPeer()
        self.folder = os.path.abspath(self.mktemp())
        self.authority = Authority()
        for name in ("a.example", "b.example"):
            put(self.folder, f"{name}.pem", *self.authority.certify([name]))
        self.serve(ListenTLS(self.folder))

    def serve(self, settings: ListenTLS) -> None:
        self.store = TLSStore()
        self.addCleanup(self.store.slowSteps.close)
        self.store.keep(settings)
        self.factory = ConsoleTLSFactory(
            self.store, settings, self.site, self.clock, self.console.deadlines
        )

    def shown(self, name: str) -> Any:
        """
        Return the name of the certificate that a client gets.
        """
        client = TLSClient(self, name)
        self.assertTrue(client.shake())
        found = client.tls.get_peer_certificate()
        return None if found is None else found.get_subject().CN

    def test_names(self) -> None:
        """
        The name that a client asks for chooses the certificate.
        """
        self.assertEqual(self.shown("a.example"), "a.example")
        self.assertEqual(self.shown("b.example"), "b.example")
        self.assertEqual(self.shown("c.example"), "a.example")

    def test_unknownName(self) -> None:
        self.serve(ListenTLS(self.folder, unknownName="refuse"))
        client = TLSClient(self, "c.example")
        self.assertRaises(SSL.Error, client.shake)
        self.assertTrue(client.server.gone)
        self.assertEqual(len(self.site.clients), 0)

    def test_noCertificate(self) -> None:
        """
        If the certificates are gone, and their files too, the client is refused.
        """
        self.store.letGo(ListenTLS(self.folder))
        self.store.retain(())
        for each in os.listdir(self.folder):
            os.remove(os.path.join(self.folder, each))
        client = TLSClient(self)
        client.shake(1)
        self.assertTrue(client.server.gone)

    def test_request(self) -> None:
        """
        A request over TLS is answered, and counts as one by TLS.
        """
        client = TLSClient(self)
        self.assertTrue(client.shake())
        (channel,) = self.site.clients
        self.assertTrue(channel.isSecure())
        self.assertEqual(parsed(client.ask()).status, 200)
        self.assertTrue(client.server.gone)
        client.layer.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.site.clients), 0)

    def test_withHandshake(self) -> None:
        """
        A request that comes with the end of the handshake is answered.
        """
        client = TLSClient(self)
        self.assertRaises(SSL.WantReadError, client.tls.do_handshake)
        client.pass_()
        client.tls.do_handshake()
        self.assertEqual(parsed(client.ask()).status, 200)

    def test_broken(self) -> None:
        """
        A fault of the console costs the client its connection.
        """
        client = TLSClient(self)
        self.assertRaises(SSL.WantReadError, client.tls.do_handshake)
        client.pass_()
        client.tls.do_handshake()
        client.tls.send(REQUEST)
        (channel,) = self.site.clients

        def broken(_: bytes) -> None:
            raise ValueError("broken")

        self.patch(channel, "dataReceived", broken)
        client.pass_()
        self.assertTrue(client.server.gone)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_pieces(self) -> None:
        """
        A ClientHello may come in pieces, and no TLS side is made before it is whole.
        """
        client = TLSClient(self)
        self.assertRaises(SSL.WantReadError, client.tls.do_handshake)
        hello = client.said()
        for each in (hello[:7], hello[7:90], hello[90:]):
            self.assertEqual(client.server.value(), b"")
            client.layer.dataReceived(each)
            self.turn(3)
        self.assertNotEqual(client.server.value(), b"")

    def test_plainHTTP(self) -> None:
        client = TLSClient(self)
        client.layer.dataReceived(REQUEST)
        self.turn(3)
        self.assertIn(b"This port speaks HTTPS", client.server.value())
        self.assertTrue(client.server.gone)

    def test_silent(self) -> None:
        """
        The handshake is within the time of the first request.
        """
        client = TLSClient(self)
        self.turn(9, RECEIVE / 10)
        self.assertFalse(client.server.gone)
        self.turn(2, RECEIVE / 10)
        self.assertTrue(client.server.gone)

    def test_lostInHandshake(self) -> None:
        client = TLSClient(self)
        client.shake(1)
        self.assertEqual(len(self.site.clients), 1)
        client.layer.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.site.clients), 0)
        # The memory of TLS is free at once.
        self.assertIsNone(client.layer._tls)

    def test_closed(self) -> None:
        """
        A client that says that it sends no more is closed, and so is one that ends without that.
        """
        for polite in (True, False):
            client = TLSClient(self)
            self.assertTrue(client.shake())
            if polite:
                client.tls.shutdown()
                client.pass_()
            client.layer.readConnectionLost()
            self.assertTrue(client.server.gone)
            client.layer.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(len(self.site.clients), 0)

    def test_dropped(self) -> None:
        """
        The console drops a client during its handshake.
        """
        client = TLSClient(self)
        client.shake(1)
        self.site._drop(next(iter(self.site.clients)))
        self.assertTrue(client.server.gone)

    def test_notTaken(self) -> None:
        self.site._ending = True
        self.assertIsNone(self.factory.buildProtocol(self.address))

    def test_slowKey(self) -> None:
        """
        A handshake with a key of RSA with 4096 bits is done in a thread: the reactor does none of
        its steps.
        """
        folder = os.path.abspath(self.mktemp())
        put(folder, "slow.pem", *self.authority.certify(["a.example"], newKey("rsa4096")))
        self.serve(ListenTLS(folder))
        steps: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

        def run(_: object, step: Callable[[], Any], done: Callable[[Any], None]) -> None:
            steps.append((step, done))

        self.factory._inThread = partial(run, self.clock)
        client = TLSClient(self)
        done = False
        for _ in range(10):
            done = done or client.shake(1)
            if steps:
                self.assertEqual(client.server.value(), b"")
                ((step, then),) = steps
                steps.clear()
                then(step())
                self.turn(3)
        self.assertTrue(done)
        self.assertEqual(parsed(client.ask()).status, 200)

    def test_kept(self) -> None:
        """
        The store follows the files of a console as long as that needs them.
        """
        settings = ListenTLS(self.folder)
        store = TLSStore()
        store.keep(settings)
        store.retain(())
        self.assertEqual(len(store.listeners), 1)
        store.letGo(settings)
        store.retain(())
        self.assertEqual(store.listeners, [])
