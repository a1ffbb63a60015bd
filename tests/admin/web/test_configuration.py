"""
Tests for L{txlb.admin.web._configuration}.
"""

from __future__ import annotations

import os
from typing import Any

from tests.admin.web.asking import ConsoleCase
from txlb.admin.web._bodies import MAX_BODY
from txlb.application import ConfigurationFile, LoadBalancedService
from txlb.config import loadConfiguration
from txlb.manager import proxyManagerFactory

FILE = """<config>
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="prod" enable="true">
      <host name="h0" ip="127.0.0.1:7001"/>
    </group>
  </service>
</config>
"""

PATH = "/api/v1/configuration"

XML = {"Content-Type": "application/xml"}


class ConfigurationTests(ConsoleCase):
    def makeBalancer(self) -> Any:
        folder = self.mktemp()
        os.mkdir(folder)
        self.path = os.path.abspath(os.path.join(folder, "c.xml"))
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(FILE)
        loaded = loadConfiguration(self.path)
        balancer = LoadBalancedService(proxyManagerFactory(loaded.services))
        self.file = ConfigurationFile(balancer, loaded)
        return balancer

    def test_get(self) -> None:
        answer = self.ask("GET", PATH)
        self.assertEqual(answer.body.decode(), FILE)
        self.assertEqual(answer.headers["content-type"], "application/xml")
        self.assertEqual(self.ask("GET", PATH, token="operator").status, 403)

    def test_put(self) -> None:
        tag = self.ask("GET", PATH).headers["etag"]
        wanted = FILE.replace("7001", "7002").encode()
        planned = self.ask("POST", f"{PATH}/plan", wanted, headers=XML)
        self.assertEqual(planned.status, 200)
        done = self.ask("PUT", PATH, wanted, headers={"If-Match": tag, **XML})
        self.assertEqual((done.status, done.json), (200, planned.json))
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), wanted)
        self.assertEqual(self.ask("GET", PATH).headers["etag"], done.headers["etag"])
        stale = self.ask("PUT", PATH, FILE.encode(), headers={"If-Match": tag, **XML})
        self.assertEqual(stale.status, 412)
        self.assertIn("7002", "".join(stale.json["differs"]))
        self.assertEqual(stale.headers["etag"], done.headers["etag"])

    def test_refused(self) -> None:
        match = {"If-Match": self.ask("GET", PATH).headers["etag"], **XML}
        for body, headers, status in (
            (FILE.encode(), XML, 428),
            (b"<config/>", match, 422),
            (b"", match, 400),
            (FILE.encode(), {**match, "Content-Type": "application/json"}, 415),
        ):
            self.assertEqual(self.ask("PUT", PATH, body, headers=headers).status, status)
        problems = self.ask("PUT", PATH, b"<config/>", headers=match).json["problems"]
        self.assertEqual(problems[0]["line"], 1)

    def test_long(self) -> None:
        """
        A long configuration is taken from callers that may replace it.
        """
        long = FILE.encode() + b"<!-- " + b"x" * MAX_BODY + b" -->"
        self.assertEqual(self.ask("POST", f"{PATH}/plan", long, headers=XML).status, 200)
        for token in ("operator", None):
            answer = self.ask("POST", f"{PATH}/plan", long, headers=XML, token=token)
            self.assertEqual(answer.status, 413)

    def test_noFile(self) -> None:
        self.balancer.configuration = None
        self.assertEqual(self.ask("GET", PATH).status, 404)
