"""
Clients that try to make TLS handshakes expensive: what they cost is counted.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
from contextlib import ExitStack

from tests.certificates import Authority, put
from tests.integration.support import (
    IntegrationTestCase,
    RawHost,
    connect,
    freePorts,
    manyDescriptors,
    readAll,
    residentBytes,
    waitUntil,
)
from tests.wire.hellos import extension, message, records

CONFIG = """\
<config>
  <service name="web" relay="{relay}">
    <listen ip="127.0.0.1:{port}">
      <tls certificates="certs" maxHandshakesPerClient="600"/>
    </listen>
    <group name="g" enable="yes"><host name="h" ip="127.0.0.1:{host}"/></group>
  </service>
</config>
"""

#: Clients at once that send a long ClientHello byte by byte, of which 600 are let in.
MANY = 1000

#: Clients that send garbage.
GARBAGE = 2000

#: Bytes that all of them together may cost.
MOST = 96 << 20


class TLSAttackTests(IntegrationTestCase):
    """
    The fast relay.
    """

    relay = "fast"

    def test_attacks(self) -> None:
        """
        Garbage, records that are too large before and after the handshake, and hellos without an
        end take a bounded memory. A client as it should be is served after the former.
        """
        self.addCleanup(manyDescriptors(4 * MANY))
        authority = Authority()
        ca = put(str(self.folder), "ca.txt", authority.pem)
        put(str(self.folder / "certs"), "a.pem", *authority.certify(["a.example"]))
        context = ssl.create_default_context(cafile=ca)
        (port,) = freePorts(1)
        chance = random.Random(15)
        kinds = (
            lambda: chance.randbytes(2000),
            lambda: b"\x16\x03\x01" + chance.randbytes(500),
            lambda: b"\x16\x03\x01\xff\xff" + bytes(3000),
            lambda: b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(3000),
        )
        with RawHost() as host, ExitStack() as stack:
            program = self.startTxlb(CONFIG.format(relay=self.relay, port=port, host=host.port))

            def served() -> ssl.SSLSocket:
                sock = connect(port)
                client = context.wrap_socket(sock, server_hostname="a.example")
                client.sendall(b"request")
                with host.accept() as accepted:
                    self.assertEqual(accepted.recv(100), b"request")
                return client

            served().close()
            memory = residentBytes(program.process.pid)
            for number in range(GARBAGE):
                with connect(port) as client, contextlib.suppress(ConnectionError):
                    client.sendall(kinds[number % len(kinds)]())
                    client.shutdown(socket.SHUT_WR)
                    self.assertLess(len(readAll(client)), 200)
            for _ in range(50):
                with served() as secure, contextlib.suppress(OSError):
                    with socket.socket(fileno=secure.fileno()) as raw:
                        raw.sendall(b"\x17\x03\x03\xff\xff" + bytes(70000))
                        raw.detach()
                    secure.recv(1)
            served().close()
            hello = records(message(extension(21, bytes(15000))))
            clients = [stack.enter_context(connect(port)) for _ in range(MANY)]
            for at in range(32):
                for client in clients:
                    with contextlib.suppress(ConnectionError):
                        client.sendall(hello[at : at + 1])
            program.waitFor("maxHandshakesPerClient")
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    client.sendall(hello[32:-1])
            grown = residentBytes(program.process.pid) - memory
            self.assertLess(grown, MOST)
            self.show(f"{grown >> 20} MiB")
            for client in clients:
                client.close()
            # The others are gone, so that there is room again.
            waitUntil(lambda: isServed(port, context))


def isServed(port: int, context: ssl.SSLContext) -> bool:
    """
    @return: whether a client gets its handshake.
    """
    try:
        context.wrap_socket(connect(port), server_hostname="a.example").close()
    except OSError:
        return False
    return True


class PortableTLSAttackTests(TLSAttackTests):
    """
    The portable relay.
    """

    relay = "portable"
