"""
A balancer's hosts on a clock that tests move, and checks that tests answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.registries import keepRegistries
from txlb.deadlines import Deadlines
from txlb.errors import ModelError
from txlb.health import (
    CheckKind,
    Heartbeat,
    Option,
    Target,
    Tools,
    Verdict,
    registerCheck,
)
from txlb.interfaces import IHealthCheck
from txlb.manager import ProxyManager
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.model.kinds import Boolean
from txlb.model.registries import CHECKS
from txlb.pool import Event, Host

WELL = Verdict(True, "well")
ILL = Verdict(False, "ill")


class World:
    """
    What all fake checks of a test have to do with.

    @ivar answer: what each check finds at once; L{None} to let it wait. An
        exception is raised, or with C{broken} the Deferred fails with it.
    @ivar begun: when each check began, and of which host.
    @ivar open: the checks that wait.
    @ivar most: how many waited at once.
    @ivar cancelled: how many were cancelled.
    @ivar obeys: whether a cancelled check lets go.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.answer: Verdict | Exception | None = WELL
        self.broken: Exception | None = None
        self.begun: list[tuple[float, str]] = []
        self.targets: list[Target] = []
        self.open: list[Deferred[Verdict]] = []
        self.most = 0
        self.cancelled = 0
        self.obeys = True
        self.doing: Verdict | None = None

    def times(self, name: str) -> list[float]:
        """
        When checks of a host began.
        """
        return [when for when, who in self.begun if who == name]


@implementer(IHealthCheck)
class FakeCheck:
    """
    A check that finds what the test says.
    """

    world: World

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        if options["wrong"]:
            raise ModelError("this fake can't be made")

    def check(self, target: Target) -> Deferred[Verdict]:
        """
        See L{IHealthCheck.check}.
        """
        world = self.world
        world.begun.append((world.clock.seconds(), target.key[2]))
        world.targets.append(target)
        if isinstance(world.answer, Exception):
            raise world.answer
        deferred: Deferred[Verdict] = Deferred(self._cancel)
        if world.broken is not None:
            deferred.errback(world.broken)
        elif world.answer is not None:
            deferred.callback(world.answer)
        else:
            world.open.append(deferred)
            world.most = max(world.most, len(world.open))
            deferred.addBoth(self._over, deferred)
        return deferred

    def _over(self, result: Any, deferred: Deferred[Verdict]) -> Any:
        self.world.open.remove(deferred)
        if not self.world.obeys:
            return Deferred()
        return result

    def _cancel(self, deferred: Deferred[Verdict]) -> None:
        self.world.cancelled += 1
        if self.world.doing is not None:
            deferred.callback(self.world.doing)


FAKE = CheckKind(
    "fake",
    "Finds what the test says.",
    FakeCheck,
    (Option("wrong", Boolean(), "Whether it can't be made.", False),),
    inFiles=False,
)


class HeartbeatCase:
    """
    A manager, a heartbeat and a clock; mixed into a test case.
    """

    def setUp(self: Any) -> None:
        """
        Make the fake known, for this test.
        """
        keepRegistries(self, CHECKS)
        registerCheck(FAKE)
        self.clock = Clock()
        self.world = World(self.clock)
        FakeCheck.world = self.world
        self.events: list[Event] = []

    def beat(
        self: Any,
        hosts: int = 1,
        check: HealthCheck | None = None,
        *,
        start: bool = True,
        maxChecks: int = 100,
        **settings: Any,
    ) -> Heartbeat:
        """
        A heartbeat for hosts C{a}, C{b} and so on.
        """
        names = [chr(97 + n) if hosts < 27 else f"h{n}" for n in range(hosts)]
        settings.setdefault("check", HealthCheck("fake", 2.0) if check is None else check)
        group = ProxyGroup(
            "group", enabled=True, hosts=[ProxyHost(n, "127.0.0.1", 80) for n in names], **settings
        )
        self.manager = ProxyManager(
            [ProxyService("web", [("127.0.0.1", 0)], [group])],
            seconds=self.clock.seconds,
            random=Random(1),
        )
        self.manager.subscribe(self.events.append)
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.heartbeat = Heartbeat(
            self.manager,
            self.clock,
            self.deadlines,
            maxChecks=maxChecks,
            source=Random(2),
        )
        if start:
            self.heartbeat.startService()
        return self.heartbeat  # type: ignore[no-any-return]  # self is a mixin's

    def run_(self: Any, seconds: float, step: float = 0.005) -> None:
        """
        Let time pass.
        """
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def host(self: Any, name: str = "a") -> Host:
        """
        A host as its pool has it.
        """
        host: Host = self.manager.getPool("web").getHost(name)
        return host
