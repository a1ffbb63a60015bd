"""
Services that share an address by the names of servers, with TLS of real programs that is
passed through.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import ssl
import subprocess
from functools import partial
from pathlib import Path

from tests.integration.support import (
    IntegrationTestCase,
    Program,
    RawHost,
    connect,
    freePorts,
    readAll,
    request,
    server,
    sites,
    waitUntil,
)
from tests.integration.test_proxy_header_in import certificate
from tests.wire.hellos import hello
from txlb.wire import Alert

SERVICE = """
  <service name="{name}" relay="{relay}">
    <listen ip="127.0.0.1:{port}" prefaceTimeout="{timeout}" {options}/>
    <group name="hosts" enable="yes">
      <host name="{name}" ip="127.0.0.1:{host}"/>
    </group>
  </service>
"""


class NamesCase(IntegrationTestCase):
    relay = "fast"

    def setUp(self) -> None:
        super().setUp()
        self.need("openssl")
        (self.port,) = freePorts(1)
        self.pems: dict[str, Path] = {}

    def configuration(self, *services: tuple[str, str, int], timeout: str = "30s") -> str:
        """
        @param services: name, options of the listener, and port of the host.
        """
        parts = [
            SERVICE.format(
                name=name,
                relay=self.relay,
                port=self.port,
                host=host,
                options=options,
                timeout=timeout,
            )
            for name, options, host in services
        ]
        return f"<config>{''.join(parts)}</config>"

    def host(self, name: str) -> int:
        """
        Start a web server of OpenSSL with a certificate for a name.

        @return: its port.
        """
        (port,) = freePorts(1)
        pem = self.pems[name] = certificate(self.folder, name.replace("*", "any"), name)
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(pem), "-www"]
        program = Program(command, self.folder)
        self.addCleanup(program.stop, signal.SIGKILL)
        program.waitForPort(port)
        return port

    def subject(self, name: str | None, *alpn: str) -> str | None:
        """
        @return: the common name in the certificate of the server that a client of this name
            gets; L{None} if it gets none.
        """
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}"]
        command += ["-noservername"] if name is None else ["-servername", name]
        command += ["-alpn", ",".join(alpn)] if alpn else []
        done = subprocess.run(
            command, input="", capture_output=True, text=True, timeout=60, check=False
        )
        for line in done.stdout.splitlines():
            if line.startswith("subject="):
                return line.partition("CN = ")[2]
        return None


class ServerNameTests(NamesCase):
    def test_names(self) -> None:
        """
        The exact name first, then the longest wildcard, then the service without names.
        """
        hosts = {
            name: self.host(name)
            for name in ("a.example", "*.b.example", "x.b.example", "*.c.b.example", "rest")
        }
        self.startTxlb(
            self.configuration(
                ("wild", 'serverNames="*.b.example"', hosts["*.b.example"]),
                ("one", 'serverNames="a.example"', hosts["a.example"]),
                ("exact", 'serverNames="x.b.example"', hosts["x.b.example"]),
                ("longer", 'serverNames="*.c.b.example"', hosts["*.c.b.example"]),
                ("rest", "", hosts["rest"]),
            )
        )
        for name, wanted in (
            ("a.example", "a.example"),
            ("A.EXAMPLE", "a.example"),
            ("x.b.example", "x.b.example"),
            ("y.b.example", "*.b.example"),
            ("z.y.b.example", "*.b.example"),
            ("d.c.b.example", "*.c.b.example"),
            ("b.example", "rest"),
            (None, "rest"),
        ):
            self.assertEqual(self.subject(name), wanted, name)

    def test_none(self) -> None:
        """
        Without a service for any name a client of another name is closed, as is one without
        TLS, and one whose bytes are none of TLS.
        """
        host = self.host("a.example")
        options = 'serverNames="a.example"'
        program = self.startTxlb(self.configuration(("one", options, host), timeout="500ms"))
        self.assertEqual(self.subject("a.example"), "a.example")
        self.assertIsNone(self.subject("b.example"))
        self.assertIsNone(self.subject(None))
        unexpected, unrecognized = Alert.UNEXPECTED_MESSAGE, Alert.UNRECOGNIZED_NAME
        for sent, answer in (
            (b"GET / HTTP/1.0\r\n\r\n", b""),
            (b"", b""),
            (b"\x16\x03\x01\0\0", unexpected.record),
            (hello()[:20], b""),
            (hello("b.example"), unrecognized.record),
        ):
            with connect(self.port) as client:
                client.sendall(sent)
                self.assertEqual(readAll(client), answer)
        program.waitFor("it asks for b.example")

    def test_ALPN(self) -> None:
        """
        A protocol of which only one service takes clients, as a certificate of ACME wants it.
        """
        hosts = {name: self.host(name) for name in ("a.example", "acme", "h2")}
        self.startTxlb(
            self.configuration(
                ("a", 'serverNames="a.example"', hosts["a.example"]),
                ("acme", 'serverNames="a.example" alpn="acme-tls/1"', hosts["acme"]),
                ("h2", 'alpn="h2"', hosts["h2"]),
            )
        )
        self.assertEqual(self.subject("a.example", "acme-tls/1"), "acme")
        self.assertEqual(self.subject("a.example", "h2", "http/1.1"), "a.example")
        self.assertEqual(self.subject("b.example", "http/1.1", "h2"), "h2")
        self.assertIsNone(self.subject("b.example", "http/1.1"))

    def test_plain(self) -> None:
        """
        A client without TLS, and one of a protocol whose server begins.
        """
        host = self.host("a.example")
        with RawHost() as plain:
            self.startTxlb(
                self.configuration(
                    ("tls", 'serverNames="a.example"', host),
                    ("plain", 'plain="yes"', plain.port),
                    timeout="300ms",
                )
            )
            with connect(self.port) as client:
                client.sendall(b"EHLO x\r\n")
                with plain.accept() as accepted:
                    self.assertEqual(accepted.recv(100), b"EHLO x\r\n")
            with connect(self.port) as client, plain.accept() as accepted:
                accepted.sendall(b"220 ready\r\n")
                self.assertEqual(client.recv(100), b"220 ready\r\n")
                client.sendall(b"QUIT\r\n")
                self.assertEqual(accepted.recv(100), b"QUIT\r\n")
            self.assertEqual(self.subject("a.example"), "a.example")

    def test_bytes(self) -> None:
        """
        Many bytes both ways through a session, whose ClientHello comes byte by byte.
        """
        with RawHost() as host:
            options = 'serverNames="a.example"'
            self.startTxlb(self.configuration(("one", options, host.port)))
            first = hello("a.example", size=7)
            with connect(self.port) as client:
                for at in range(len(first)):
                    client.sendall(first[at : at + 1])
                with host.accept() as accepted:
                    got = b""
                    while len(got) < len(first):
                        got += accepted.recv(4096)
                    self.assertEqual(got, first)
                    data = os.urandom(1 << 20)
                    for one, other in ((client, accepted), (accepted, client)):
                        self.assertEqual(self.across(one, other, data), digest(data))

    def across(self, one: socket.socket, other: socket.socket, data: bytes) -> str:
        """
        @return: the digest of what arrives.
        """
        got = b""
        one.settimeout(0)
        left = memoryview(data)
        while len(got) < len(data):
            try:
                left = left[one.send(left) :] if left else left
            except BlockingIOError:
                pass
            got += other.recv(1 << 16)
        one.settimeout(60)
        return digest(got)

    def test_reload(self) -> None:
        """
        A name comes and goes live. A session that is open goes on, and the socket stays.
        """
        # OpenSSL's server has one client at a time.
        a, b, plain = freePorts(3)
        names = (("a.example", a), ("b.example", b))
        sites(self, server(plain, "ready"), *(self.webServer(*each) for each in names))
        one = ("a", 'serverNames="a.example"', a)
        other = ("b", 'serverNames="b.example"', b)
        program = self.startTxlb(self.configuration(("a", "", a)))
        self.assertEqual(self.subject("b.example"), "a.example")
        context = ssl.create_default_context(cafile=str(self.pems["a.example"]))
        sock = connect(self.port)
        with context.wrap_socket(sock, server_hostname="a.example") as client:
            for services, wanted in (
                ((one, other), ("a.example", "b.example", None)),
                ((other, ("a", "", a)), ("a.example", "b.example", "a.example")),
                ((other,), (None, "b.example", None)),
                ((one,), ("a.example", None, None)),
            ):
                self.write("config.xml", self.configuration(*services))
                program.process.send_signal(signal.SIGHUP)
                waitUntil(partial(self.serves, wanted))
            self.assertEqual(request(client), b"a.example\n")

    def webServer(self, name: str, port: int) -> str:
        """
        @return: the configuration of a host of nginx with a certificate for a name.
        """
        pem = self.pems[name] = certificate(self.folder, name)
        more = f"ssl_certificate {pem}; ssl_certificate_key {pem};"
        return server(port, name, more, "ssl")

    def serves(self, wanted: tuple[str | None, ...]) -> bool:
        """
        @return: whether clients of three names get the servers that they should.
        """
        names = ("a.example", "b.example", "c.example")
        return tuple(self.subject(name) for name in names) == wanted


class PortableServerNameTests(ServerNameTests):
    """
    The same with the portable relay.
    """

    relay = "portable"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
