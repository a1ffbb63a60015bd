"""
Clusters of balancers on three machines with a member of etcd each, by the file of
C{examples/machines}. The machines are network namespaces.

C{TXLB_SCHEDULES=100} tries more schedules, from number C{TXLB_SEED} on, and C{TXLB_SHOW=1} prints
how long it all took.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from random import Random
from threading import Thread

from tests.cluster.history import faultsOf
from tests.integration.etcds import ETCD
from tests.integration.members import GROUP, HOST, SERVICE, Member
from tests.integration.programs import waitUntil
from tests.integration.support import IntegrationTestCase, Machines, longestGap

#: Schedules that are tried. By hand: more.
SCHEDULES = int(os.environ.get("TXLB_SCHEDULES", "5"))

#: The number of the first one.
SEED = int(os.environ.get("TXLB_SEED", "0"))

#: How often the machine of the leader dies. By hand: more.
DEATHS = int(os.environ.get("TXLB_DEATHS", "1"))

#: The time of a lease.
TTL = os.environ.get("TXLB_TTL", "2s")


class ClusterMachinesTests(IntegrationTestCase):
    """
    Three machines of one cluster.
    """

    needed = ("ip", "curl", ETCD)

    def begin(self, ttl: str) -> None:
        """
        Start all machines.

        @param ttl: the time of a lease.
        """
        self.net = Machines(self, 3)
        self.net.startHosts()
        self.members = [Member(each, ttl) for each in self.net.machines]
        for member in self.members:
            member.etcd.waitFor("ready to serve client requests")
        self.net.each(lambda machine: self.members[machine.number - 1].startBalancer())
        waitUntil(lambda: all(each.connected for each in self.members))
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
        A machine that is cut off serves, and changes nothing; after that all agree. Whatever is
        paused, killed and cut, no two leaders' writes are mixed. If the machine of the leader dies,
        another one leads.
        """
        self.begin(TTL)
        self._random = Random(SEED)
        self.cutOff()
        for seed in range(SEED, SEED + SCHEDULES):
            Schedule(self, seed).run()
        for number in range(DEATHS):
            self.dies(withEtcd=number % 2 == 0)
        self.assertEqual(faultsOf(self.members[0].writes()), [])

    def cutOff(self) -> None:
        """
        Cut a machine off that does not lead.
        """
        leader = self.leader()
        alone, other = (each for each in self.members if each is not leader)
        self.assertEqual(leader.machine.ask("health", "--leader").returncode, 0)
        self.assertEqual(alone.machine.ask("health", "--leader").returncode, 1)
        began = time.monotonic()
        clients = self.net.clients(f"{alone.machine.front}:8080", 2)
        waitUntil(clients.served)
        alone.machine.cutBack()
        waitUntil(lambda: not alone.connected)
        self.show(f"cut off: it says so after {time.monotonic() - began:.1f} s")
        refused = alone.machine.ask("weight", f"{SERVICE}/{GROUP}/{HOST}", "9")
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
        waitUntil(lambda: alone.connected)
        requests = clients.stop()
        self.assertEqual({each.result for each in requests} - {"ok", "late"}, set())
        self.show(f"cut off: no answer for at most {longestGap(requests):.2f} s")

    def dies(self, *, withEtcd: bool) -> None:
        """
        Let the machine of the leader lose its power.

        @param withEtcd: whether the leader of etcd is on this machine, too.
        """
        leader = self.leader()
        rest = [each for each in self.members if each is not leader]
        (leader if withEtcd else rest[0]).leadEtcd(self.members)
        clients = self.net.clients(f"{rest[0].machine.front}:8080", 2)
        waitUntil(clients.served)
        leader.machine.die()
        died = time.time()
        new = self.leader(leader)
        also = ", which had the leader of etcd," if withEtcd else ""
        took = new.cluster["since"] - died
        self.show(f"the machine{also} has died: another leads after {took:.1f} s")
        weight = self._random.randrange(2000, 3000)
        waitUntil(lambda: new.weigh(weight))
        waitUntil(lambda: self.agree(weight, rest))
        requests = clients.stop()
        self.assertEqual({each.result for each in requests} - {"ok", "late"}, set())
        leader.machine.revive()
        leader.startEtcd()
        leader.startBalancer()
        waitUntil(lambda: self.agree(weight, self.members))
        waitUntil(lambda: all(each.connected for each in self.members))


