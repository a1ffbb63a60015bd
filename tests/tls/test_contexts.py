"""
Contexts of OpenSSL, and the handshakes that they do.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, newKey, put
from tests.tls.handshaking import clientOf, move, resumed, serverOf, shake
from txlb.errors import CertificateError
from txlb.model import HostTLS, ListenTLS
from txlb.tls import Certificate, readCertificates, reasonOf
from txlb.tls._clientcontext import ClientContext
from txlb.tls._contexts import clientContext, ownCertificate, serverContext, warnOfKeylog

TLS12 = (SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION)
TLS13 = (SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION)


class ContextTests(SynchronousTestCase):
    """
    Contexts for tests.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.authority = Authority("between", Authority("root"))
        self.ca = put(self.folder, "ca.crt", self.authority.pem)

    def certificates(self, *kinds: str) -> list[Certificate]:
        folder = self.mktemp()
        for kind in kinds or ("ecdsa",):
            put(folder, f"{kind}.pem", *self.authority.certify(["a.example"], newKey(kind)))
        return readCertificates([folder]).certificates

    def context(self, *kinds: str, **settings: Any) -> SSL.Context:
        return serverContext(ListenTLS("certs", **settings), self.certificates(*kinds))

    def withCertificate(self, name: str = "client", authority: Authority | None = None) -> Any:
        """
        Return a function that gives a client a certificate.
        """
        pem, key = (authority or self.authority).certify([name])
        path = put(self.folder, f"{name}.pem", pem, key)

        def prepare(context: SSL.Context) -> None:
            context.use_certificate_chain_file(path)
            context.use_privatekey_file(path)

        return prepare


