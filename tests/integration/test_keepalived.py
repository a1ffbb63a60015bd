"""
An address that moves between machines with keepalived, by the files of C{examples/machines}. The
machines are network namespaces.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from tests.integration.programs import PATIENCE, ROOT, Program, waitUntil
from tests.integration.support import (
    Clients,
    IntegrationTestCase,
    Machine,
    Machines,
    Request,
    longestGap,
)

#: How often the address moves for each reason. By hand: more.
ROUNDS = int(os.environ.get("TXLB_ROUNDS", "1"))

#: The address that moves, and where clients come to.
ADDRESS = "192.0.2.100"
PLACE = f"{ADDRESS}:8080"

EXAMPLES = ROOT / "examples" / "machines"


class AddressTests(IntegrationTestCase):
    """
    Three machines with an address that moves.
    """

    needed = ("ip", "keepalived")

    def setUp(self) -> None:
        super().setUp()
        self.net = Machines(self, 3)
        self.machines = self.net.machines
        self.net.startHosts()
        # The last ones on each machine.
        self.keepers: dict[int, Program] = {}
        self.balancers: dict[int, Program] = {}
        self.net.each(self.balance)
        self.net.each(self.keep)
        self.holder()
        self.clients: Clients = self.net.clients(PLACE, 2)
        waitUntil(self.clients.served)

    def balance(self, machine: Machine) -> None:
        """
        Start a balancer on a machine. Its file is that of the example, but the cluster.
        """
        config = (EXAMPLES / "config.xml").read_text(encoding="utf-8")
        config, count = re.subn(r"<cluster[^>]*/>", "", config)
        self.assertEqual(count, 1)
        self.balancers[machine.number] = machine.startTxlb(machine.withSocket(config))

    def keep(self, machine: Machine) -> None:
        """
        Start keepalived on a machine, with the file of the example.
        """
        notes = machine.folder / "notes"
        notes.touch()
        script = machine.write("notify", f'#!/bin/sh\necho "$3" >>{notes}\n')
        script.chmod(0o700)
        config = machine.withSocket((EXAMPLES / "keepalived.conf").read_text(encoding="utf-8"))
        for old, new in (
            ("/opt/txlb/bin/txlb", machine.txlb),
            ("/etc/keepalived/notify", str(script)),
            # This machine may be busy, and the folders of the test belong to others too.
            ("timeout 5", "timeout 60"),
            ("interval 5", "interval 2"),
            ("enable_script_security", ""),
        ):
            self.assertIn(old, config)
            config = config.replace(old, new)
        self.keepers[machine.number] = machine.startKeepalived(config)

    def note(self, machine: Machine) -> str:
        """
        The last state of which keepalived has told on a machine.
        """
        return (machine.folder / "notes").read_text(encoding="utf-8").split()[-1]

    def holder(self, *without: Machine) -> Machine:
        """
        Wait until one machine alone has the address.

        @param without: machines that may not have it.
        """
        found: list[Machine] = []

        def isFound() -> bool:
            found[:] = [each for each in self.machines if each.has(ADDRESS)]
            return len(found) == 1 and found[0] not in without

        waitUntil(isFound)
        return found[0]

    def waitForClients(self, machine: Machine) -> None:
        """
        Wait until clients that begin now are served by a machine.
        """
        now = time.monotonic()
        waitUntil(lambda: any(each.machine == machine.number for each in self.clients.served(now)))

    def leaves(self, reason: str, machine: Machine, action: Callable[[], object]) -> list[Request]:
        """
        Do something after which another machine than this one has the address and serves clients.

        @return: the requests that have ended since.
        """
        began = time.monotonic()
        action()
        self.waitForClients(self.holder(machine))
        requests = [each for each in self.clients.requests() if each.ended >= began - 0.5]
        kinds = dict(Counter(each.result for each in requests))
        self.show(f"{reason}: no answer for {longestGap(requests):.2f} s; {kinds}")
        return requests

    def ask(self, machine: Machine, *words: str) -> None:
        """
        Run C{txlb} on a machine, with success.
        """
        done = machine.ask(*words)
        self.assertEqual(done.returncode, 0, done.stderr)

    def drain(self, machine: Machine) -> None:
        """
        Let no host of a machine get clients.
        """
        for host in ("app1", "app2"):
            self.ask(machine, "drain", f"web/production/{host}")

    def test_moves(self) -> None:
        """
        The address moves as programs come and go, if the machine that has it has lost its power,
        and if it reaches no host.
        """
        for _ in range(ROUNDS):
            self.takenOut()
            self.killed()
            self.keeperKilled()
        machine = self.holder()
        self.leaves("the machine has lost its power", machine, machine.die)
        self.machines.remove(machine)
        self.hostless()

    def takenOut(self) -> None:
        """
        An administrator takes the balancer out, the address moves, and then the balancer stops.
        No client is refused, also when it is back.
        """
        machine = self.holder()
        began = time.monotonic()
        take = partial(self.ask, machine, "set", "health", "fail")
        self.leaves("taken out", machine, take)
        waitUntil(lambda: self.note(machine) == "FAULT")
        self.assertEqual(self.stopTwistd(self.balancers[machine.number]), 0)
        self.balance(machine)
        waitUntil(lambda: self.note(machine) == "BACKUP")
        results = {each.result for each in self.clients.requests() if each.ended >= began}
        self.assertNotIn("refused", results)

    def killed(self) -> None:
        """
        If the balancer is killed, its machine loses the address.
        """
        machine = self.holder()
        kill = partial(self.balancers[machine.number].stop, signal.SIGKILL)
        self.leaves("the balancer is killed", machine, kill)
        self.balance(machine)
        waitUntil(lambda: self.note(machine) == "BACKUP")

    def keeperKilled(self) -> None:
        """
        If keepalived alone is killed, its machine keeps the address, and another one gets it as
        well. Clients are served. A keepalived that is started again takes the address away.
        """
        machine = self.holder()
        began = time.monotonic()
        # Both of its processes at once: the second one would end gracefully after the first one.
        killed = self.keepers[machine.number].process
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait(PATIENCE)
        waitUntil(lambda: sum(each.has(ADDRESS) for each in self.machines) == 2)
        self.assertTrue(machine.has(ADDRESS))
        now = time.monotonic()
        waitUntil(lambda: self.clients.served(now))
        requests = [each for each in self.clients.requests() if each.ended >= began]
        self.show(f"keepalived is killed: no answer for {longestGap(requests):.2f} s")
        self.leaves("keepalived is started again", machine, partial(self.keep, machine))

    def hostless(self) -> None:
        """
        The address moves to a machine that reaches hosts. If no machine reaches one, one of them
        keeps the address.
        """
        machine = self.holder()
        self.leaves("no host", machine, partial(self.drain, machine))
        for each in self.machines:
            self.drain(each)
        for each in self.machines:
            self.keepers[each.number].waitFor(r"VRRP_Script\(hosts\) failed")
        machine = self.holder()
        self.assertEqual(machine.ask("health").returncode, 0)
        self.assertEqual(machine.ask("health", "--hosts").returncode, 1)
        for each in self.machines:
            for host in ("app1", "app2"):
                self.ask(each, "ready", f"web/production/{host}")
        now = time.monotonic()
        waitUntil(lambda: self.clients.served(now))