class Schedule:
    """
    A random schedule of troubles, with changes by all members meanwhile. Its seed makes it the same
    each time, as far as the programs do.

    @param case: has the members.
    @param seed: its number.
    """

    def __init__(self, case: ClusterMachinesTests, seed: int) -> None:
        self._case = case
        self._seed = seed
        self._chance = Random(seed)
        self._members = case.members
        # What ends the troubles.
        self._ends: list[Callable[[], object]] = []
        # Members whose balancers, and whose members of etcd, are in trouble; and those whose
        # machines are cut off.
        self._stopped: list[Member] = []
        self._cut: list[Member] = []
        self._partitioned: list[Member] = []
        self._changes: list[Thread] = []
        self._told: list[str] = []

    def run(self) -> None:
        """
        Let the troubles come and go. In the end all members agree.
        """
        began = time.monotonic()
        chance = self._chance
        self._changeAll()
        for _ in range(chance.choice((1, 1, 2, 3))):
            self._trouble()
            self._changeAll()
            if len(self._cut) < 2 and chance.random() < 0.7:
                waitUntil(self._isLed)
            else:
                # Not long enough for an election, or just so.
                time.sleep(chance.uniform(0.0, 2.5))
        for each in self._stopped:
            # Its changes that are under way meet another term.
            self._change(each)
        chance.shuffle(self._ends)
        for end in self._ends:
            end()
        ended = time.monotonic()
        waitUntil(lambda: all(each.connected for each in self._members))
        self._told.append(f"all connected after {time.monotonic() - ended:.1f} s")
        for thread in self._changes:
            thread.join(60)
        last = 1000 + self._seed
        waitUntil(lambda: chance.choice(self._members).weigh(last))
        waitUntil(lambda: self._case.agree(last, self._members))
        waitUntil(self._isSame)
        took = time.monotonic() - began
        self._case.show(f"schedule {self._seed}: {', '.join(self._told)}; {took:.1f} s in all")

    def _isLed(self) -> bool:
        """
        Tell whether a member leads that is in no trouble.
        """
        alone = self._stopped + self._partitioned
        well = [each for each in self._members if each not in alone]
        return not well or any(each.leads for each in well)

    def _isSame(self) -> bool:
        rows = self._members[0].rows("Cluster") or [{"row": "member", "same": False}]
        return all(row["same"] for row in rows if row["row"] == "member")

    def _trouble(self) -> None:
        """
        Begin a trouble. It concerns the leader more often than another member.
        """
        chance = self._chance
        members = [each for each in self._members if each not in self._stopped]
        leaders = [each for each in members if each.leads]
        member = leaders[0] if leaders and chance.random() < 0.6 else chance.choice(self._members)
        kinds = [self._pause, self._kill, self._partition, self._pauseEtcd, self._killEtcd]
        kind = chance.choices(kinds, (4, 2, 4, 1, 1))[0]
        if kind in {self._pause, self._kill}:
            if member in self._stopped:
                return
            self._stopped.append(member)
        else:
            # Sometimes there is no quorum.
            if member in self._cut or len(self._cut) >= chance.choice((1, 1, 1, 2)):
                return
            self._cut.append(member)
        self._told.append(f"{kind.__name__[1:]} {member.name}")
        kind(member)

    def _pause(self, member: Member) -> None:
        member.pause()
        self._ends.append(member.goOn)

    def _kill(self, member: Member) -> None:
        member.kill()
        self._ends.append(member.startBalancer)

    def _partition(self, member: Member) -> None:
        member.machine.cutBack()
        self._partitioned.append(member)
        self._ends.append(member.machine.mendBack)

    def _pauseEtcd(self, member: Member) -> None:
        member.pauseEtcd()
        self._ends.append(member.etcdGoesOn)

    def _killEtcd(self, member: Member) -> None:
        member.killEtcd()
        self._ends.append(member.startEtcd)

    def _changeAll(self) -> None:
        for each in self._members:
            if each not in self._stopped:
                self._change(each)

    def _change(self, member: Member) -> None:
        """
        Begin to change a weight by a member. It may be refused.
        """
        change = partial(member.weigh, self._chance.randrange(1, 100), "app2")
        thread = Thread(target=change, daemon=True)
        thread.start()
        self._changes.append(thread)
