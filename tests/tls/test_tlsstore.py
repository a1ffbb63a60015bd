"""
All contexts of a balancer.
"""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, put
from txlb.errors import CertificateError
from txlb.model import (
    HostTLS,
    Listener,
    ListenTLS,
    ProxyGroup,
    ProxyHost,
    ProxyService,
)
from txlb.tls import TLSStore, settingsOf


class TLSStoreTests(SynchronousTestCase):
    """
    L{TLSStore}.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.authority = Authority()
        put(self.folder, "a.pem", *self.authority.certify(["a.example"]))
        self.ca = put(self.folder, "ca.txt", self.authority.pem)
        self.listen = ListenTLS(self.folder)
        self.host = HostTLS(ca=self.ca)
        self.service = self.serviceWith(self.listen, self.host)
        self.store = TLSStore()

    def serviceWith(self, listen: ListenTLS, host: HostTLS) -> ProxyService:
        group = ProxyGroup("g", enabled=True, hosts=[ProxyHost("h", "127.0.0.1", 1, tls=host)])
        return ProxyService("web", listeners=[Listener("127.0.0.1:80", tls=listen)], groups=[group])

    def test_prepare(self) -> None:
        """
        What a service needs is made once, and forgotten when no service needs it.
        """
        self.assertFalse(self.store)
        self.store.prepare([self.service])
        contexts = self.store.serverContexts(self.listen)
        context = self.store.clientContext(self.host)
        self.store.prepare([self.service])
        self.store.retain([self.service])
        self.assertIs(self.store.serverContexts(self.listen), contexts)
        self.assertIs(self.store.clientContext(self.host), context)
        self.assertEqual(len(self.store.listeners), 1)
        plain = ProxyService("web", [("127.0.0.1", 80)], [ProxyGroup("g", enabled=True)])
        self.store.retain([plain])
        self.assertFalse(self.store)
        self.assertIsNot(self.store.serverContexts(self.listen), contexts)

    def test_wrong(self) -> None:
        """
        A fault names the service or the host.
        """
        for listen, host, message in (
            (ListenTLS("none"), self.host, "service 'web': certificates of TLS: none: No such"),
            (self.listen, HostTLS(ca="none"), "host 'h' of service 'web': ca is none"),
        ):
            error = self.assertRaises(
                CertificateError, self.store.prepare, [self.serviceWith(listen, host)]
            )
            self.assertIn(message, str(error))

    def test_withoutVerifying(self) -> None:
        """
        A host whose certificate is not verified is warned of.
        """
        said: list[str] = []

        def observe(event: dict[str, object]) -> None:
            said.append(str(event.get("log_format")))

        globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, observe)  # type: ignore[arg-type]
        self.store.prepare([self.serviceWith(self.listen, HostTLS(verify=False))])
        self.assertIn("the certificate is not verified", said[-1])

    def test_reload(self) -> None:
        """
        Files that have changed are read again; those that are broken keep what was in use.
        """
        self.store.prepare([self.service])
        self.assertEqual(self.store.reload(), ([], []))
        self.assertFalse(self.store.isDue())
        context = self.store.clientContext(self.host)
        put(self.folder, "ca.txt", self.authority.pem, Authority("other").pem)
        self.assertTrue(self.store.isDue())
        put(self.folder, "a.pem", *self.authority.certify(["a.example", "b.example"]))
        self.assertTrue(self.store.isDue())
        lines, faults = self.store.reload()
        self.assertEqual((len(lines), faults), (2, []))
        self.assertEqual(self.store.serverContexts(self.listen).names, ["a.example", "b.example"])
        self.assertIsNot(self.store.clientContext(self.host), context)
        context = self.store.clientContext(self.host)
        for name in ("a.pem", "ca.txt"):
            put(self.folder, name, b"-----BEGIN ")
        lines, faults = self.store.reload()
        self.assertEqual((lines, len(faults)), ([], 2))
        self.assertIn("a block in it has no end", faults[0])
        self.assertIn("what was in use stays", faults[1])
        self.assertIs(self.store.clientContext(self.host), context)
        # Nothing is tried again before it changes, unless it is asked for.
        self.assertEqual(self.store.reload(), ([], []))
        self.assertEqual(len(self.store.reload(everything=True)[1]), 2)

    def test_reloadFails(self) -> None:
        """
        A listener whose settings can't be used any more keeps its contexts.
        """
        listen = replace(self.listen, defaultName="a.example")
        self.store.prepare([self.serviceWith(listen, self.host)])
        put(self.folder, "a.pem", *self.authority.certify(["c.example"]))
        _, faults = self.store.reload()
        self.assertIn("defaultName is a.example, and no certificate has that name", faults[0])
        self.assertEqual(self.store.serverContexts(listen).names, ["a.example"])

    def test_settingsOf(self) -> None:
        """
        Settings are found once, with those of the group.
        """
        group = ProxyGroup(
            "g",
            enabled=True,
            tls=self.host,
            hosts=[
                ProxyHost("h", "127.0.0.1", 1),
                ProxyHost("i", "127.0.0.1", 2, tls=HostTLS(on=None, serverName="i.example")),
                ProxyHost("j", "127.0.0.1", 3, tls=False),
            ],
        )
        service = replace(self.service, groups=(group,))
        listeners, hosts = settingsOf([service, service])
        self.assertEqual(listeners, {self.listen: "service 'web'"})
        self.assertEqual(
            hosts,
            {
                self.host: "host 'h' of service 'web'",
                replace(self.host, serverName="i.example"): "host 'i' of service 'web'",
            },
        )
        self.assertTrue(os.path.isdir(self.folder))
