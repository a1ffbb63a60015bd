"""
TLS with programs of others that have a TLS of their own: curl with HTTP/2, redis, sslscan.
"""

from __future__ import annotations

import os
import signal
import subprocess

from tests.certificates import Authority, newKey, put
from tests.integration.support import IntegrationTestCase, Program, freePorts, server, sites

CONFIG = """\
<config>
  <service name="both" relay="{relay}">
    <listen ip="127.0.0.1:{both}"><tls certificates="certs" alpn="h2"/></listen>
    <group name="g" enable="yes" tls="yes" ca="ca.txt" serverName="a.example" alpn="h2">
      <host name="h" ip="127.0.0.1:{web}"/>
    </group>
  </service>
  <service name="passed" relay="{relay}">
    <listen ip="127.0.0.1:{passed}" serverNames="a.example"/>
    <group name="g" enable="yes"><host name="h" ip="127.0.0.1:{web}"/></group>
  </service>
  <service name="redis" relay="{relay}">
    <listen ip="127.0.0.1:{store}"><tls certificates="certs" {clients}/></listen>
    <group name="g" enable="yes" tls="yes" ca="ca.txt" serverName="a.example"
        clientCertificate="own.pem">
      <host name="h" ip="127.0.0.1:{redis}"/>
    </group>
  </service>
</config>
"""

NAMES = ("both", "passed", "store", "web", "redis")

#: What sslscan may say of a server of today.
VERSIONS = {
    "SSLv2": "disabled",
    "SSLv3": "disabled",
    "TLSv1.0": "disabled",
    "TLSv1.1": "disabled",
    "TLSv1.2": "enabled",
    "TLSv1.3": "enabled",
}


class ProgramsTests(IntegrationTestCase):
    """
    The fast relay.
    """

    relay = "fast"

    def setUp(self) -> None:
        super().setUp()
        self.ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        authority = Authority()
        folder = str(self.folder)
        put(folder, "ca.txt", authority.pem)
        put(folder + "/certs", "a.pem", *authority.certify(["a.example"]))
        put(folder + "/certs", "b.pem", *authority.certify(["a.example"], newKey("rsa2048")))
        put(folder, "own.pem", *authority.certify(["balancer"]))
        pem, key = authority.certify(["a.example"])
        put(folder, "host.pem", pem)
        put(folder, "host.key", key)

    def balancer(self, clients: str = "") -> Program:
        return self.startTxlb(CONFIG.format(relay=self.relay, clients=clients, **self.ports))

    def did(self, *command: str, data: bytes = b"") -> bytes:
        """
        @return: what a program has written, which has to end well.
        """
        done = subprocess.run(
            command, input=data, capture_output=True, check=False, timeout=60, cwd=self.folder
        )
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def test_HTTP2(self) -> None:
        """
        HTTP/2 by ALPN, with TLS on both sides and passed through.
        """
        self.need("curl", "nginx")
        files = f"ssl_certificate {self.folder}/host.pem; ssl_certificate_key "
        more = f"{files}{self.folder}/host.key; ssl_protocols TLSv1.2 TLSv1.3;"
        sites(self, server(self.ports["web"], "secure", more, "ssl http2"))
        self.balancer()
        for service in ("both", "passed"):
            for version in ("1.2", "1.3"):
                port = self.ports[service]
                got = self.did(
                    *("curl", "-sS", "--http2", "--tls-max", version, "--cacert", "ca.txt"),
                    *("--resolve", f"a.example:{port}:127.0.0.1", "-w", "%{http_version}"),
                    f"https://a.example:{port}/",
                )
                self.assertEqual(got, b"secure\n2", (service, version))

    def test_redis(self) -> None:
        """
        Redis asks the balancer for a certificate, and the balancer asks the client.
        """
        self.need("redis-server", "redis-cli")
        port = str(self.ports["redis"])
        program = self.start(
            *("redis-server", "--port", "0", "--tls-port", port, "--bind", "127.0.0.1"),
            *("--tls-cert-file", "host.pem", "--tls-key-file", "host.key"),
            *("--tls-ca-cert-file", "ca.txt", "--save", "", "--daemonize", "no"),
        )
        program.waitForPort(self.ports["redis"])
        self.balancer('clientCA="ca.txt"')
        command = ("redis-cli", "-p", str(self.ports["store"]), "--tls", "--cacert", "ca.txt")
        own = ("--sni", "a.example", "--cert", "own.pem", "--key", "own.pem")
        value = os.urandom(1 << 20).hex().encode("ascii")
        self.assertEqual(self.did(*command, *own, "-x", "set", "x", data=value), b"OK\n")
        self.assertEqual(self.did(*command, *own, "get", "x"), value + b"\n")
        refused = subprocess.run(
            [*command, "--sni", "a.example", "get", "x"],
            capture_output=True,
            check=False,
            timeout=60,
            cwd=self.folder,
        )
        self.assertNotIn(value, refused.stdout)
        program.stop(signal.SIGKILL)

    def test_sslscan(self) -> None:
        """
        A scanner finds the versions and ciphers of the profile, and no weakness that it knows.
        """
        self.need("sslscan")
        self.balancer()
        where = f"127.0.0.1:{self.ports['both']}"
        found = self.did("sslscan", "--no-colour", "--sni-name=a.example", where).decode("utf-8")
        lines = [line.split() for line in found.splitlines()]
        versions = {line[0]: line[1] for line in lines if len(line) == 2 and line[0] in VERSIONS}
        self.assertEqual(versions, VERSIONS)
        ciphers = [line[4] for line in lines if line[:1] in (["Accepted"], ["Preferred"])]
        self.assertEqual(len(ciphers), 9, found)
        for each in ciphers:
            self.assertRegex(each, r"^(TLS_|ECDHE-(ECDSA|RSA)-).*(GCM|POLY1305)")
        self.assertIn("Session renegotiation not supported", found)
        self.assertIn("Server supports TLS Fallback SCSV", found)
        self.assertNotIn("vulnerable to heartbleed", found.replace("not vulnerable", ""))


class PortableProgramsTests(ProgramsTests):
    """
    The portable relay.
    """

    relay = "portable"
