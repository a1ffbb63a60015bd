"""
The choice of the context for a client, by its ClientHello.
"""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, put
from tests.tls.handshaking import clientOf
from txlb.model import ListenTLS
from txlb.proxy._serverhello import ServerHello
from txlb.proxy._tlstransport import HandshakeRefused
from txlb.tls import ServerContexts, readCertificates


def helloFor(name: str | None) -> bytes:
    client = clientOf(name)
    try:
        client.do_handshake()
    except Exception:  # noqa: BLE001 - it wants an answer
        return client.bio_read(65536)
    raise AssertionError("no answer was needed")


class ServerHelloTests(SynchronousTestCase):
    """
    L{ServerHello}.
    """

    def setUp(self) -> None:
        folder = self.mktemp()
        put(folder, "a.pem", *Authority().certify(["a.example"]))
        found = readCertificates([folder]).certificates
        settings = ListenTLS(folder, unknownName="refuse")
        self.hello = ServerHello(ServerContexts(settings, found, time.time()))

    def refused(self, data: bytes) -> HandshakeRefused:
        refused: HandshakeRefused = self.assertRaises(HandshakeRefused, self.hello.feed, data)
        return refused

    def test_byteByByte(self) -> None:
        data = helloFor("A.example")
        for at in range(len(data) - 1):
            self.assertIsNone(self.hello.feed(data[at : at + 1]))
        chosen = self.hello.feed(data[-1:])
        assert chosen is not None
        self.assertIs(self.hello.chosen, chosen)
        self.assertEqual(self.hello.data, data)

    def test_unknownName(self) -> None:
        """
        The alert is C{unrecognized_name}.
        """
        refused = self.refused(helloFor("b.example"))
        self.assertEqual(str(refused), "there is no certificate for b.example")
        self.assertEqual(refused.alert, b"\x15\x03\x01\x00\x02\x02\x70")

    def test_plainHTTP(self) -> None:
        refused = self.refused(b"GET / HTTP/1.1\r\n")
        self.assertTrue(refused.alert.startswith(b"HTTP/1.0 400 "))
        self.assertEqual(str(refused), "it speaks no TLS")

    def test_garbage(self) -> None:
        self.assertEqual(self.refused(b"\x00garbage").alert, b"\x15\x03\x01\x00\x02\x02\x0a")

    def test_malformed(self) -> None:
        refused = self.refused(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00")
        self.assertEqual(refused.alert, b"\x15\x03\x01\x00\x02\x02\x32")
