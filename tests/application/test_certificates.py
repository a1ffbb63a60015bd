"""
The certificates of a balancer, while it runs.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, put
from txlb.admin import _rows as rows
from txlb.admin._status import statusTable
from txlb.application.service import LoadBalancedService
from txlb.manager import proxyManagerFactory
from txlb.model import HostMapper, Listener, ListenTLS


class CertificateServiceTests(SynchronousTestCase):
    """
    L{CertificateService}.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        self.authority = Authority()
        self.write("a.pem", "a.example")
        self.reactor = MemoryReactorClock()
        self.lines: list[str] = []
        self.mapper = HostMapper(
            proxy=Listener("127.0.0.1:443", tls=ListenTLS(self.folder)),
            host="h",
            address="127.0.0.1:1",
        )
        globalLogPublisher.addObserver(self.observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)  # type: ignore[arg-type]

    def observe(self, event: dict[str, Any]) -> None:
        if event.get("log_namespace") == "txlb.application._certificates":
            self.lines.append(event["log_format"].format(**event))

    def write(self, file: str, *names: str, **more: Any) -> None:
        put(self.folder, file, *self.authority.certify(names, **more))

    def balancer(self, *mappers: HostMapper) -> LoadBalancedService:
        balancer = LoadBalancedService(
            proxyManagerFactory(mappers or [self.mapper]), reactor=self.reactor
        )
        balancer.privilegedStartService()
        balancer.startService()
        self.addCleanup(balancer.stopService)
        return balancer

    def names(self, balancer: LoadBalancedService) -> list[object]:
        return [row["names"] for row in balancer.certificates.rows()]

    def test_followsTheFiles(self) -> None:
        """
        A file that has changed is read within some seconds. One that is broken changes
        nothing and is logged once.
        """
        balancer = self.balancer()
        self.assertEqual(self.names(balancer), [["a.example"]])
        self.write("a.pem", "a.example", "b.example")
        self.assertIsNotNone(balancer.certificates._next)
        balancer.certificates._look()
        self.assertEqual(self.names(balancer), [["a.example", "b.example"]])
        self.assertIn("is in use", self.lines[0])
        self.lines.clear()
        put(self.folder, "a.pem", b"broken")
        for _ in range(3):
            self.assertIsNotNone(balancer.certificates._next)
        balancer.certificates._look()
        self.assertEqual(self.names(balancer), [["a.example", "b.example"]])
        (line,) = [each for each in self.lines if "a.pem" in each]
        self.assertIn("there is no certificate and no key in it", line)
        self.assertEqual(len(balancer.certificates.faults()), 1)

    def test_reload(self) -> None:
        """
        The command tells what came, what went and what is wrong.
        """
        balancer = self.balancer()
        reload = balancer.certificates.reload
        self.assertEqual(self.successResultOf(reload()), ([], []))
        self.write("b.pem", "b.example")
        lines, faults = self.successResultOf(reload())
        self.assertEqual((len(lines), faults), (1, []))
        shown = list(rows.certificateRows(balancer.certificates))
        self.assertEqual([each["row"] for each in shown], ["certificate"] * 2)
        self.assertRegex(
            str(shown[0]["text"]),
            r"^a\.example: ECDSA secp256r1, until \S+ \S+ UTC, in use since .*, .*a\.pem$",
        )
        json.dumps(shown)
        answer = rows.reloadedRows(["one"], ["two"])
        self.assertEqual([each["row"] for each in answer], ["certificate", "fault"])
        self.assertEqual(rows.reloadedRows([], [])[0]["text"], "no certificate has changed")

    def test_warning(self) -> None:
        """
        The log warns of certificates that expire within 14 days, once a day.
        """
        self.write("a.pem", "a.example", days=10.5)
        self.write("b.pem", "b.example", days=-1)
        balancer = self.balancer()
        self.assertEqual(len(self.lines), 2)
        self.assertIn("a.pem: the certificate for a.example expires in 10 days", self.lines[0])
        self.assertIn("b.pem: the certificate for b.example is expired", self.lines[1])
        put(self.folder, "a.pem", b"broken")
        self.successResultOf(balancer.certificates.reload())
        table = statusTable(balancer)
        self.assertIn("\ncertificates\n", table)
        for line in balancer.certificates.warnings():
            self.assertIn(f"\n  {line}\n", table)
        found = [row for row in rows.statusRows(balancer, None) if row["row"] == "certificate"]
        self.assertEqual([row["text"] for row in found], balancer.certificates.warnings())
        self.assertEqual(len(found), 3)
        self.lines.clear()
        balancer.certificates._warn()
        self.assertEqual(self.lines, [])
        now = time.time()
        balancer.certificates._now = lambda: now + 86400
        balancer.certificates._warn()
        self.assertEqual(len(self.lines), 2)

    def test_none(self) -> None:
        """
        A balancer without certificates does nothing, until it gets some.
        """
        plain = HostMapper(proxy="127.0.0.1:443", host="h", address="127.0.0.1:1")
        balancer = self.balancer(plain)
        self.assertEqual(self.successResultOf(balancer.certificates.reload()), ([], []))
        self.assertIsNone(balancer.certificates._next)
        balancer.apply([self.mapper])
        self.assertEqual(self.names(balancer), [["a.example"]])
        self.assertIsNotNone(balancer.certificates._next)

    def test_wrongFiles(self) -> None:
        """
        A change that names files with a fault is refused, and changes nothing.
        """
        balancer = self.balancer()
        wrong = HostMapper(
            proxy=Listener("127.0.0.1:443", tls=ListenTLS(os.path.join(self.folder, "none"))),
            host="h",
            address="127.0.0.1:1",
        )
        error = self.assertRaises(ValueError, balancer.apply, [wrong])
        self.assertIn("none: No such file", str(error))
        self.assertEqual(self.names(balancer), [["a.example"]])
