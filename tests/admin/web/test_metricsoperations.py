"""
The operations that serve metrics and HAProxy's statistics.
"""

from __future__ import annotations

import base64
import gzip

from tests.admin.metrics.texts import readText, valuesOf
from tests.admin.web.asking import ConsoleCase

OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


class MetricsTests(ConsoleCase):
    def test_text(self) -> None:
        answer = self.ask("GET", "/metrics", token="readonly")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertNotIn("content-encoding", answer.headers)
        self.assertEqual(answer.headers["vary"], "Accept, Accept-Encoding")
        families = readText(answer.body.decode())
        self.assertEqual(len(valuesOf(families, "txlb_host_up")), 2)

    def test_openMetrics(self) -> None:
        answer = self.ask("GET", "/metrics", headers=OPEN_METRICS)
        self.assertIn("application/openmetrics-text; version=1.0.0", answer.headers["content-type"])
        families = readText(answer.body.decode(), openMetrics=True)
        self.assertIn("txlb_host_connections", families)

    def test_gzip(self) -> None:
        answer = self.ask("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertIn("txlb_host_up", readText(gzip.decompress(answer.body).decode()))

    def test_haproxy(self) -> None:
        answer = self.ask("GET", "/metrics?names=haproxy")
        self.assertIn("haproxy_server_status", readText(answer.body.decode()))
        answer = self.ask("GET", "/metrics?names=haproxy", headers=OPEN_METRICS)
        readText(answer.body.decode(), openMetrics=True)

    def test_otherNames(self) -> None:
        answer = self.ask("GET", "/metrics?names=nginx")
        self.assertEqual(answer.status, 422)
        self.assertIn("one of: txlb, haproxy", answer.detail)

    def test_statistics(self) -> None:
        answer = self.ask("GET", "/api/v1/stats;csv", token="readonly")
        self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
        lines = answer.body.decode().splitlines()
        self.assertTrue(lines[0].startswith("# pxname,svname,qcur,"))
        self.assertTrue(lines[2].startswith("web:prod,h0,"))

    def test_login(self) -> None:
        """
        Without a login there are no metrics; a program may log in by Basic.
        """
        self.assertEqual(self.ask("GET", "/metrics", token=None).status, 401)
        self.assertEqual(self.ask("GET", "/api/v1/stats;csv", token=None).status, 401)
        for password, status in (("secret", 200), ("wrong", 401)):
            text = base64.b64encode(f"readonly:{password}".encode()).decode()
            headers = {"Authorization": f"Basic {text}"}
            self.assertEqual(
                self.ask("GET", "/metrics", token=None, headers=headers).status, status
            )

    def test_manyHosts(self) -> None:
        """
        A long text comes whole, although it is made in many turns.
        """
        for number in range(600):
            self.balancer.manager.addHost("web", "prod", f"x{number}", f"127.0.0.1:{number + 1}")
        answer = self.ask("GET", "/metrics")
        families = readText(answer.body.decode())
        self.assertEqual(len(valuesOf(families, "txlb_host_up")), 602)


class OpenTests(ConsoleCase):
    openMetrics = True

    def test_open(self) -> None:
        """
        Where metrics are open they need no login, and the statistics still do.
        """
        self.assertEqual(self.ask("GET", "/metrics", token=None).status, 200)
        self.assertEqual(self.ask("GET", "/api/v1/stats;csv", token=None).status, 401)
