"""
Hosts by names: several addresses of which some are dead. Each test runs in a namespace
with names of its own, once for each relay.
"""

from __future__ import annotations

import contextlib
import time

from tests.integration.support import (
    SILENT,
    IntegrationTestCase,
    Program,
    connectUNIX,
    inNamespace,
    waitUntil,
)

CONFIG = """
<config>
  <service name="web" relay="{relay}" {service}>
    <listen ip="unix:{listen}"/>
    <group name="main" enable="yes" {group}>{check}<host name="h" ip="{name}:80"/></group>
  </service>
</config>
"""

#: An address from which not so much as a refusal comes back.
SILENT4 = "192.0.2.1"

#: Others, which the system sorts before C{127.0.0.1} as soon as the machine has C{OWN6}
#: (RFC 6724).
SILENT6 = ("2001:db8::1", "2001:db8::2")
OWN6 = "ip -6 addr add 2001:db8::fe/128 dev lo nodad"


class SeveralAddressesTests(IntegrationTestCase):
    relay = "fast"

    def balance(
        self,
        *addresses: str,
        there: tuple[str, ...] = ("good=127.0.0.1:80",),
        service: str = "",
        check: str = "",
        group: str = "",
        steps: tuple[str, ...] = (),
    ) -> Program:
        """
        Start a balancer with one host, whose name has these addresses.

        @param there: the hosts that are really there.
        """
        self.listen = str(self.shortFolder() / "s")
        config = CONFIG.format(
            relay=self.relay,
            listen=self.listen,
            service=service,
            check=check,
            group=group,
            name="host.example",
        )
        steps = (*SILENT, *steps)
        before = inNamespace(self, *steps, hosts=there, names={"host.example": addresses})
        return self.startTxlb(config, before=before)

    def come(self, count: int) -> tuple[list[str], float]:
        """
        So many clients come at once.

        @return: what each is told, nothing if it is closed; and how many seconds it took
            until the last was.
        """
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connectUNIX(self.listen)) for _ in range(count)]
            answers = []
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    answers.append(client.recv(100).decode("ascii").strip())
            return answers, time.monotonic() - began

    def test_servedOnIPv4Only(self) -> None:
        """
        A name with C{::1} and C{127.0.0.1}, as C{localhost} has, that is served on IPv4
        only: nobody is closed, the first client after the start included, and the host
        stays up.
        """
        program = self.balance("::1", "127.0.0.1")
        answers, took = self.come(1)
        self.assertEqual(answers, ["good"])
        answers, _ = self.come(20)
        self.assertEqual(answers, ["good"] * 20)
        self.show(f"the first client was served in {took:.3f} s")
        self.assertNotRegex(program.output, "host-down|closed")
        self.assertRegex(program.output, r"host-resolved web/main/h: is at .*\[::1\]")

    def test_firstAddressIsSilent(self) -> None:
        """
        A name whose first address drops SYNs: all that come at once are served, after
        250 ms (RFC 8305, section 5) and not after C{connectTimeout}, which is 5 s. Those
        that come later begin at the address that has answered.
        """
        program = self.balance(*SILENT6, "127.0.0.1", steps=(OWN6,))
        waitUntil(lambda: "host-resolved" in program.output)
        self.assertRegex(program.output, r"is at \[2001:db8::1\]")
        answers, first = self.come(20)
        self.assertEqual(answers, ["good"] * 20)
        self.assertGreater(first, 0.25)
        self.assertLess(first, 2.5)
        answers, later = self.come(20)
        self.assertEqual(answers, ["good"] * 20)
        self.assertLess(later, 0.25)
        self.show(f"20 of 20 in {first:.3f} s, later in {later:.3f} s")
        self.assertNotRegex(program.output, "host-down|closed")

    def test_shortTimeout(self) -> None:
        """
        With a C{connectTimeout} of less than 250 ms the next address has its turn within
        that.
        """
        self.balance(
            SILENT6[0],
            "127.0.0.1",
            service='connectTimeout="0.1" dialTimeout="1"',
            steps=(OWN6,),
        )
        answers, _ = self.come(20)
        self.assertEqual(answers, ["good"] * 20)

    def test_noAddressAnswers(self) -> None:
        """
        If no address answers the client is closed within C{dialTimeout}, and the log
        names each.
        """
        program = self.balance(
            SILENT4, "192.0.2.2", there=(), service='connectTimeout="1" dialTimeout="3"'
        )
        answers, took = self.come(5)
        self.assertEqual(answers, [""] * 5)
        self.assertLess(took, 3.0)
        waitUntil(lambda: "host-down" in program.output)
        self.assertRegex(
            program.output,
            r"host-down web/main/h: timeout \(192.0.2.\d:80: no answer in time; "
            r"192.0.2.\d:80: no answer in time\)",
        )

    def test_checked(self) -> None:
        """
        A check tries all addresses as well, so that a host is up if one of them is; and
        clients begin where the check has reached it.
        """
        program = self.balance(
            *SILENT6,
            "127.0.0.1",
            steps=(OWN6,),
            check='<check type="tcp" interval="1" timeout="0.6" fall="1" rise="1"/>',
            group='initialState="check"',
        )
        waitUntil(lambda: "host-up web/main/h" in program.output)
        answers, took = self.come(20)
        self.assertEqual(answers, ["good"] * 20)
        self.assertLess(took, 0.25)

    def test_probed(self) -> None:
        """
        So does a probe.
        """
        program = self.balance(
            *SILENT6,
            "127.0.0.1",
            steps=(OWN6,),
            there=("75%=127.0.0.1:80",),
            check='<resource probe="agent" interval="1"/>',
        )
        waitUntil(lambda: "host-load-known web/main/h" in program.output)
        self.assertNotRegex(program.output, "does not say what it has left")
        _, took = self.come(1)
        self.assertLess(took, 0.25)


