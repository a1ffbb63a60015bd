"""
The context for connections to hosts.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, put
from tests.tls.handshaking import resumed, serverOf, shake
from txlb.errors import CertificateError
from txlb.model import HostTLS
from txlb.tls import ClientContext, _clientcontext, reasonOf


class ClientContextTests(SynchronousTestCase):
    """
    L{ClientContext}.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.authority = Authority()
        self.ca = put(self.folder, "ca.crt", self.authority.pem)

    def server(self, *names: str, authority: Authority | None = None, **more: Any) -> SSL.Context:
        pem, key = (authority or self.authority).certify(names, **more)
        path = put(self.folder, "server.pem", pem, key)
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_session_id(b"test")
        context.use_certificate_chain_file(path)
        context.use_privatekey_file(path)
        return context

    def connect(
        self, context: ClientContext, server: SSL.Context, name: str, place: object = None
    ) -> SSL.Connection:
        connection = context.connect(name, place)
        shake(connection, serverOf(server))
        context.verify(connection, name)
        return connection

    def test_verified(self) -> None:
        """
        The names of hosts, wildcards and addresses are verified.
        """
        context = ClientContext(HostTLS(ca=self.ca))
        server = self.server("a.example", "*.b.example", "192.0.2.1", "2001:db8::1")
        for name in ("a.example", "x.b.example", "192.0.2.1", "2001:db8::1"):
            self.connect(context, server, name)
        for name in ("b.example", "x.y.b.example", "192.0.2.2"):
            error = self.assertRaises(CertificateError, self.connect, context, server, name)
            self.assertEqual(str(error), f"its certificate is not for {name}")

    def test_commonName(self) -> None:
        """
        A certificate whose name is a common name only is for no host.
        """
        context = ClientContext(HostTLS(ca=self.ca))
        server = self.server(common="a.example")
        error = self.assertRaises(CertificateError, self.connect, context, server, "a.example")
        self.assertIn("alternative names, so it is not for a.example", str(error))

    def test_refused(self) -> None:
        """
        An expired certificate, one that is not valid yet, and one of another authority are
        refused, with the reason.
        """
        for server, reason in (
            (self.server("a.example", days=-0.5), "certificate has expired"),
            (self.server("a.example", begins=1), "certificate is not yet valid"),
            (
                self.server("a.example", authority=Authority("other")),
                "unable to get local issuer certificate",
            ),
        ):
            context = ClientContext(HostTLS(ca=self.ca))
            connection = context.connect("a.example", None)
            error = self.assertRaises(SSL.Error, shake, connection, serverOf(server))
            said = context.explain(connection, reasonOf(error))
            self.assertIn(f"its certificate was refused: {reason}", said)

    def test_withoutVerifying(self) -> None:
        context = ClientContext(HostTLS(verify=False))
        self.connect(context, self.server("b.example"), "a.example")

    def test_systemsAuthorities(self) -> None:
        """
        By default the authorities of the system are trusted, which ours is not.
        """
        context = ClientContext(HostTLS())
        connection = context.connect("a.example", None)
        self.assertRaises(SSL.Error, shake, connection, serverOf(self.server("a.example")))

    def test_sessions(self) -> None:
        """
        A session is resumed towards the same name and place, and no other.
        """
        context, server = ClientContext(HostTLS(ca=self.ca)), self.server("a.example", "b.example")
        first = self.connect(context, server, "a.example", "place")
        context.keep(first, "a.example", "place")
        for name, place, expected in (
            ("a.example", "place", True),
            ("b.example", "place", False),
            ("a.example", "other", False),
        ):
            again = self.connect(context, server, name, place)
            self.assertIs(resumed(again), expected, (name, place))

    def test_fewSessions(self) -> None:
        """
        The number of sessions that are kept is bounded.
        """
        self.patch(_clientcontext, "MOST_SESSIONS", 2)
        context, server = ClientContext(HostTLS(ca=self.ca)), self.server("a.example")
        for place in range(5):
            context.keep(self.connect(context, server, "a.example", place), "a.example", place)
        self.assertEqual([key[1] for key in context._sessions], [3, 4])

    def test_nameOf(self) -> None:
        for settings, host, name in (
            (HostTLS(), "a.example.", "a.example"),
            (HostTLS(), "fe80::1%eth0", "fe80::1"),
            (HostTLS(), "unix:/run/a.sock", "localhost"),
            (HostTLS(serverName="b.example"), "unix:/run/a.sock", "b.example"),
        ):
            self.assertEqual(ClientContext(settings).nameOf(host), name)
