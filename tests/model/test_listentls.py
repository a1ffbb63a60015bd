"""
TLS that ends at a listener, as configured.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import HostMapper, Listener, ListenTLS, ProxyService, convertMapperToModel


class ListenTLSTests(SynchronousTestCase):
    """
    L{ListenTLS} of listeners.
    """

    def test_everywhere(self) -> None:
        """
        A listener with TLS stands where an address may.
        """
        listener = Listener("127.0.0.1:443", tls=ListenTLS(certificates="certs/"))
        mapper = HostMapper(proxy=listener, host="h", address="127.0.0.1:1")
        (service,) = convertMapperToModel([mapper])
        self.assertEqual(service.listeners, (listener,))
        mapper = HostMapper(proxy=[listener, "127.0.0.1:80"], host="h", address="127.0.0.1:1")
        (service,) = convertMapperToModel([mapper])
        self.assertEqual(service.listeners, (listener, Listener("127.0.0.1:80")))
        made = ProxyService("web", [listener, ("127.0.0.1", 80)], service.groups)
        self.assertEqual(made.listeners, service.listeners)
        self.assertEqual(str(listener), "127.0.0.1:443 tls=certs/")

    def test_values(self) -> None:
        tls = ListenTLS(["a.pem", "b.pem"], alpn=["h2"])
        self.assertEqual(tls.certificates, ("a.pem", "b.pem"))
        self.assertEqual(tls, ListenTLS("a.pem b.pem", alpn="h2"))
        self.assertFalse(tls.asksClients)
        self.assertTrue(ListenTLS("a.pem", clientCA="ca.pem").asksClients)

    def test_wrong(self) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"certificates": ""}, "certificates of TLS of a listener is empty; name"),
            ({"certificates": 5}, "certificates of TLS of a listener is 5"),
            (
                {"certificates": "a", "minVersion": "1.1"},
                "minVersion of TLS of a listener",
            ),
            ({"certificates": "a", "profile": "old"}, "it is intermediate or modern"),
            ({"certificates": "a", "crl": "b"}, "crl of TLS of a listener has no effect without"),
        ]
        for settings, message in wrong:
            error = self.assertRaises(ModelError, ListenTLS, **settings)
            self.assertIn(message, str(error))
        none: Any = "certs/"
        error = self.assertRaises(ModelError, Listener, "127.0.0.1:443", tls=none)
        self.assertIn("tls of the listener on 127.0.0.1:443 is 'certs/'; it is a", str(error))
