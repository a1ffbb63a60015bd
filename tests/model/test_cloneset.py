"""
Tests for L{txlb.model._cloneset}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import CloneSet, Listener, ListenTLS, ProxyGroup, ProxyService
from txlb.model.kinds import WholeOr


class CloneSetTests(SynchronousTestCase):
    def test_wrong(self) -> None:
        wrong: Any
        for wrong in (0, 257, "many", True, 2.5, None):
            error = self.assertRaises(ModelError, CloneSet, "app.tac", wrong)
            self.assertIn("from 1 to 256, or auto for one for each CPU", str(error))
        self.assertEqual(CloneSet("app.tac").processes, "auto")
        self.assertRaises(ModelError, CloneSet, "")
        self.assertRaises(ModelError, CloneSet, "app.tac", graceTime=-1.0)
        self.assertRaises(ModelError, CloneSet, "app.tac", maxConnections=0)

    def test_kind(self) -> None:
        kind = WholeOr(1, 9, "auto", "as many as there are")
        self.assertEqual((kind.parse("3", "it"), kind.parse("auto", "it")), (3, "auto"))
        self.assertEqual(kind.write("auto"), "auto")
        error = self.assertRaises(ModelError, kind.parse, "10", "it")
        self.assertIn("or auto for as many as there are", str(error))

    def test_group(self) -> None:
        wrong: Any = "app.tac"
        error = self.assertRaises(ModelError, ProxyGroup, "g", clones=wrong)
        self.assertIn("not a CloneSet or None", str(error))

    def test_eachClient(self) -> None:
        """
        The manager of clones does not know when a client has gone.
        """
        group = ProxyGroup("app", enabled=True, clones=CloneSet("app.tac"))
        error = self.assertRaises(
            ModelError, ProxyService, "web", ["127.0.0.1:1"], [group], maxConnectionsPerClient=3
        )
        self.assertIn("use ratePerClient, or hosts instead", str(error))


class ServiceTests(SynchronousTestCase):
    """
    What a service with clones can have.
    """

    def service(self, sharing: str = "grants", **listener: Any) -> ProxyService:
        clones = CloneSet("app.tac", 2, sharing=sharing)
        group = ProxyGroup("app", "leastc", True, clones=clones)
        return ProxyService("web", [Listener("127.0.0.1:80", **listener)], [group])

    def test_preface(self) -> None:
        """
        The balancer reads what clients send first, unless the clones accept by themselves.
        """
        names: dict[str, Any] = {"serverNames": ["a.example"]}
        self.assertTrue(self.service(**names).listeners[0].hasPreface)
        with self.assertRaisesRegex(ModelError, "accept by themselves; leave out sharing 'queue'"):
            self.service("queue", **names)

    def test_tls(self) -> None:
        with self.assertRaisesRegex(ModelError, r"let the application end TLS \(ssl:\)"):
            self.service(tls=ListenTLS(["a.pem"]))

    def test_sharing(self) -> None:
        with self.assertRaisesRegex(ModelError, "sharing"):
            self.service("reuseport")
