"""
Tests for L{txlb.admin.web._tls}.
"""

from __future__ import annotations

import os
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, put
from txlb.admin.web._tls import ConsoleTLS
from txlb.model import ListenTLS
from txlb.tls import TLSStore


class FakeProtocol:
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


def pump(one: SSL.Connection, other: SSL.Connection) -> None:
    """
    Pass bytes both ways until a handshake is over.
    """
    for _ in range(10):
        for source, drain in ((one, other), (other, one)):
            try:
                source.do_handshake()
            except SSL.Error:
                pass
            try:
                drain.bio_write(source.bio_read(65_536))
            except SSL.WantReadError:
                pass


class ConsoleTLSTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        authority = Authority()
        for name in ("a.example", "b.example"):
            put(self.folder, f"{name}.pem", *authority.certify([name]))

    def shown(self, settings: ListenTLS, name: str, times: int = 1) -> tuple[Any, bool]:
        """
        Return the name of the certificate that a client gets, and whether it was dropped.
        """
        store = TLSStore()
        store.keep(settings)
        creator = ConsoleTLS(store, settings)
        shown, protocol = None, FakeProtocol()
        for _ in range(times):
            server = creator.serverConnectionForTLS(protocol)
            # As Twisted does.
            server.set_app_data(protocol)
            server.set_accept_state()
            client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
            client.set_tlsext_host_name(name.encode())
            client.set_connect_state()
            pump(client, server)
            found = client.get_peer_certificate()
            shown = None if found is None else found.get_subject().CN
        return shown, protocol.aborted

    def test_names(self) -> None:
        settings = ListenTLS(self.folder)
        self.assertEqual(self.shown(settings, "a.example"), ("a.example", False))
        self.assertEqual(self.shown(settings, "b.example", 2), ("b.example", False))
        self.assertEqual(self.shown(settings, "c.example"), ("a.example", False))

    def test_unknownName(self) -> None:
        settings = ListenTLS(self.folder, unknownName="refuse")
        self.assertTrue(self.shown(settings, "c.example")[1])

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
