"""
Link-local addresses of IPv6, which have a zone: everywhere something is connected to or
listened on all four members of a socket's name count (envoy 23719). The tests run in a
network namespace with two interfaces that are joined, once for each relay.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.integration.programs import PATIENCE, environment
from tests.integration.support import IntegrationTestCase, connectUNIX, inNamespace, waitUntil

#: What goes out at v0 comes in at v1.
STEPS = (
    "ip link add v0 type veth peer name v1",
    "ip link set v0 up",
    "ip link set v1 up",
    "ip -6 addr flush dev v0",
    "ip -6 addr flush dev v1",
    "ip -6 addr add fe80::1/64 dev v0 nodad",
    "ip -6 addr add fe80::2/64 dev v1 nodad",
)

#: Clients come by a UNIX socket to the service "front", which sends them through the joined
#: interfaces to the service "back".
CONFIG = """
<config>
  <service name="front" relay="{relay}">
    <listen ip="unix:{listen}"/>
    <group name="main" scheduler="leastc" enable="yes">
      <check type="tcp" interval="0.2" fall="1" rise="1"/>
      <host name="h0" ip="[fe80::2%v0]:8080"/>
    </group>
  </service>
  <service name="back" relay="{relay}">
    <listen ip="[fe80::2%v1]:8080"/>
    <group name="main" scheduler="resource" enable="yes">
      <check type="expect" interval="0.2" fall="1" rise="1" expect="hello"/>
      <resource probe="agent" interval="0.2" port="9999"/>
      <host name="h0" ip="[fe80::2%v0]:80"/>
    </group>
    <group name="gone" scheduler="leastc">
      <check type="tcp" interval="0.2" fall="1" rise="1"/>
      <host name="h0" ip="[fe80::2%none0]:80"/>
    </group>
  </service>
  <admin><ssh listen="[fe80::2%v1]:2222" enable="yes"/></admin>
  <control socket="{control}"/>
  <logging file="{log}" connections="yes"/>
</config>
"""


class ZoneTests(IntegrationTestCase):
    relay = "fast"

    def test_everywhere(self) -> None:
        """
        Traffic, checks, probes and the manhole use the zone, and logs have it.
        """
        folder = self.shortFolder()
        listen, control, log = folder / "s", folder / "run" / "control", folder / "log"
        before = inNamespace(self, *STEPS, hosts=("hello=[fe80::2%v1]:80", "50%=[fe80::2%v1]:9999"))
        program = self.startTxlb(
            CONFIG.format(relay=self.relay, listen=listen, control=control, log=log),
            before=before,
        )
        program.waitFor("the control socket is")
        self.assertIn("back listens on [fe80::2%v1]:8080", program.output)
        self.assertIn("the manhole listens on [fe80::2%v1]:2222", program.output)
        for _ in range(3):
            with connectUNIX(str(listen)) as client:
                self.assertEqual(client.recv(100), b"hello\n")
        # The check of the host in an interface that isn't there says so.
        waitUntil(lambda: "host-down back/gone/h0" in program.output)
        self.assertRegex(
            program.output, "host-down back/gone/h0: .*this machine has no network interface none0"
        )
        self.assertNotIn("host-down front", program.output)
        self.assertNotIn("host-down back/main", program.output)
        waitUntil(lambda: self.loadOf(control) == 0.5)
        # Checks of the service behind come as well, and send nothing.
        logged = r"\[fe80::1%v1\]:[0-9]+ back main/h0 \S+ 0/6 done"
        waitUntil(lambda: len(re.findall(logged, log.read_text("utf-8"))) == 3)
        self.stopTwistd(program)

    def loadOf(self, control: Path) -> float | None:
        """
        What the agent of the host has said, as C{txlb status} shows it.
        """
        done = subprocess.run(
            [sys.executable, "-m", "txlb", "status", "--json"],
            env=environment(TXLB_SOCKET=str(control)),
            stdout=subprocess.PIPE,
            timeout=PATIENCE,
            check=True,
        )
        services = {each["name"]: each for each in json.loads(done.stdout)["services"]}
        load: float | None = services["back"]["groups"][0]["hosts"][0]["load"]
        return load


class PortableTests(ZoneTests):
    relay = "portable"