class ServerTests(ContextTests):
    """
    L{serverContext}.
    """

    def test_versions(self) -> None:
        """
        TLS 1.2 and 1.3 are spoken, or 1.3 alone, by its minimum or by its profile.
        """
        for versions in (TLS12, TLS13):
            shake(clientOf(versions=versions), serverOf(self.context()))
        for settings in ({"minVersion": "1.3"}, {"profile": "modern"}):
            context = self.context(**settings)
            shake(clientOf(versions=TLS13), serverOf(context))
            error = self.assertRaises(SSL.Error, shake, clientOf(versions=TLS12), serverOf(context))
            self.assertEqual(reasonOf(error), "unsupported protocol")

    def test_ciphers(self) -> None:
        """
        The preferred cipher of the server is used, but ChaCha20 with a client that prefers that.
        """
        chacha, small, large = "CHACHA20-POLY1305", "AES128-GCM", "AES256-GCM"
        suites = {
            chacha: "TLS_CHACHA20_POLY1305_SHA256",
            small: "TLS_AES_128_GCM_SHA256",
            large: "TLS_AES_256_GCM_SHA384",
        }
        names = {chacha: chacha, small: f"{small}-SHA256", large: f"{large}-SHA384"}
        for first, wanted in ((large, small), (small, small), (chacha, chacha)):
            order = [first, *(each for each in suites if each != first)]
            if first != chacha:
                order = [*(each for each in order if each != chacha), chacha]

            def prepare(context: SSL.Context, order: list[str] = order) -> None:
                ciphers = ":".join(f"ECDHE-ECDSA-{names[each]}" for each in order)
                context.set_cipher_list(ciphers.encode("ascii"))
                context.set_tls13_ciphersuites(
                    ":".join(suites[each] for each in order).encode("ascii")
                )

            for versions in (TLS12, TLS13):
                client = clientOf(versions=versions, prepare=prepare)
                shake(client, serverOf(self.context()))
                agreed = client.get_cipher_name() or ""
                self.assertIn(wanted.replace("-", ""), agreed.replace("-", "").replace("_", ""))

    def test_chain(self) -> None:
        """
        A client gets the chain, with each kind of key.
        """
        context = self.context("ecdsa", "rsa2048")
        for cipher in (b"ECDHE+aRSA", b"ECDHE+aECDSA"):
            client = clientOf(
                versions=TLS12, prepare=partial(SSL.Context.set_cipher_list, cipher_list=cipher)
            )
            shake(client, serverOf(context))
            chain = client.get_peer_cert_chain()
            assert chain is not None
            self.assertEqual(len(chain), 2)
            self.assertIn(cipher[-3:].decode(), f"{client.get_cipher_name()}")

    def test_alpn(self) -> None:
        """
        The server's order decides; without a protocol in common there is none.
        """
        context = self.context(alpn="h2 http/1.1")
        for offered, chosen in (
            ([b"http/1.1", b"h2"], b"h2"),
            ([b"http/1.1"], b"http/1.1"),
            ([b"other"], b""),
        ):
            client = clientOf(prepare=partial(SSL.Context.set_alpn_protos, protos=offered))
            shake(client, serverOf(context))
            self.assertEqual(client.get_alpn_proto_negotiated(), chosen)

    def test_tickets(self) -> None:
        """
        A session is resumed with its context, in both versions, and with no other one; and
        not at all without tickets.
        """
        certificates = self.certificates()
        settings = ListenTLS("certs")
        context, other = (serverContext(settings, certificates) for _ in range(2))
        without = serverContext(ListenTLS("certs", tickets=False), certificates)
        for versions in (TLS12, TLS13):
            for target, expected in ((context, True), (other, False)):
                first = clientOf(versions=versions)
                shake(first, serverOf(context))
                again = clientOf(context=first.get_context(), session=first.get_session())
                shake(again, serverOf(target))
                self.assertIs(resumed(again), expected)
            first = clientOf(versions=versions)
            shake(first, serverOf(without))
            again = clientOf(context=first.get_context(), session=first.get_session())
            shake(again, serverOf(without))
            self.assertFalse(resumed(again))

    def test_clientCertificates(self) -> None:
        """
        A client without a certificate is refused, or goes on if it is optional; one with a
        certificate of another authority is refused in both cases.
        """
        stranger = self.withCertificate("stranger", Authority("other"))
        for mode in ("required", "optional"):
            context = self.context(clientCA=self.ca, clientCertificates=mode)
            server = serverOf(context)
            shake(clientOf(prepare=self.withCertificate()), server)
            shown = server.get_peer_certificate(as_cryptography=True)
            assert shown is not None
            self.assertIn("client", shown.subject.rfc4514_string())
            self.assertRaises(SSL.Error, shake, clientOf(prepare=stranger), serverOf(context))
            if mode == "required":
                self.assertRaises(SSL.Error, shake, clientOf(), serverOf(context))
            else:
                shake(clientOf(), serverOf(context))

    def test_policiesDontMix(self) -> None:
        """
        A session that began under one policy is never resumed under another one, for each
        pair of policies and both versions.
        """
        certificates = self.certificates()
        crl = put(self.folder, "crl.pem", self.authority.revoke(self.authority.certify(["x"])[0]))
        policies = [
            ListenTLS("certs"),
            ListenTLS("certs", alpn="h2"),
            ListenTLS("certs", clientCA=self.ca, clientCertificates="optional"),
            ListenTLS("certs", clientCA=self.ca),
            ListenTLS("certs", clientCA=self.ca, crl=crl),
        ]
        contexts = [serverContext(each, certificates) for each in policies]
        prepare = self.withCertificate()
        for versions in (TLS12, TLS13):
            for first in contexts:
                for second in contexts:
                    client = clientOf(versions=versions, prepare=prepare)
                    shake(client, serverOf(first))
                    again = clientOf(context=client.get_context(), session=client.get_session())
                    shake(again, serverOf(second))
                    self.assertIs(resumed(again), first is second)

    def test_revoked(self) -> None:
        """
        A client whose certificate was revoked is refused.
        """
        pem, key = self.authority.certify(["bad"])
        path = put(self.folder, "bad.pem", pem, key)
        crl = put(self.folder, "crl.pem", self.authority.revoke(pem))
        context = self.context(clientCA=self.ca, crl=crl)

        def bad(made: SSL.Context) -> None:
            made.use_certificate_chain_file(path)
            made.use_privatekey_file(path)

        shake(clientOf(prepare=self.withCertificate()), serverOf(context))
        self.assertRaises(SSL.Error, shake, clientOf(prepare=bad), serverOf(context))

    def test_renegotiation(self) -> None:
        """
        A client that renegotiates is refused.
        """
        client, server = clientOf(versions=TLS12), serverOf(self.context())
        shake(client, server)
        client.renegotiate()
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        move(client, server)
        self.assertRaises(SSL.WantReadError, server.recv, 100)
        move(server, client)
        error = self.assertRaises(SSL.Error, client.do_handshake)
        self.assertEqual(reasonOf(error), "no renegotiation")

    def test_wrongFiles(self) -> None:
        """
        A fault of a file names the setting and the file. A pipe is not waited for.
        """
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)
        broken = put(self.folder, "broken.pem", b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----")
        for settings, message in (
            (
                {"clientCA": "none.pem"},
                "clientCA is none.pem: No such file or directory; it is a PEM",
            ),
            ({"clientCA": pipe}, f"clientCA is {pipe}: it is no file; it is a PEM"),
            ({"clientCA": self.ca, "crl": pipe}, f"crl is {pipe}: it is no file"),
            ({"clientCA": broken}, f"clientCA is {broken}; it is a PEM file"),
            ({"clientCA": self.ca, "crl": "none.pem"}, "crl is none.pem: No such file"),
            ({"clientCA": self.ca, "crl": broken}, f"crl is {broken}, which can't be read"),
            ({"clientCA": self.ca, "crl": self.ca}, "in which there is no list of revoked"),
        ):
            error = self.assertRaises(CertificateError, self.context, **settings)
            self.assertIn(message, str(error))


class ClientTests(ContextTests):
    """
    L{clientContext}.
    """

    def test_wrongFiles(self) -> None:
        pem, key = self.authority.certify(["a.example"])
        two = put(self.folder, "two.pem", pem, key, *self.authority.certify(["b.example"]))
        for settings, message in (
            (HostTLS(ca="none.pem"), "ca is none.pem: No such file or directory"),
            (HostTLS(clientCertificate="none.pem"), "clientCertificate is none.pem: No such"),
            (HostTLS(clientCertificate=two), f"clientCertificate is {two}, in which there are 2"),
        ):
            error = self.assertRaises(CertificateError, ClientContext, settings)
            self.assertIn(message, str(error))

    def test_showsItsCertificate(self) -> None:
        """
        A host that asks for a certificate gets it, and ALPN is offered.
        """
        path = put(self.folder, "own.pem", *self.authority.certify(["balancer"]))
        server = serverOf(self.context(clientCA=self.ca, alpn="h2"))
        context = clientContext(
            HostTLS(ca=self.ca, clientCertificate=path, alpn="h2", minTLSVersion="1.3"),
            ownCertificate(path),
        )
        client = clientOf(context=context)
        shake(client, server)
        self.assertEqual(client.get_alpn_proto_negotiated(), b"h2")
        shown = server.get_peer_certificate(as_cryptography=True)
        assert shown is not None
        self.assertIn("balancer", shown.subject.rfc4514_string())


class KeylogTests(ContextTests):
    """
    The secrets of sessions are written only if the environment asks for it.
    """

    def test_keylog(self) -> None:
        path = os.path.join(self.folder, "keys")
        self.patch(os, "environ", {"SSLKEYLOGFILE": path})
        shake(clientOf(), serverOf(self.context()))
        with open(path, encoding="ascii") as file:
            self.assertIn("SERVER_HANDSHAKE_TRAFFIC_SECRET", file.read())
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertTrue(warnOfKeylog())

    def test_fails(self) -> None:
        """
        A file that can't be written, or a pipe without a reader, costs no session.
        """
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)
        for path in (self.folder, pipe):
            self.patch(os, "environ", {"SSLKEYLOGFILE": path})
            shake(clientOf(), serverOf(self.context()))

    def test_none(self) -> None:
        self.patch(os, "environ", {})
        self.assertFalse(warnOfKeylog())


class ReasonTests(SynchronousTestCase):
    """
    L{reasonOf}.
    """

    def test_reasons(self) -> None:
        self.assertEqual(reasonOf(SSL.Error([("a", "b", "first"), ("a", "b", "why")])), "why")
        self.assertEqual(reasonOf(SSL.SysCallError(-1, "Unexpected EOF")), "Unexpected EOF")
        self.assertEqual(reasonOf(SSL.SysCallError()), "the connection was lost")
        self.assertEqual(reasonOf(SSL.ZeroReturnError()), "ZeroReturnError")
