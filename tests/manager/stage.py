"""
A manager with a clock, for tests.
"""

from __future__ import annotations

from typing import Any

from txlb.manager import ProxyManager
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import CheckResult, Event, Host, Outcome

PASSED = CheckResult(True, "connected", 0.001)


FAILED = CheckResult(False, "connection refused", 0.001)


class Stage:
    """
    A manager with a clock, a list of its events and of what was to be reset.
    """

    def __init__(self, **settings: Any) -> None:
        self.now = 1000.0
        hosts = [ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 2)]
        spares = [ProxyHost("s", "127.0.0.1", 3)]
        groups = [
            ProxyGroup("main", enabled=True, hosts=hosts, **settings),
            ProxyGroup("spare", hosts=spares, backup=True),
            ProxyGroup("last", hosts=[ProxyHost("l", "127.0.0.1", 4)], backup=True),
            ProxyGroup("other", hosts=[ProxyHost("o", "127.0.0.1", 5)]),
        ]
        service = ProxyService("web", ["*:80"], groups)
        self.manager = ProxyManager([service], seconds=lambda: self.now)
        self.events: list[Event] = []
        self.manager.subscribe(self.events.append)
        self.cuts: list[tuple[str, Outcome]] = []
        self.manager.onCut = self._cut
        self.manager.getCounters("web").accepted = 1
        self._seen = self._answers()

    def _answers(self) -> tuple[int, object, object]:
        manager = self.manager
        return manager.revision, manager.getService("web"), manager.getPool("web")

    def checkRevision(self) -> None:
        """
        Whoever keeps the manager's answers until its revision is another one has
        those that it would get.
        """
        before, self._seen = self._seen, self._answers()
        if before[0] == self._seen[0]:
            assert before == self._seen, "an answer has changed, and not the revision"

    def _cut(self, host: Host, outcome: Outcome) -> None:
        self.cuts.append((host.name, outcome))

    def told(self) -> list[str]:
        self.checkRevision()
        told = [f"{event.kind.value} {event.key[-1]}" for event in self.events]
        self.events.clear()
        return told

    def check(self, name: str, passed: bool, group: str = "main", times: int = 1) -> None:
        for _ in range(times):
            self.manager.getPool("web", group).reportCheck(name, PASSED if passed else FAILED)

    def down(self, name: str, group: str = "main") -> None:
        self.check(name, False, group, 3)

    def up(self, name: str, group: str = "main") -> None:
        self.check(name, True, group, 2)

    @property
    def serving(self) -> str:
        assert self.manager.getPool("web").group == self.manager.servingGroup("web").name
        self.checkRevision()
        return self.manager.servingGroup("web").name

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.manager.advance(self.now)
