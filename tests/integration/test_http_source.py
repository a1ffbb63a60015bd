"""
Hosts from a document that a real web server has.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.integration.programs import get, waitUntil
from tests.integration.support import IntegrationTestCase, askTxlb, freePorts, server, sites

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
    <group name="production" scheduler="roundr" enable="yes">
      <discover from="http" url="{url}" interval="0.5" {more}/>
    </group>
  </service>
  <control socket="{control}"/>
</config>
"""


class HTTPSourceTests(IntegrationTestCase):
    """
    A balancer whose hosts are in a document of nginx.
    """

    needed = ("nginx",)

    def setUp(self) -> None:
        super().setUp()
        self.listen, self.one, self.two, self.registry = freePorts(4)
        self.control = str(self.shortFolder() / "control")
        self.documents = self.folder / "documents"
        self.documents.mkdir()
        self.document = self.documents / "hosts.json"
        self.log = self.folder / "asked.log"

    def serve(self, more: str = "", listen: str = "") -> None:
        """
        Start the hosts, and the server of the document.
        """
        more = (
            f"root {self.documents}; etag on; access_log {self.log} asked; {more} "
            "location /moved { return 302 /hosts.json; }"
        )
        sites(
            self,
            server(self.one, "one"),
            server(self.two, "two"),
            "log_format asked '$status $bytes_sent';",
            server(self.registry, more=more, listen=listen),
        )

    def say(self, *entries: tuple[str, int]) -> None:
        self.put(json.dumps([{"name": n, "address": f"127.0.0.1:{port}"} for n, port in entries]))

    def put(self, text: str) -> None:
        beside = self.documents / "new"
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, self.document)

    def balancer(self, more: str = "", scheme: str = "http", path: str = "hosts.json") -> None:
        url = f"{scheme}://127.0.0.1:{self.registry}/{path}"
        self.startTxlb(CONFIG.format(listen=self.listen, url=url, more=more, control=self.control))

    def source(self) -> Any:
        """
        What is known of the source.
        """
        (row,) = askTxlb(self.control, "discovery")
        return row

    def asked(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()

    def test_follows(self) -> None:
        """
        A document is sent only if it has changed. One that is no document, and a server without
        it, change nothing.
        """
        self.serve()
        self.say(("one", self.one))
        self.balancer()
        waitUntil(lambda: self.source()["hosts"] == 1)
        self.assertEqual(get(self.listen), "one\n")
        waitUntil(lambda: len(self.asked()) >= 5)
        statuses = [each.split()[0] for each in self.asked()]
        self.assertEqual((statuses[0], set(statuses[1:])), ("200", {"304"}))
        self.say(("one", self.one), ("two", self.two))
        waitUntil(lambda: self.source()["hosts"] == 2)
        self.assertEqual({get(self.listen) for _ in range(8)}, {"one\n", "two\n"})
        self.put("<html>")
        waitUntil(lambda: "no JSON" in self.source()["trouble"])
        self.document.unlink()
        waitUntil(lambda: "404" in self.source()["trouble"])
        self.assertEqual(self.source()["hosts"], 2)
        self.assertEqual({get(self.listen) for _ in range(8)}, {"one\n", "two\n"})
        self.say(("two", self.two))
        waitUntil(lambda: not self.source()["trouble"])
        waitUntil(lambda: self.source()["hosts"] == 1)

    def test_redirected(self) -> None:
        self.serve()
        self.say(("one", self.one))
        self.balancer(path="moved")
        waitUntil(lambda: "is not followed" in self.source()["trouble"])
        self.assertEqual(self.source()["hosts"], 0)

    def test_verified(self) -> None:
        """
        The server is verified before the password goes to it, and asks for a certificate.
        """
        authority = Authority()
        certificate, key = authority.certify(["127.0.0.1"])
        own, ownKey = authority.certify(["balancer"])
        for name, data in (
            ("server.pem", certificate),
            ("server.key", key),
            ("ca.pem", authority.pem),
            ("other.pem", Authority("Other").pem),
            ("own.pem", own + ownKey),
        ):
            Path(self.folder / name).write_bytes(data)
        self.write("users", "balancer:{PLAIN}open sesame\n")
        self.write("password", "open sesame\n")
        self.serve(
            f"ssl_certificate {self.folder}/server.pem; ssl_certificate_key {self.folder}/"
            f"server.key; ssl_client_certificate {self.folder}/ca.pem; ssl_verify_client on; "
            f'auth_basic "hosts"; auth_basic_user_file {self.folder}/users;',
            "ssl",
        )
        self.say(("one", self.one))
        for more, told in (
            ('ca="other.pem"', "certificate verify failed"),
            ('ca="ca.pem"', "400"),
            ('ca="ca.pem" clientCertificate="own.pem"', "401"),
        ):
            with self.subTest(more):
                self.control = str(self.shortFolder() / "control")
                self.balancer(more, "https")
                waitUntil(lambda told=told: told in self.source()["trouble"])  # type: ignore[misc]  # bound at once
                (self.listen,) = freePorts(1)
        self.control = str(self.shortFolder() / "control")
        self.balancer(
            'ca="ca.pem" clientCertificate="own.pem" user="balancer" passwordFile="password"',
            "https",
        )
        waitUntil(lambda: self.source()["hosts"] == 1)
        self.assertEqual(get(self.listen), "one\n")
