"""
A run, from the first peer's start to the results.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.peers import BASELINE, FAST, LEGACY, PEERS, PORTABLE, Field, Peer
from benchmarks.results import Results
from benchmarks.scale import WIDE, Scale
from benchmarks.works import (
    MIXED,
    RELAYING,
    Errors,
    Work,
    compare,
    growthWithConnections,
    growthWithHosts,
    measureHolding,
    measureIdle,
    measureWeb,
)

#: The peers whose idle connections and growth are measured: in a full run all but
#: those that keep no connection to a host for each client.
ASIDE = (BASELINE, "nginx", "portforward", LEGACY, PORTABLE, FAST)

#: The same in a short one.
ASIDE_FEW = (BASELINE, FAST)


class Run:
    """
    One run.
    """

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._limit = machine.raiseDescriptorLimit()
        self._errors = Errors()
        self._began = time.monotonic()
        self._peers: list[Peer] = []
        self._results = Results(
            scale.name,
            dt.datetime.now(dt.UTC).isoformat(" ", "seconds"),
            machine.describe(),
        )

    def run(self) -> Results:
        """
        Measure everything.

        @raise ProgramError: a peer that is installed does not start.
        """
        results = self._results
        with tempfile.TemporaryDirectory(prefix="txlb-bench") as name:
            folder = Path(name)
            folder.chmod(0o755)
            with machine.startingOn(machine.OTHER_CORE):
                self._findPeers()
                with Field(folder) as field:
                    self._relaying(field)
                for part in (self._idle, self._growth, self._holding, self._web):
                    with Field(folder) as field:
                        part(field)
        results.errors = self._errors.lines
        results.seconds = time.monotonic() - self._began
        return results

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {what}", file=sys.stderr, flush=True)

    def _findPeers(self) -> None:
        for peer in PEERS:
            version = peer.version()
            if version is None:
                self._results.missing.append(f"{peer.name}: {peer.settings}")
                self._say(f"not installed, left out: {peer.name}")
            else:
                self._peers.append(peer)
                self._results.peers[peer.name] = {"settings": peer.settings, "version": version}
        if machine.PROXY_CORE == machine.OTHER_CORE:
            self._results.notes.append("There is one core: proxies, clients and hosts share it.")

    def _aside(self) -> list[Peer]:
        names = ASIDE_FEW if self._scale.few else ASIDE
        return [peer for peer in self._peers if peer.name in names]

    def _relaying(self, field: Field) -> None:
        scale = self._scale
        running = [field.direct(), *field.startAll(self._peers)]
        for each in running:
            if each.peer is not None:
                self._results.peers[each.name]["configuration"] = each.config
        works: list[Work] = [make(scale.transfer) for make in RELAYING]
        if not scale.everything:
            works = works[::2]
        for work in (*works, MIXED(scale.transfer)):
            self._say(work.title)
            self._results.comparisons[work.key] = compare(
                field.events, running, work, scale.rounds, scale.seconds, self._errors
            )

    def _idle(self, field: Field) -> None:
        scale = self._scale
        for count in (scale.idle, scale.idleWide):
            if count is None:
                continue
            if count > scale.idle and self._limit < WIDE:
                self._results.notes.append(
                    f"{count} idle connections were left out: that needs a limit of {WIDE} "
                    f"descriptors, and here it is {self._limit}."
                )
                continue
            for peer in self._aside():
                self._say(f"{count} idle connections: {peer.name}")
                found = measureIdle(field, peer, count, scale, self._errors)
                if found is not None:
                    self._results.idle.append(found)

    def _growth(self, field: Field) -> None:
        for peer in self._aside():
            self._say(f"growth: {peer.name}")
            for measure in (growthWithConnections, growthWithHosts):
                self._results.growth.append(measure(field, peer, self._scale, self._errors))

    def _holding(self, field: Field) -> None:
        self._say("the reactor's turns")
        self._results.holding = measureHolding(field, self._scale.holdSeconds, self._errors)

    def _web(self, field: Field) -> None:
        self._say("the question of 2008")
        for comparison in measureWeb(field, self._scale, self._errors):
            self._results.web[comparison.key] = comparison
