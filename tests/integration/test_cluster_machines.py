"""
Clusters of balancers on three machines with a member of etcd each, by the file of
C{examples/machines}. The machines are network namespaces.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

from tests.integration.programs import ROOT, Program, waitUntil
from tests.integration.support import IntegrationTestCase, Machine, Machines, longestGap

CONFIG = ROOT / "examples" / "machines" / "config.xml"

HOST = "web/production/app1"


class Member:
    """
    A machine with a balancer and a member of etcd.
    """

    def __init__(self, machine: Machine, urls: list[str]) -> None:
        self.machine = machine
        self.name = machine.hostname
        self._urls = urls

    def startEtcd(self) -> Program:
        """
        Start the member of etcd.
        """
        machine = self.machine
        client, peer = self._urls[machine.number - 1], f"http://{machine.back}:2380"
        # By the numbers of the machines.
        cluster = ",".join(
            f"machine{number}={url.replace(':2379', ':2380')}"
            for number, url in enumerate(self._urls, start=1)
        )
        return machine.start(
            "etcd",
            f"--name={self.name}",
            f"--data-dir={machine.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={cluster}",
            "--heartbeat-interval=100",
            "--election-timeout=1000",
        )

    def startBalancer(self) -> None:
        """
        Start the balancer.
        """
        config = CONFIG.read_text(encoding="utf-8")
        self.program = self.machine.startTxlb(self.machine.withSocket(config))

    @property
    def cluster(self) -> dict[str, Any]:
        """
        The cluster as this member knows it.
        """
        done = self.machine.ask("cluster", "--json")
        found: dict[str, Any] = {"leads": False, "connected": False, "leader": "", "trouble": ""}
        return json.loads(done.stdout)[0] if done.returncode == 0 else found

    @property
    def leads(self) -> bool:
        """
        Whether it is the leader. It is so by the exit status, too.
        """
        return self.machine.ask("health", "--leader").returncode == 0

    @property
    def weight(self) -> int:
        """
        The weight of the host.
        """
        status = json.loads(self.machine.ask("status", "--json").stdout)
        (group,) = status["services"][0]["groups"]
        return int(next(each["weight"] for each in group["hosts"] if each["name"] == "app1"))

    def weigh(self, weight: int) -> bool:
        """
        Change the weight of the host.

        @return: whether the change was made.
        """
        return self.machine.ask("weight", HOST, str(weight)).returncode == 0


class ClusterMachinesTests(IntegrationTestCase):
    """
    Three machines of one cluster.
    """

    needed = ("ip", "etcd")

    def setUp(self) -> None:
        super().setUp()
        self.net = Machines(self, 3)
        self.net.startHosts()
        urls = [f"http://{each.back}:2379" for each in self.net.machines]
        self.members = [Member(each, urls) for each in self.net.machines]
        for program in [each.startEtcd() for each in self.members]:
            program.waitFor("ready to serve client requests")
        for member in self.members:
            member.startBalancer()
        waitUntil(lambda: all(each.cluster["connected"] for each in self.members))
        self.leader()

    def leader(self, *without: Member) -> Member:
        """
        Wait for a leader.

        @param without: members that do not count.
        """
        found: list[Member] = []

        def isFound() -> bool:
            found[:] = [each for each in self.members if each not in without and each.leads]
            return len(found) == 1

        waitUntil(isFound)
        return found[0]

    def agree(self, weight: int, members: list[Member]) -> bool:
        """
        Tell whether members agree on the weight of the host.
        """
        return all(each.weight == weight for each in members)

    def test_machines(self) -> None:
        """
        A machine that is cut off serves, and changes nothing; after that all agree. A leader that
        was paused does not lead any more. If the machine of the leader dies, another one leads.
        """
        self.cutOff()
        self.paused()
        self.dies()

    def cutOff(self) -> None:
        """
        Cut a machine off that does not lead.
        """
        leader = self.leader()
        alone, other = (each for each in self.members if each is not leader)
        began = time.monotonic()
        clients = self.net.clients(f"{alone.machine.front}:8080", 2)
        waitUntil(clients.served)
        alone.machine.cutBack()
        waitUntil(lambda: not alone.cluster["connected"])
        self.show(f"cut off: it says so after {time.monotonic() - began:.1f} s")
        refused = alone.machine.ask("weight", HOST, "9")
        self.assertEqual(refused.returncode, 1)
        self.show(f"cut off: {refused.stderr.strip()}")
        self.assertTrue(alone.cluster["trouble"])
        waitUntil(lambda: leader.weigh(3))
        waitUntil(lambda: self.agree(3, [leader, other]))
        self.assertEqual(alone.weight, 1)
        now = time.monotonic()
        waitUntil(lambda: clients.served(now))
        alone.machine.mendBack()
        mended = time.monotonic()
        waitUntil(lambda: self.agree(3, self.members))
        self.show(f"all agree {time.monotonic() - mended:.1f} s after the cut was mended")
        waitUntil(lambda: alone.cluster["connected"])
        requests = clients.stop()
        self.assertEqual({each.result for each in requests} - {"ok", "late"}, set())
        self.show(f"cut off: no answer for at most {longestGap(requests):.2f} s")

    def paused(self) -> None:
        """
        Pause the leader until another member leads.
        """
        leader = self.leader()
        pid = leader.program.process.pid
        os.kill(pid, signal.SIGSTOP)
        stopped = time.time()
        try:
            new = self.leader(leader)
            self.show(f"paused: another leads after {new.cluster['since'] - stopped:.1f} s")
            waitUntil(lambda: new.weigh(5))
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertFalse(leader.leads)
        waitUntil(lambda: self.agree(5, self.members))
        waitUntil(lambda: all(each.cluster["leader"] == new.name for each in self.members))

    def dies(self) -> None:
        """
        Let the machine of the leader lose its power.
        """
        leader = self.leader()
        rest = [each for each in self.members if each is not leader]
        clients = self.net.clients(f"{rest[0].machine.front}:8080", 2)
        waitUntil(clients.served)
        leader.machine.die()
        died = time.time()
        new = self.leader(leader)
        found = new.cluster
        self.show(f"the machine has died: another leads after {found['since'] - died:.1f} s")
        waitUntil(lambda: new.weigh(7))
        waitUntil(lambda: self.agree(7, rest))
        requests = clients.stop()
        self.assertEqual({each.result for each in requests} - {"ok", "late"}, set())