class SilentNameTests(IntegrationTestCase):
    """
    Names for which the name server has no answer.
    """

    def balance(self, *hosts: str) -> tuple[Program, float]:
        """
        Start a balancer in a namespace whose name server is silent.

        @return: the program, and when it said that it listens.
        """
        self.listen = str(self.shortFolder() / "s")
        elements = "".join(f'<host name="h{n}" ip="{ip}"/>' for n, ip in enumerate(hosts))
        config = f"""
          <config>
            <service name="web">
              <listen ip="unix:{self.listen}"/>
              <group name="main" enable="yes">{elements}</group>
            </service>
          </config>"""
        before = inNamespace(self, *SILENT, hosts=("good=127.0.0.1:80",), resolver="192.0.2.53")
        program = self.startTxlb(config, before=before)
        program.waitFor("web listens on")
        return program, time.monotonic()

    def come(self) -> str:
        """
        @return: what a client is told; nothing if it is closed.
        """
        with connectUNIX(self.listen) as client:
            return client.recv(100).decode("ascii").strip()

    def test_oneAddress(self) -> None:
        """
        A name that is silent holds no client up while another host has an address. The
        log says which name has no answer, and what that means for its host.
        """
        program, began = self.balance("silent.example:80", "127.0.0.1:80")
        self.assertEqual(self.come(), "good")
        took = time.monotonic() - began
        self.assertLess(took, 2.0)
        program.waitFor(
            r"host-unresolved web/main/h0: silent.example can't be resolved \(no answer for 5 s\)"
        )
        self.assertNotIn("does not accept", program.output)
        self.show(f"served {took:.3f} s after it listens, beside a silent name")

    def test_noAddress(self) -> None:
        """
        If no host has an address the service waits for five seconds, and the log says
        what for.
        """
        program, began = self.balance("silent.example:80", "other.example:80")
        self.assertEqual(self.come(), "")
        took = time.monotonic() - began
        self.assertGreater(took, 3.0)
        self.assertLess(took, 8.0)
        self.assertRegex(
            program.output,
            "web does not accept clients yet: none of its hosts has an address, as the look-up "
            "of silent.example, other.example has had no answer for 1 s",
        )
        self.assertRegex(
            program.output,
            "web accepts clients, though none of its hosts has an address: the look-up of "
            "silent.example, other.example has had no answer for 5 s",
        )


class PortableSeveralAddressesTests(SeveralAddressesTests):
    """
    The same with the portable relay.
    """

    relay = "portable"
