"""
Every kind of address, for listeners and for hosts, and hosts that can't be had.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections import Counter

from twisted.trial.unittest import SkipTest

from tests.integration.support import (
    IntegrationTestCase,
    bodyOf,
    connect,
    connectUNIX,
    freePorts,
    isClosedByPeer,
    readAll,
    request,
    server,
    sites,
    waitUntil,
)

CONFIG = """
<config>
  <service name="web" connectTimeout="5" resolveInterval="1">
    <listen ip="{listen}"/>
    <group name="hosts" scheduler="roundr" enable="yes" {group}>{hosts}</group>
  </service>
</config>
"""


def configuration(listen: str, *hosts: str, group: str = "") -> str:
    """
    The text of a configuration file.

    @param hosts: their addresses.
    """
    elements = "".join(f'<host name="host{n}" ip="{ip}"/>' for n, ip in enumerate(hosts, 1))
    return CONFIG.format(listen=listen, hosts=elements, group=group)


class AddressTests(IntegrationTestCase):
    """
    Kinds of addresses.
    """

    def test_unixSockets(self) -> None:
        """
        A listener and a host in the file system; only their owner gets in.
        """
        folder = self.shortFolder()
        port = freePorts(1)[0]
        listen, host = folder / "listen", folder / "host"
        sites(self, server(port, "ready"), server(f"unix:{host}", "by a socket"))
        program = self.startTxlb(configuration(f"unix:{listen}", f"unix:{host}"))
        mode = stat.S_IMODE(os.stat(listen).st_mode)
        self.assertEqual(mode, 0o600)
        for _ in range(10):
            with connectUNIX(str(listen)) as client:
                self.assertEqual(request(client), b"by a socket\n")
                self.assertEqual(request(client), b"by a socket\n")
        self.assertEqual(self.stopTwistd(program), 0)
        self.assertFalse(listen.exists())
        self.show(f"10 clients from one UNIX socket (mode {mode:o}) to another, removed at the end")

    def test_IPv6(self) -> None:
        """
        A listener and a host with IPv6 addresses.
        """
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
                sock.bind(("::1", 0))
        except OSError as error:
            raise SkipTest("this machine has no ::1") from error
        plain, host, port = freePorts(3)
        sites(self, server(plain, "ready"), server(f"[::1]:{host}", "$remote_addr"))
        self.startTxlb(configuration(f"[::1]:{port}", f"[::1]:{host}"))
        self.assertEqual(bodyOf(port, host="::1"), b"::1\n")
        self.show("a client at ::1 was served by a host at ::1")

    def test_everyInterface(self) -> None:
        """
        A listener on every interface takes both kinds of clients.
        """
        host, port = freePorts(2)
        sites(self, server(host, "host"))
        self.startTxlb(configuration(f"*:{port}", f"127.0.0.1:{host}"))
        self.assertEqual(bodyOf(port), b"host\n")
        if socket.has_ipv6:
            self.assertEqual(bodyOf(port, host="::1"), b"host\n")

    def test_names(self) -> None:
        """
        A host that has a name gets its share as soon as it was looked up. One whose
        name can't be resolved is down, and no reason not to start.
        """
        host1, host2, port = freePorts(3)
        sites(self, server(host1, "host1"), server(host2, "host2"))
        config = configuration(
            f"127.0.0.1:{port}",
            f"localhost:{host1}",
            f"127.0.0.1:{host2}",
            # This top-level domain is reserved for names that don't exist.
            "no-such-host.invalid:80",
        )
        program = self.startTxlb(config)
        program.waitFor("host-resolved web/hosts/host1")
        answers = Counter(bodyOf(port) for _ in range(40))
        self.assertEqual(answers, Counter({b"host1\n": 20, b"host2\n": 20}))
        found = program.waitFor(r".*no-such-host\.invalid can't be resolved.*")
        self.show(f"localhost and an address had 20 requests each; {found[0].split('] ')[-1]}")
        # It is said once, though it is looked up every second.
        ends = time.monotonic() + 2.5
        waitUntil(lambda: time.monotonic() > ends)
        self.assertEqual(program.output.count("no-such-host.invalid can't be resolved"), 1)

    def test_allDown(self) -> None:
        """
        Where all hosts are down the client is closed; when one is back, clients
        are served again.
        """
        host1, host2, port = freePorts(3)
        program = self.startTxlb(
            configuration(f"127.0.0.1:{port}", f"127.0.0.1:{host1}", f"127.0.0.1:{host2}")
        )
        for _ in range(10):
            with connect(port) as client:
                self.assertEqual(readAll(client), b"")
        sites(self, server(host2, "back"))
        # With all hosts marked each is tried for every client: nobody waits for
        # the time of a mark.
        answers = Counter(bodyOf(port) for _ in range(10))
        self.assertEqual(answers, Counter({b"back\n": 10}))
        program.waitFor(r"web/hosts/host2.*can be reached again")
        self.show("10 clients closed while all hosts were down, the next 10 served by one back")

    def test_allDownAndClosed(self) -> None:
        """
        Where marks count, a host that is back is tried again in its time.
        """
        host, port = freePorts(2)
        self.startTxlb(
            configuration(f"127.0.0.1:{port}", f"127.0.0.1:{host}", group='whenAllDown="close"')
        )
        with connect(port) as client:
            self.assertEqual(readAll(client), b"")
        sites(self, server(host, "back"))

        def served() -> bool:
            with connect(port) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                try:
                    return readAll(client).endswith(b"back\n")
                except ConnectionResetError:
                    return False

        waitUntil(served)
        self.assertEqual(bodyOf(port), b"back\n")

    def test_hostGoneInBetween(self) -> None:
        """
        A connection that waits is not closed because another's host has gone.
        """
        host1, host2, port = freePorts(3)
        first = sites(self, server(host1, "host1"))
        sites(self, server(host2, "host2"))
        self.startTxlb(
            configuration(f"127.0.0.1:{port}", f"127.0.0.1:{host1}", f"127.0.0.1:{host2}")
        )
        kept = connect(port), connect(port)
        answers = {request(each) for each in kept}
        self.assertEqual(answers, {b"host1\n", b"host2\n"})
        first.stop()
        waitUntil(lambda: any(isClosedByPeer(each) for each in kept))
        open_ = [each for each in kept if not isClosedByPeer(each)]
        self.assertEqual([request(each) for each in open_], [b"host2\n"])
        for each in kept:
            each.close()
