"""
What is counted of services as a whole, for another process.
"""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IKeptState
from txlb.manager._running import Running


@implementer(IKeptState)
class KeptServices:
    """
    Hands the counters of services over, the rates of their clients, and which group stands in.
    Owned by the manager.
    """

    name = "services"

    def __init__(self, running: Running) -> None:
        self._running = running

    def state(self) -> object:
        running = self._running
        now = running.seconds()
        found: dict[str, object] = {}
        for name in running.services:
            row = found[name] = running.getCounters(name).kept()
            for part, value in (
                ("rates", running.getAdmission(name).kept(now)),
                ("failover", running.keptFailover(name)),
            ):
                if value:
                    row[part] = value
        return {"services": found}

    def restore(self, state: object) -> None:
        running = self._running
        now = running.seconds()
        taking: list[Callable[[], None]] = []
        for name, facts in Facts(state, self.name).each("services"):
            service = running.services.get(name)
            if service is None:
                continue
            taking.append(running.getCounters(name).restoring(facts))
            if "rates" in facts:
                rates = facts.inside("rates")
                taking.append(running.getAdmission(name).restoring(rates, now))
            if "failover" in facts:
                taking.append(running.restoringFailover(service, facts.inside("failover")))
        for take in taking:
            take()
        running.revision += 1
