"""
Clients whose address a PROXY header tells, which real programs send.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.certificates import Authority, put
from tests.integration.support import (
    PATIENCE,
    IntegrationTestCase,
    connect,
    freePorts,
    readAll,
    request,
    server,
    sites,
    source,
    waitUntil,
)
from txlb.wire import ProxyHeaderReader, TLSFacts, encodeProxyV2

CONFIG = """
<config>
  <service name="web" relay="{relay}">
    <listen ip="{listen}" proxyProtocol="v1 v2" prefaceTimeout="{timeout}" {trusted}/>
    <group name="hosts" enable="yes" sendProxy="v2">
      <host name="host" ip="127.0.0.1:{host}"/>
    </group>
  </service>
  <logging file="{log}" connections="yes" format="json"/>
</config>
"""

HAPROXY = """
defaults
    mode tcp
    timeout connect 30s
    timeout client 30s
    timeout server 30s
frontend front
    bind {bind}
    unique-id-format %ci:%cp
    default_backend back
backend back
    server txlb {server} {options}
"""

SENDING = """
<config>
  <service name="web" relay="{relay}">
    <listen ip="127.0.0.1:{port}" proxyProtocol="v2" trusted="127.0.0.1"/>
    <group name="hosts" enable="yes" sendProxy="v2-ssl">
      <host name="host" ip="127.0.0.1:{host}"/>
    </group>
  </service>
</config>
"""

BEHIND = """
defaults
    mode http
    timeout connect 30s
    timeout client 30s
    timeout server 30s
frontend behind
    bind 127.0.0.1:{port} accept-proxy
    http-request return status 200 content-type text/plain lf-string "{answer}"
"""

ENDING = """
<config>
  <service name="web" relay="{relay}">
    <listen ip="127.0.0.1:{port}">
      <tls certificates="certs" clientCA="ca.txt" clientCertificates="optional" alpn="http/1.1"/>
    </listen>
    <group name="hosts" enable="yes" sendProxy="v2-ssl">
      <host name="host" ip="127.0.0.1:{host}"/>
    </group>
  </service>
