"""
Hosts from a real DNS server.
"""

from __future__ import annotations

import signal
from typing import Any

from tests.integration.programs import Program, get, waitUntil
from tests.integration.support import IntegrationTestCase, askTxlb, freePorts, server, sites

KNOT = """\
server:
    rundir: "{short}"
    listen: 127.0.0.1@{port}
database:
    storage: "{short}"
log:
  - target: stderr
    any: info
zone:
  - domain: example.org
    file: "{folder}/example.org.zone"
  - domain: broken.org
    file: "{folder}/broken.org.zone"
"""

ZONE = """\
$ORIGIN example.org.
$TTL 3600
@ 3600 SOA ns admin {serial} 3600 600 86400 1
@ NS ns
ns A 127.0.0.1
here A 127.0.0.1
_empty._tcp TXT "there are no services"
{records}
"""

GROUP = """\
    <group name="{name}" {more}>
      <discover from="dns" name="{query}" server="127.0.0.1:{port}" {options}/>
    </group>
"""

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:{listen}"/>
{groups}
  </service>
  <control socket="{control}"/>
</config>
"""

#: Records of an answer that does not fit into a datagram.
MANY = 300


class DNSSourceTests(IntegrationTestCase):
    """
    A balancer whose hosts are service records of knot.
    """

    needed = ("knotd", "nginx")

    def setUp(self) -> None:
        super().setUp()
        self.listen, self.one, self.two, self.port = freePorts(4)
        sites(self, server(self.one, "one"), server(self.two, "two"))
        self.control = str(self.shortFolder() / "control")
        self.serial = 1

    def zone(self, *records: str) -> None:
        self.serial += 1
        text = ZONE.format(serial=self.serial, records="\n".join(records))
        self.write("example.org.zone", text)

    def knot(self) -> Program:
        # The paths of its socket and of its database have few bytes.
        text = KNOT.format(folder=self.folder, short=self.shortFolder(), port=self.port)
        path = self.write("knot.conf", text)
        program = self.start("knotd", "-c", path)
        program.waitFor("server started")
        return program

    def reload(self, program: Program, *records: str) -> None:
        self.zone(*records)
        program.process.send_signal(signal.SIGHUP)

    def balancer(self, *groups: tuple[str, str, str]) -> None:
        """
        Start a balancer with groups, each with its name, the name to ask for, and more options.
        """
        made = [
            GROUP.format(
                name=name,
                query=query,
                options=options,
                port=self.port,
                more='scheduler="roundr" enable="yes"' if not number else "",
            )
            for number, (name, query, options) in enumerate(groups)
        ]
        self.startTxlb(
            CONFIG.format(listen=self.listen, groups="".join(made), control=self.control)
        )

    def ask(self, command: str) -> Any:
        return askTxlb(self.control, command)

    def sources(self) -> dict[str, Any]:
        return {each["group"]: each for each in self.ask("discovery")}

    def hosts(self, group: str = "main") -> dict[str, tuple[int, bool]]:
        """
        The weights of the hosts of a group, and whether they are backups.
        """
        groups = {each["name"]: each for each in self.ask("status")["services"][0]["groups"]}
        return {each["name"]: (each["weight"], each["backup"]) for each in groups[group]["hosts"]}

    def test_answers(self) -> None:
        """
        Priorities make backups. 300 records come by TCP. A name without records is an answer
        without hosts; a name that is unknown and a server that fails are failures.
        """
        self.zone(
            f"_web._tcp 1 SRV 10 5 {self.one} here",
            f"_web._tcp 1 SRV 20 1 {self.two} here",
            *(f"_many._tcp SRV 0 1 {10000 + number} here" for number in range(MANY)),
        )
        self.knot()
        self.balancer(
            ("main", "_web._tcp.example.org", ""),
            ("many", "_many._tcp.example.org", ""),
            ("empty", "_empty._tcp.example.org", ""),
            ("none", "_none._tcp.example.org", ""),
            ("broken", "_web._tcp.broken.org", ""),
            ("refused", "_web._tcp.elsewhere.org", ""),
            ("plain", "here.example.org", f'port="{self.one}"'),
        )
        waitUntil(lambda: all(each["age"] or each["trouble"] for each in self.sources().values()))
        waitUntil(lambda: self.sources()["many"]["hosts"] == MANY)
        self.assertEqual(
            self.hosts(),
            {f"here.example.org:{self.one}": (5, False), f"here.example.org:{self.two}": (1, True)},
        )
        self.assertEqual({get(self.listen) for _ in range(8)}, {"one\n"})
        sources = self.sources()
        self.assertEqual((sources["empty"]["hosts"], sources["empty"]["trouble"]), (0, ""))
        self.assertIn("there is no name", sources["none"]["trouble"])
        self.assertIn("failed to answer", sources["broken"]["trouble"])
        self.assertIn("refuses to answer", sources["refused"]["trouble"])
        self.assertEqual(self.hosts("plain"), {f"127.0.0.1:{self.one}": (1, False)})

    def test_lifetimes(self) -> None:
        """
        An answer is used for its lifetime, within bounds. While the server is away the hosts stay.
        """

        def records(port: int) -> list[str]:
            return [
                f"_short._tcp 1 SRV 0 1 {port} here",
                f"_long._tcp 3600 SRV 0 1 {port} here",
            ]

        self.zone(*records(self.one))
        knot = self.knot()
        self.balancer(
            ("main", "_short._tcp.example.org", 'maxRemove="1"'),
            ("bounded", "_long._tcp.example.org", 'maxInterval="1" maxRemove="1"'),
            ("long", "_long._tcp.example.org", 'maxInterval="3600" maxRemove="1"'),
        )
        before, after = ([f"here.example.org:{port}"] for port in (self.one, self.two))
        for group in ("main", "bounded", "long"):
            waitUntil(lambda group=group: list(self.hosts(group)) == before)  # type: ignore[misc]  # bound at once
        self.reload(knot, *records(self.two))
        for group in ("main", "bounded"):
            waitUntil(lambda group=group: list(self.hosts(group)) == after)  # type: ignore[misc]  # bound at once
        self.assertEqual(get(self.listen), "two\n")
        self.assertEqual(list(self.hosts("long")), before)
        knot.stop()
        waitUntil(lambda: self.sources()["main"]["trouble"])
        self.assertEqual(get(self.listen), "two\n")
        self.zone(*records(self.one))
        self.knot()
        waitUntil(lambda: list(self.hosts()) == before)
        self.assertEqual(get(self.listen), "one\n")
