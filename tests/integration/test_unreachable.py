"""
Hosts that this machine itself keeps from being reached: it has no such addresses, no
route, no free port, or a rule against it. Each test runs in a network namespace, once
for each relay.
"""

from __future__ import annotations

import contextlib
import socket

from tests.integration.support import (
    IntegrationTestCase,
    Program,
    connectUNIX,
    inNamespace,
    waitUntil,
)

CONFIG = """
<config>
  <service name="web" relay="{relay}" dialTimeout="5">
    <listen ip="unix:{listen}"/>
    <group name="main" scheduler="{scheduler}" enable="yes">{check}{hosts}</group>
  </service>
</config>
"""

NO_IPV6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"

CHECK = '<check type="tcp" interval="0.2" fall="2" rise="1"/>'


class UnreachableTests(IntegrationTestCase):
    relay = "fast"

    def setUp(self) -> None:
        super().setUp()
        self.clients: list[socket.socket] = []

    def balance(
        self,
        *steps: str,
        hosts: tuple[str, ...],
        there: tuple[str, ...] = (),
        scheduler: str = "roundr",
        check: str = "",
        withoutIPv6Sockets: bool = False,
    ) -> Program:
        """
        Start a balancer in a namespace.

        @param steps: what prepares the namespace.
        @param hosts: the addresses of its hosts, C{h0}, C{h1} and so on.
        @param there: the hosts that are really there, as C{name=address:port}.
        """
        self.listen = str(self.shortFolder() / "s")
        elements = "".join(f'<host name="h{n}" ip="{ip}"/>' for n, ip in enumerate(hosts))
        config = CONFIG.format(
            relay=self.relay, listen=self.listen, scheduler=scheduler, check=check, hosts=elements
        )
        before = inNamespace(self, *steps, hosts=there, withoutIPv6Sockets=withoutIPv6Sockets)
        return self.startTxlb(config, before=before)

    def come(self, count: int) -> list[socket.socket]:
        """
        So many clients connect at once.
        """
        clients = []
        for _ in range(count):
            client = connectUNIX(self.listen)
            self.addCleanup(client.close)
            clients.append(client)
        self.clients += clients
        return clients

    def answers(self, clients: list[socket.socket]) -> list[str]:
        """
        What each client is told; nothing if it is closed.
        """
        found = []
        for client in clients:
            with contextlib.suppress(ConnectionError):
                found.append(client.recv(100).decode("ascii").strip())
        return found

    def end(self, program: Program) -> None:
        """
        End the clients, then the balancer.
        """
        for client in self.clients:
            client.close()
        self.clients.clear()
        self.stopTwistd(program)

    def isDown(self, program: Program, host: str, why: str) -> None:
        """
        A host is to be down, and the log to say why.
        """
        waitUntil(lambda: f"host-down web/main/{host}" in program.output)
        self.assertRegex(program.output, f"host-down web/main/{host}: .*{why}")

    def test_noLocalPorts(self) -> None:
        """
        With all local ports towards one host in use the others take the clients, as a
        port that is in use towards one address is free towards another: connect(2)
        looks for one that makes the pair of addresses a new one. The host stays in, as
        it is not to blame.
        """
        narrow = "echo '40000 40009' > /proc/sys/net/ipv4/ip_local_port_range"
        program = self.balance(
            narrow,
            hosts=("127.0.0.1:80", "127.0.0.2:80"),
            there=("h0=127.0.0.1:80", "h1=127.0.0.2:80"),
            scheduler="first",
        )
        answers = self.answers(self.come(15))
        self.assertEqual(sorted(answers), ["h0"] * 10 + ["h1"] * 5)
        self.assertNotRegex(program.output, "host-down|closed")

    def test_noLocalPortsAtAll(self) -> None:
        """
        If that is so for every host the client is closed, and the log says that it is
        this machine's fault, and which setting it is about.
        """
        narrow = "echo '40000 40009' > /proc/sys/net/ipv4/ip_local_port_range"
        program = self.balance(
            narrow, hosts=("127.0.0.1:80",), there=("h0=127.0.0.1:80",), check=CHECK
        )
        clients = self.come(15)
        answers = self.answers(clients)
        # A check may have a port just then.
        self.assertIn(answers.count(""), {5, 6})
        waitUntil(lambda: "can't be checked" in program.output)
        self.assertRegex(
            program.output,
            r"clients? closed, local: the local ports towards it are used up "
            r"\(net.ipv4.ip_local_port_range\); this machine is at fault, so no host",
        )
        self.assertNotRegex(program.output, "host-down")
        # A port that is free again is used again.
        for client in clients:
            client.close()
        waitUntil(lambda: self.answers(self.come(1)) == ["h0"])

    def test_noIPv6(self) -> None:
        """
        With IPv6 off, which connect(2) says by the same number, an IPv6 host is down,
        nobody is closed for it, and the log says why.
        """
        program = self.balance(
            NO_IPV6, hosts=("[::1]:80", "127.0.0.1:80"), there=("h1=127.0.0.1:80",)
        )
        self.assertEqual(self.answers(self.come(20)), ["h1"] * 20)
        self.isDown(program, "h0", "this machine has no IPv6 address to connect from")

    def test_noIPv6Checked(self) -> None:
        """
        So it is by its check, before any client comes.
        """
        program = self.balance(
            NO_IPV6, hosts=("[::1]:80", "127.0.0.1:80"), there=("h1=127.0.0.1:80",), check=CHECK
        )
        self.isDown(program, "h0", "this machine has no IPv6 address to connect from")
        self.assertEqual(self.answers(self.come(20)), ["h1"] * 20)

    def test_noIPv6Sockets(self) -> None:
        """
        So it is if the process may not have such sockets, or the kernel has none.
        """
        for check in ("", CHECK):
            program = self.balance(
                hosts=("[::1]:80", "127.0.0.1:80"),
                there=("h1=127.0.0.1:80",),
                withoutIPv6Sockets=True,
                check=check,
            )
            if check:
                self.isDown(program, "h0", "this machine has no IPv6")
            self.assertEqual(self.answers(self.come(20)), ["h1"] * 20)
            self.isDown(program, "h0", "this machine has no IPv6")
            self.end(program)

    def test_noRoute(self) -> None:
        """
        So it is if no route leads there.
        """
        for address, family in (("[2001:db8::1]:80", "IPv6"), ("192.0.2.1:80", "IPv4")):
            program = self.balance(hosts=(address, "127.0.0.1:80"), there=("h1=127.0.0.1:80",))
            self.assertEqual(self.answers(self.come(20)), ["h1"] * 20)
            self.isDown(program, "h0", rf"no {family} route to it \(network unreachable\)")
            self.end(program)

    def test_forbidden(self) -> None:
        """
        So it is if a rule of this machine forbids the way.
        """
        for check in ("", CHECK):
            program = self.balance(
                "ip route add prohibit 192.0.2.0/24",
                hosts=("192.0.2.1:80", "127.0.0.1:80"),
                there=("h1=127.0.0.1:80",),
                check=check,
            )
            if not check:
                self.assertEqual(self.answers(self.come(20)), ["h1"] * 20)
            self.isDown(program, "h0", "a firewall or route of this machine forbids it")
            self.end(program)


class PortableUnreachableTests(UnreachableTests):
    """
    The same with the portable relay.
    """

    relay = "portable"