</config>
"""

ANSWER = "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_port"


class HeaderCase(IntegrationTestCase):
    """
    A proxy in front of txlb, and nginx behind it, which tells what it was told.
    """

    relay = "fast"

    def balancer(
        self, listen: str = "", trusted: str = 'trusted="127.0.0.0/8 ::1"', timeout: str = "30s"
    ) -> int:
        """
        Start txlb.

        @return: its port.
        """
        port, host, plain = freePorts(3)
        # Readiness is asked of a listener that wants no header.
        sites(self, server(plain, "ready"), server(host, ANSWER, listen="proxy_protocol"))
        listen = listen or f"127.0.0.1:{port}"
        self.startTxlb(
            CONFIG.format(
                listen=listen.format(port=port),
                host=host,
                relay=self.relay,
                trusted=trusted,
                timeout=timeout,
                log=self.folder / "connections.log",
            )
        )
        return port

    def haproxy(self, to: str, options: str, bind: str = "") -> int:
        """
        Start HAProxy in front of it.

        @return: its port.
        """
        self.need("haproxy")
        (port,) = freePorts(1)
        path = self.write(
            f"haproxy-{port}.cfg",
            HAPROXY.format(bind=bind.format(port) or f":::{port} v4v6", server=to, options=options),
        )
        self.start("haproxy", "-db", "-f", path).waitForPort(port)
        return port

    def logged(self) -> list[str]:
        """
        The clients in the log of connections, without the brackets of IPv6.
        """
        path = self.folder / "connections.log"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines if '"client"' in line]
        return [row["client"].replace("[", "").replace("]", "") for row in rows]


class HAProxyTests(HeaderCase):
    def tells(self, connectTo: Callable[[], socket.socket], port: int) -> None:
        """
        Twenty clients, each of which is told from the others.
        """
        names = []
        for _ in range(20):
            with connectTo() as client:
                for _ in range(2):
                    answer = request(client).decode("ascii").strip()
                    self.assertEqual(answer, f"{source(client)} {port}")
                names.append(source(client))
        self.assertEqual(len(set(names)), 20)
        # The log has a client more, which has asked whether HAProxy is there.
        waitUntil(lambda: set(names) <= set(self.logged()))

    def test_version1(self) -> None:
        """
        The host and the log have the address of the client, and of HAProxy's end.
        """
        front = self.haproxy(f"127.0.0.1:{self.balancer()}", "send-proxy")
        self.tells(lambda: connect(front), front)

    def test_version2(self) -> None:
        """
        The header that is binary.
        """
        front = self.haproxy(f"127.0.0.1:{self.balancer()}", "send-proxy-v2")
        self.tells(lambda: connect(front), front)

    def test_IPv6(self) -> None:
        """
        A client of IPv6, whose proxy comes by IPv4.
        """
        front = self.haproxy(f"127.0.0.1:{self.balancer()}", "send-proxy-v2")
        self.tells(lambda: connect(front, "::1"), front)

    def test_UNIX(self) -> None:
        """
        HAProxy comes through a UNIX socket, whose clients are trusted without being named.
        """
        path = str(self.shortFolder() / "s")
        self.balancer(f"unix:{path}", "")
        front = self.haproxy(f"unix@{path}", "send-proxy-v2")
        self.tells(lambda: connect(front), front)

    def test_TLVs(self) -> None:
        """
        A client of TLS, with all that HAProxy tells of it.
        """
        self.need("openssl")
        pem = certificate(self.folder, "a.example")
        front = self.haproxy(
            f"127.0.0.1:{self.balancer()}",
            "send-proxy-v2-ssl-cn proxy-v2-options "
            "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id",
            f"127.0.0.1:{{}} ssl crt {pem}",
        )
        context = ssl.create_default_context(cafile=str(pem))
        self.tells(lambda: context.wrap_socket(connect(front), server_hostname="a.example"), front)


class PortableHAProxyTests(HAProxyTests):
    """
    The same with the portable relay.
    """

    relay = "portable"


class OtherTests(HeaderCase):
    def test_curl(self) -> None:
        """
        Curl begins with a header of its own connection.
        """
        self.need("curl")
        port = self.balancer()
        answer = subprocess.run(
            [
                "curl",
                "-sS",
                "--haproxy-protocol",
                f"127.0.0.1:{port}",
                "-w",
                "%{local_port}",
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        told, _, own = answer.partition("\n")
        self.assertEqual(told, f"127.0.0.1:{own} {port}")

    def closed(self, port: int, *pieces: bytes) -> None:
        """
        A client that is closed without an answer.
        """
        with connect(port) as client:
            for piece in pieces:
                client.sendall(piece)
            try:
                self.assertEqual(readAll(client), b"")
            except ConnectionResetError:
                pass

    def test_refused(self) -> None:
        """
        A trusted client without a header is closed, as is one whose header is not complete
        in time.
        """
        port = self.balancer(timeout="500ms")
        self.closed(port, b"GET / HTTP/1.0\r\n\r\n")
        self.closed(port)
        self.closed(port, b"PROXY TCP4 ", b"192.0.2.1 ")
        self.closed(port, b"\r\n\r\n\0\r\nQUIT\n\x21")
        self.closed(port, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 99999\r\n\r\n")
        self.assertEqual(self.logged(), [])

    def test_notTrusted(self) -> None:
        """
        Of the others one with a header is closed, and one without a header is served, with
        the address of its socket.
        """
        port = self.balancer(trusted='trusted="192.0.2.0/24"', timeout="500ms")
        self.closed(port, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.0\r\n\r\n")
        self.closed(port, b"PROX")
        with connect(port) as client:
            self.assertEqual(request(client).decode().strip(), f"{source(client)} {port}")

    def test_anyBytes(self) -> None:
        """
        What follows the header in one piece is the host's, all of it.
        """
        port = self.balancer()
        with connect(port) as client:
            head = b"PROXY TCP4 192.0.2.1 192.0.2.2 7 8\r\n"
            many = b"X-Y: " + b"z" * 4000 + b"\r\n"
            client.sendall(head + b"GET / HTTP/1.0\r\n" + many + b"\r\n")
            self.assertTrue(readAll(client).endswith(b"192.0.2.1:7 8\n"))

    def test_TLVsForHosts(self) -> None:
        """
        HAProxy behind is told the name and the identifier that came with the client, and gets an
        identifier if none came.
        """
        self.need("haproxy")
        port, host = freePorts(2)
        path = self.write(
            "behind.cfg",
            BEHIND.format(port=host, answer="%[src] %[fc_pp_authority] %[fc_pp_unique_id]"),
        )
        self.start("haproxy", "-db", "-f", path).waitForPort(host)
        config = SENDING.format(port=port, host=host, relay=self.relay)
        self.startTxlb(config)
        ends = ("192.0.2.1", 1), ("192.0.2.2", 2)
        for tlvs, wanted in (
            (((2, b"a.example"), (5, b"id-7")), rb"192.0.2.1 a.example id-7\Z"),
            ((), rb"192.0.2.1  [0-9a-f]{32}\Z"),
        ):
            with connect(port) as client:
                client.sendall(encodeProxyV2(*ends, tlvs))
                self.assertRegex(request(client), wanted)

    def ending(self, host: int) -> tuple[int, ssl.SSLContext]:
        """
        Start txlb, where TLS ends.

        @return: its port, and the context of a client.
        """
        authority = Authority()
        ca = put(str(self.folder), "ca.txt", authority.pem)
        put(str(self.folder / "certs"), "a.pem", *authority.certify(["a.example"]))
        own = put(str(self.folder), "c.pem", *authority.certify([], common="carol"))
        (port,) = freePorts(1)
        self.startTxlb(ENDING.format(port=port, host=host, relay=self.relay))
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(own)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return port, context

    def test_endedHere(self) -> None:
        """
        HAProxy behind is told the name that the client asked for in the TLS that ends here.
        """
        self.need("haproxy")
        (host,) = freePorts(1)
        path = self.write(
            "behind.cfg", BEHIND.format(port=host, answer="%[src] %[fc_pp_authority]")
        )
        self.start("haproxy", "-db", "-f", path).waitForPort(host)
        port, context = self.ending(host)
        with context.wrap_socket(connect(port), server_hostname="a.example") as client:
            self.assertEqual(request(client), b"127.0.0.1 a.example")

    def test_factsOfTLS(self) -> None:
        """
        A host is told the version, the cipher, the protocol, and the certificate of the client.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(PATIENCE)
            port, context = self.ending(listening.getsockname()[1])
            with context.wrap_socket(connect(port), server_hostname="a.example") as client:
                host, _ = listening.accept()
                with host:
                    host.settimeout(PATIENCE)
                    reader, header = ProxyHeaderReader(), None
                    while header is None:
                        data = host.recv(1)
                        self.assertTrue(data)
                        header = reader.feed(data)
                    cipher = client.cipher()
                    assert cipher is not None
                    facts = TLSFacts(
                        "TLSv1.3", cipher[0], "carol", "ecdsa-with-SHA256", "EC256", True, True, 0
                    )
                    self.assertEqual(header.tls, facts)
                    self.assertEqual((header.authority, header.alpn), ("a.example", "http/1.1"))
                    self.assertEqual(header.source, client.getsockname())


class PortableOtherTests(OtherTests):
    """
    The same with the portable relay.
    """

    relay = "portable"


def certificate(folder: Path, file: str, name: str = "") -> Path:
    """
    Make a certificate that signs itself, with its key in the same file.
    """
    name = name or file
    pem = folder / f"{file}.pem"
    key = folder / f"{file}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", key, "-out", pem],
        check=True,
        capture_output=True,
    )  # fmt: skip
    pem.write_text(pem.read_text() + key.read_text())
    return pem
