"""
Kills of either process of an upgrade: see C{python -m benchmarks.upgrades --kill}.

Clients talk all the time, some with so much that bytes wait in the balancer, and compare each
byte. So they notice a connection that two processes serve, or of which bytes are lost. The time of
the first upgrade, in which no process is killed, tells how long connections move; most kills come
in that time.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.upgrade import ROOT, Balancer, isGone, open_, until

#: Clients of each kind.
CLIENTS = {"words": 280, "bulk": 12}

#: The share of kills that come while connections move, and this time in proportion to that of an
#: upgrade without a kill.
OFTEN, LONGER = 0.85, 1.3

#: What the log tells of the moment, in the order in which it is looked for.
MOMENTS = {
    r"has died, and (\d+) of its connections go on here": "old one killed while it gives the rest",
    r"has died, and (\d+) of its connections with it": "old one killed while it serves",
    r"This process goes on, nothing is lost": "new one killed before it serves",
}

#: The same for an old process that is killed at once, with the connections that go on.
EARLY: tuple[str, int | None] = ("old one killed before the new one has its offer", 0)


class Talking:
    """
    The clients, in a process of their own.

    @param port: of the balancer.
    """

    def __init__(self, port: int, clients: dict[str, int]) -> None:
        numbers = [f"{kind}={count}" for kind, count in clients.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.upgradeclients", str(port), *numbers],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def seen(self) -> dict[str, Any]:
        """
        Ask each client for one more round.

        @return: numbers of those that are C{served} and C{lost}, and what was C{wrong}.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def stop(self) -> None:
        """
        End them.
        """
        self._process.kill()
        self._process.wait()


class Kills:
    """
    A balancer that is upgraded again and again, and started again when no process is left.

    @ivar wrong: what was wrong.
    """

    def __init__(self, folder: Path, hostPort: int, seed: int) -> None:
        self._folder = folder / "txlb"
        self._hostPort = hostPort
        self._chance = random.Random(seed)
        self._balancer = Balancer(self._folder, hostPort)
        self._usual = 0.0
        self.wrong: list[str] = []

    def stop(self) -> None:
        """
        End it.
        """
        self._balancer.stop()

    def run(self, rounds: int) -> Counter[str]:
        """
        Kill either process at random moments, the old one in every second round.

        @return: how often what has happened.
        """
        self._measure()
        outcomes: Counter[str] = Counter()
        for number in range(rounds):
            outcomes[self._kill(bool(number % 2))] += 1
            if not (number + 1) % 20:
                print(f"  {number + 1} kills: {dict(outcomes)}", flush=True)
        return outcomes

    def _measure(self) -> None:
        """
        Upgrade without a kill.
        """
        talking = Talking(self._balancer.port, CLIENTS)
        try:
            old, before = self._begin()
            began = time.monotonic()
            until(lambda: self._said(before, " serves, "), "the new one serves", 0.001)
            self._usual = time.monotonic() - began
            until(partial(isGone, old), "the old one ends")
            until(lambda: self._balancer.pid != old, "the pid file")
        finally:
            talking.stop()
        print(f"  connections move for {self._usual * 1e3:.0f} ms", flush=True)

    def _begin(self) -> tuple[int, int]:
        """
        Begin an upgrade, and wait until the new process could serve.

        @return: the old process, and the length of the log before.
        """
        old, before = self._balancer.pid, self._balancer.logSize
        os.kill(old, signal.SIGUSR2)
        until(lambda: self._said(before, "relay: fast"), "the new one could serve", 0.0005)
        return old, before

    def _said(self, before: int, words: str) -> bool:
        return words in self._balancer.logFrom(before)

    def _kill(self, killOld: bool) -> str:
        if isGone(self._balancer.pid):
            self._balancer.stop()
            shutil.rmtree(self._folder)
            self._balancer = Balancer(self._folder, self._hostPort)
        talking = Talking(self._balancer.port, CLIENTS)
        try:
            return self._killDuring(talking, killOld)
        finally:
            talking.stop()

    def _killDuring(self, talking: Talking, killOld: bool) -> str:
        chance = self._chance
        if chance.random() < OFTEN:
            old, before = self._begin()
            time.sleep(chance.random() * self._usual * LONGER)
        else:
            old, before = self._balancer.pid, self._balancer.logSize
            os.kill(old, signal.SIGUSR2)
            until(lambda: self._said(before, "upgrade: process "), "the new one starts", 0.0005)
            time.sleep(chance.random())
        new = int(re.findall(r"upgrade: process (\d+) starts", self._balancer.log)[-1])
        victim, other = (old, new) if killOld else (new, old)
        if not isGone(victim):
            os.kill(victim, signal.SIGKILL)
        until(partial(isGone, victim), "the process that is killed ends")
        until(lambda: self._isSettled(victim, other, before, killOld), "the upgrade is over")
        seen = talking.seen()
        said = self._balancer.logFrom(before)
        serves = f"upgrade: process {new} serves" in said
        if killOld and isGone(other):
            moment, served = EARLY
        else:
            moment, served = self._moment(said, killOld, serves)
        self._check(not seen["wrong"], f"{moment}: {seen['wrong']}")
        clients = sum(CLIENTS.values())
        wanted = clients if served is None else served
        self._check(seen["served"] == wanted, f"{moment}: {seen['served']} of {wanted} served")
        self._check(seen["served"] + seen["lost"] == clients, f"{moment}: {seen}")
        if not isGone(other):
            with open_(self._balancer.port) as sock:
                sock.sendall(b"word")
                self._check(sock.recv(4) == b"word", f"{moment}: a new client is not served")
        some = "all" if wanted == clients else "some" if wanted else "none"
        return f"{moment}, {some} of the connections go on"

    @staticmethod
    def _moment(said: str, killOld: bool, serves: bool) -> tuple[str, int | None]:
        """
        @return: the words for the moment, and how many connections go on; L{None} for all.
        """
        for pattern, moment in MOMENTS.items():
            found = re.search(pattern, said)
            if found:
                if "with it" in pattern:
                    return moment, 0
                return moment, int(found[1]) if found.groups() else None
        if killOld:
            return "old one killed after it has given everything", None
        # If it serves, its connections end with it.
        return "new one killed when it serves", 0 if serves else None

    def _check(self, isRight: bool, what: str) -> None:
        if not isRight:
            self.wrong.append(what)
            print(f"  wrong: {what}", flush=True)

    def _isSettled(self, victim: int, other: int, before: int, killOld: bool) -> bool:
        if isGone(other):
            return True
        said = self._balancer.logFrom(before)
        if killOld:
            return self._balancer.pid == other and "the control socket is" in said
        return f"process {victim} serves" not in said and "This process goes on" in said
