"""
A configuration file as version 1.1.0 wrote it.
"""

from __future__ import annotations

import math
from collections import Counter

from tests.integration.support import IntegrationTestCase, bodyOf, freePorts, server, sites

REQUESTS = 4000
SHARE = 0.75
TOLERANCE = 0.03

#: Every element and attribute of that format is here.
CONFIG = """\
<?xml version="1.0"?>
<config>
    <service name="web">
        <listen ip="127.0.0.1:{web1}" />
        <listen ip="127.0.0.1:{web2}" />
        <group name="main" scheduler="weightr" enable="true">
            <host name="host1" ip="127.0.0.1:{host1}" weight="1" />
            <host name="host2" ip="127.0.0.1:{host2}" weight="3" />
        </group>
        <group name="spare" scheduler="rand" enable="false">
            <host name="host3" ip="127.0.0.1:{host3}" />
        </group>
    </service>
    <service name="mail">
        <listen ip="127.0.0.1:{mail}" />
        <group name="main" scheduler="roundr" enable="yes">
            <host name="host3" ip="127.0.0.1:{host3}" />
        </group>
        <group name="spare" scheduler="leastc" enable="no">
            <host ip="127.0.0.1:{host1}" weight="1" />
        </group>
    </service>
    <admin>
        <web listen="127.0.0.1:{pages}" enable="true" secure="false" refresh="30" />
        <ssh listen="127.0.0.1:{ssh}" enable="true" />
        <user name="admin" password="QBdvFuqZtZWv." access="full" />
        <user name="guest" password="QBdvFuqZtZWv." access="readonly" />
    </admin>
    <manager>
        <hostCheck interval="120" enable="true" />
        <configCheck interval="30" enable="true" />
        <heartbeat interval="60" enable="false" />
    </manager>
    <control socket="{short}/control" />
    <logging file="{folder}/txlb.log" />
</config>
"""

NAMES = ("web1", "web2", "mail", "pages", "ssh", "host1", "host2", "host3")


class OldFormatTests(IntegrationTestCase):
    """
    C{twistd -n txlb -c} with a file of version 1.1.0.
    """

    def test_everyElement(self) -> None:
        """
        The whole format is read, and weights are honoured.
        """
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        sites(self, *(server(ports[name], name) for name in ("host1", "host2", "host3")))
        program = self.startTxlb(
            CONFIG.format(folder=self.folder, short=self.shortFolder(), **ports)
        )

        answers = Counter(
            bodyOf(ports["web2"] if turn % 2 else ports["web1"]) for turn in range(REQUESTS)
        )

        share = answers[b"host2\n"] / REQUESTS
        sigma = math.sqrt(SHARE * (1 - SHARE) / REQUESTS)
        self.show(
            f"{REQUESTS} requests, weights 1 and 3: host2 had {share:.2%} "
            f"(a standard deviation is {sigma:.2%})"
        )
        self.assertGreater(TOLERANCE, 4 * sigma)
        self.assertEqual(set(answers), {b"host1\n", b"host2\n"})
        self.assertLess(abs(share - SHARE), TOLERANCE)

        # A group of the same name belongs to another service.
        mail = Counter(bodyOf(ports["mail"]) for _ in range(20))
        self.assertEqual(mail, Counter({b"host3\n": 20}))
        # What may be meant otherwise is said, with its line.
        for line in ("log in to the console", "crypt"):
            self.assertRegex(program.output, rf"config\.xml:\d+: .*{line}")
        # What <hostCheck> asks for is done.
        self.assertIn("checking 5 hosts", program.output)
        self.assertIn("web: relay: fast", (self.folder / "txlb.log").read_text("utf-8"))
