"""
The choice of the context for a client, by its ClientHello.
"""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, newKey, put
from tests.tls.handshaking import clientOf, move, resumed, shake
from txlb.model import ListenTLS
from txlb.proxy._serverhello import ServerHello
from txlb.proxy._tlstransport import HandshakeRefused
from txlb.tls import ServerContexts, readCertificates, wasResumed
from txlb.wire import Done, TLSFacts


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
        """
        The alert is the one of the fault.
        """
        refused = self.refused(b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00")
        self.assertEqual(refused.alert, b"\x15\x03\x01\x00\x02\x02\x0a")


class FoundTests(SynchronousTestCase):
    """
    L{ServerHello.found}: the facts of a session.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        authority = Authority()
        put(self.folder, "a.pem", *authority.certify(["a.example"]))
        self.own = put(f"{self.folder}-own", "c.pem", *authority.certify([], common="Carol É"))
        ca = put(f"{self.folder}-own", "ca.crt", authority.pem)
        settings = ListenTLS(
            self.folder, clientCA=ca, clientCertificates="optional", alpn=("h2", "http/1.1")
        )
        found = readCertificates([self.folder]).certificates
        self.contexts = ServerContexts(settings, found, time.time())

    def shaken(self, shows: bool, **options: Any) -> tuple[Done, SSL.Connection]:
        """
        @return: what is known of a client after its handshake, and the client.
        """

        def prepare(context: SSL.Context) -> None:
            context.set_alpn_protos([b"spdy", b"h2"])
            if shows:
                context.use_certificate_chain_file(self.own)
                context.use_privatekey_file(self.own)

        client = clientOf(prepare=prepare, **options)
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        hello = ServerHello(self.contexts)
        chosen = hello.feed(client.bio_read(65536))
        assert chosen is not None
        server = SSL.Connection(chosen.context, None)
        server.set_accept_state()
        server.bio_write(hello.data)
        shake(client, server)
        server.send(b"x")
        move(server, client)
        client.recv(1)
        before = Done(("192.0.2.1", 1), "old.example", b"hello", ("old",))
        return hello.found(server, before), client

    def test_plain(self) -> None:
        """
        A client without a certificate, under both versions. What its preface told is kept.
        """
        for version, name in ((SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")):
            found, client = self.shaken(False, versions=(version, version))
            cipher = client.get_cipher_name() or ""
            self.assertEqual(
                found.tls,
                TLSFacts(
                    name, cipher, None, "ecdsa-with-SHA256", "EC256", verifyResult=1, protocol="h2"
                ),
            )
            self.assertIn("AES", cipher)
            self.assertEqual(found.clientAddr, ("192.0.2.1", 1))
            self.assertEqual((found.serverName, found.alpn), ("a.example", ("spdy", "h2")))
            self.assertEqual((found.leftover, found.protocol), (b"", "h2"))

    def test_certificate(self) -> None:
        """
        The common name, and whether the certificate was shown in this connection or in the
        one where the session began.
        """
        found, client = self.shaken(True)
        facts = found.tls
        assert facts is not None
        self.assertEqual((facts.commonName, facts.verifyResult), ("Carol É", 0))
        self.assertEqual((facts.certificateNow, facts.certificateInSession), (True, True))
        found, again = self.shaken(True, session=client.get_session(), context=client.get_context())
        self.assertTrue(resumed(again))
        facts = found.tls
        assert facts is not None
        self.assertEqual((facts.commonName, facts.verifyResult), ("Carol É", 0))
        self.assertEqual((facts.certificateNow, facts.certificateInSession), (False, True))

    def test_ownCertificate(self) -> None:
        """
        Of several certificates the one that the client was shown counts. A session that is resumed
        does not tell which that was.
        """
        pem, key = Authority().certify(["a.example"], newKey("rsa2048"))
        put(self.folder, "b.pem", pem, key)
        found = readCertificates([self.folder]).certificates
        self.contexts = ServerContexts(ListenTLS(self.folder), found, time.time())
        for ciphers, wanted in ((b"ECDHE+aRSA", "RSA2048"), (b"ECDHE+aECDSA", "EC256")):
            client = SSL.Context(SSL.TLS_CLIENT_METHOD)
            client.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            client.set_max_proto_version(SSL.TLS1_2_VERSION)
            client.set_cipher_list(ciphers)
            known, shaken = self.shaken(False, context=client)
            assert known.tls is not None
            self.assertEqual(known.tls.keyAlgorithm, wanted)
            self.assertEqual(known.tls.signatureAlgorithm, "ecdsa-with-SHA256")
            known, again = self.shaken(False, context=client, session=shaken.get_session())
            self.assertTrue(resumed(again))
            assert known.tls is not None
            self.assertEqual((known.tls.keyAlgorithm, known.tls.signatureAlgorithm), ("", ""))

    def test_unreadable(self) -> None:
        """
        A certificate that only OpenSSL can read has no common name.
        """
        with patch.object(X509, "to_cryptography", side_effect=ValueError):
            found, _ = self.shaken(True)
        assert found.tls is not None
        self.assertEqual((found.tls.commonName, found.tls.verifyResult), (None, 0))

    def test_otherNames(self) -> None:
        """
        If pyOpenSSL has other names inside, a session counts as a new one.
        """
        _, client = self.shaken(True)
        session, context = client.get_session(), client.get_context()
        _, again = self.shaken(True, session=session, context=context)
        self.assertTrue(wasResumed(again))
        with patch.object(SSL, "_lib", object()):
            self.assertFalse(wasResumed(again))
