"""
Hosts that are told who the client is, by a PROXY header.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SkipTest

from tests.integration.support import (
    IntegrationTestCase,
    connect,
    freePorts,
    request,
    server,
    sites,
    source,
)

CONFIG = """
<config>
  <service name="web">
    <listen ip="{listen}:{port}"/>
    <group name="hosts" enable="yes" sendProxy="{version}">
      <host name="host" ip="127.0.0.1:{host}"/>
    </group>
  </service>
</config>
"""

ANSWER = "$proxy_protocol_addr:$proxy_protocol_port"


class ProxyHeaderTests(IntegrationTestCase):
    """
    nginx, which reads the header, says what it was told.
    """

    def _tells(self, version: str, address: str) -> None:
        port, host = freePorts(2)
        # Readiness is asked of a listener that wants no header.
        plain = freePorts(1)[0]
        sites(self, server(plain, "ready"), server(host, ANSWER, listen="proxy_protocol"))
        listen = f"[{address}]" if ":" in address else address
        self.startTxlb(CONFIG.format(listen=listen, port=port, host=host, version=version))
        told = set()
        for _ in range(20):
            with connect(port, address) as client:
                # Twice on one connection, as the header comes once.
                for _ in range(2):
                    answer = request(client).decode("ascii").strip()
                    self.assertEqual(answer, source(client))
                told.add(answer)
        self.assertEqual(len(told), 20)
        self.show(f"sendProxy={version}: nginx told 20 clients their addresses, as {answer}")

    def test_version1(self) -> None:
        """
        The header that is text.
        """
        self._tells("v1", "127.0.0.1")

    def test_version2(self) -> None:
        """
        The header that is binary.
        """
        self._tells("v2", "127.0.0.1")

    def test_IPv6Version1(self) -> None:
        """
        A client that came by IPv6, to a host that is reached by IPv4.
        """
        self._needIPv6()
        self._tells("v1", "::1")

    def test_IPv6Version2(self) -> None:
        """
        The same with the other version.
        """
        self._needIPv6()
        self._tells("v2", "::1")

    def _needIPv6(self) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            try:
                sock.bind(("::1", 0))
            except OSError as error:
                raise SkipTest("this machine has no ::1") from error
