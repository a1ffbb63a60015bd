"""
TLS with the clients and hosts of others: curl, openssl, nginx.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tests.certificates import Authority, newKey, put
from tests.integration.support import IntegrationTestCase, freePorts, server, sites, waitUntil

CONFIG = """\
<config>
  <service name="in" relay="{relay}">
    <listen ip="127.0.0.1:{into}"><tls certificates="certs" alpn="http/1.1"/></listen>
    <group name="g" enable="yes"><host name="h" ip="127.0.0.1:{plain}"/></group>
  </service>
  <service name="out" relay="{relay}">
    <listen ip="127.0.0.1:{out}"/>
    <group name="g" enable="yes" tls="yes" ca="ca.txt" serverName="a.example">
      <host name="h" ip="127.0.0.1:{secure}"/>
    </group>
  </service>
  <service name="both" relay="{relay}">
    <listen ip="127.0.0.1:{both}"><tls certificates="certs"/></listen>
    <group name="g" enable="yes" tls="yes" ca="ca.txt" serverName="a.example">
      <check type="http" interval="0.5"/>
      <host name="h" ip="127.0.0.1:{secure}"/>
    </group>
  </service>
  <service name="wrong" relay="{relay}">
    <listen ip="127.0.0.1:{wrong}"/>
    <group name="g" enable="yes" tls="yes" ca="ca.txt" serverName="b.example">
      <host name="h" ip="127.0.0.1:{secure}"/>
    </group>
  </service>
</config>
"""

NAMES = ("into", "out", "both", "wrong", "plain", "secure")


class TLSTests(IntegrationTestCase):
    """
    A balancer that ends TLS, begins it, and does both.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        self.authority = Authority()
        put(str(self.folder), "ca.txt", self.authority.pem)
        self.certify()

    def certify(self) -> None:
        pem, key = self.authority.certify(["a.example"], newKey())
        put(str(self.folder / "certs"), "a.pem", pem, key)

    def run_(self, relay: str) -> None:
        self.need("curl")
        self.need("openssl")
        pem, key = self.authority.certify(["a.example"])
        put(str(self.folder), "host.pem", pem)
        put(str(self.folder), "host.key", key)
        self.content = os.urandom(8 << 20)
        (self.folder / "big").write_bytes(self.content)
        files = f"root {self.folder}; location = /big {{ }}"
        secure = (
            f"ssl_certificate {self.folder}/host.pem; ssl_certificate_key {self.folder}/host.key;"
        )
        sites(
            self,
            server(self.ports["plain"], "plain", files),
            server(self.ports["secure"], "secure", f"{files} {secure}", "ssl"),
        )
        self.program = self.startTxlb(CONFIG.format(relay=relay, **self.ports))

    def curl(self, service: str, path: str, *options: str) -> bytes:
        port = self.ports[service]
        scheme = "http" if service in {"out", "wrong"} else "https"
        command = ["curl", "-sS", "--max-time", "60", "--cacert", str(self.folder / "ca.txt")]
        where = ["--resolve", f"a.example:{port}:127.0.0.1", f"{scheme}://a.example:{port}{path}"]
        done = subprocess.run([*command, *options, *where], capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def check(self, relay: str) -> None:
        """
        Bytes arrive by both versions and both ways, and a host with another name is refused.
        """
        self.run_(relay)
        wanted = hashlib.sha256(self.content).digest()
        for service in ("in", "out", "both"):
            port = {"in": "into"}.get(service, service)
            for version in ("1.2", "1.3"):
                got = self.curl(port, "/big", "--tls-max", version)
                self.assertEqual(hashlib.sha256(got).digest(), wanted, (service, version))
        command = ["curl", "-sS", f"http://127.0.0.1:{self.ports['wrong']}/"]
        refused = subprocess.run(command, capture_output=True, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.program.waitFor("its certificate is not for b.example")

    def test_fast(self) -> None:
        self.check("fast")

    def test_portable(self) -> None:
        self.check("portable")

    def slow(self, relay: str) -> None:
        """
        Bytes arrive with a key whose signatures are made in threads, from many clients at once.
        """
        self.run_(relay)
        pem, key = self.authority.certify(["a.example"], newKey("rsa4096"))
        put(str(self.folder / "certs"), "a.pem", pem, key)
        waitUntil(lambda: "4096 bit" in self.openssl())
        wanted = hashlib.sha256(self.content).digest()
        for version in ("1.2", "1.3"):
            got = self.curl("both", "/big", "--tls-max", version)
            self.assertEqual(hashlib.sha256(got).digest(), wanted, version)
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: self.curl("into", "/"), range(40)))
        self.assertEqual(answers, [b"plain\n"] * 40)

    def test_slowFast(self) -> None:
        self.slow("fast")

    def test_slowPortable(self) -> None:
        self.slow("portable")

    def openssl(self, *options: str) -> str:
        where = f"127.0.0.1:{self.ports['into']}"
        command = ["openssl", "s_client", "-connect", where, "-servername", "a.example", *options]
        return subprocess.run(
            command, input=b"", capture_output=True, check=False, timeout=60
        ).stdout.decode("utf-8", "replace")

    def test_openssl(self) -> None:
        """
        ALPN is agreed on, renegotiation and old versions are refused, and garbage costs no one
        else anything.
        """
        self.run_("fast")
        self.assertIn("ALPN protocol: http/1.1", self.openssl("-alpn", "h2,http/1.1"))
        self.assertIn("No ALPN negotiated", self.openssl("-alpn", "h2"))
        self.assertIn("Cipher is (NONE)", self.openssl("-tls1_1"))
        self.assertEqual(self.curl("into", "/"), b"plain\n")
