"""
What the tests of the manhole have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import argon2
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txlb.admin.login._passwords import PasswordChecks
from txlb.deadlines import Deadlines
from txlb.manager import ProxyManager
from txlb.model import ProxyGroup, ProxyHost, ProxyService

#: An argon2id hash that is quick to check; never for anything but tests.
QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def quickHash(password: str) -> str:
    """
    A hash that takes no time.
    """
    return QUICK.hash(password)


def atOnce(check: Callable[[], bool]) -> Deferred[bool]:
    """
    Runs what would be run in a thread.
    """
    return succeed(check())


def quickChecks() -> PasswordChecks:
    """
    Checks of passwords that are done at once.
    """
    return PasswordChecks(atOnce, quickHash("decoy"))


def clockAndDeadlines() -> tuple[Clock, Deadlines]:
    """
    A clock to advance, and deadlines that go by it.
    """
    clock = Clock()
    return clock, Deadlines(clock, clock.seconds)


def collectLog(case: SynchronousTestCase) -> list[LogEvent]:
    """
    What is logged by txlb.admin until the end of the test.
    """
    events: list[LogEvent] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if str(event.get("log_namespace", "")).startswith("txlb.admin"):
            events.append(event)

    observer = cast("ILogObserver", observe)
    globalLogPublisher.addObserver(observer)
    case.addCleanup(globalLogPublisher.removeObserver, observer)
    return events


def lines(events: Iterable[LogEvent]) -> list[str]:
    """
    Events as a log shows them.
    """
    return [formatEvent(event) for event in events]


class FakeConsole:
    """
    Remembers what an interpreter shows.
    """

    def __init__(self) -> None:
        self.shown = ""
        self.errors = ""
        self.asynchronous: list[str] = []
        self.statuses: list[int] = []

    def addOutput(self, data: str, isAsync: bool = False) -> None:
        self.shown += data
        if isAsync:
            self.asynchronous.append(data)

    def addError(self, data: str) -> None:
        self.errors += data

    def quit(self, status: int = 0) -> None:
        self.statuses.append(status)


class FakeOutput:
    """
    A client's end of a session.
    """

    def __init__(self) -> None:
        self.written = b""
        self.errors = b""
        self.statuses: list[int] = []

    def write(self, data: bytes) -> None:
        self.written += data

    def writeError(self, data: bytes) -> None:
        self.errors += data

    def finish(self, status: int) -> None:
        self.statuses.append(status)

    def take(self) -> bytes:
        """
        What was written since it was last asked.
        """
        written, self.written = self.written, b""
        return written


def noNames(show: Callable[[str], None], _caller: object = None) -> Mapping[str, object]:
    """
    A namespace with a number, and with a function that shows something.
    """
    return {"answer": 42, "show": lambda: show("shown\n")}


@dataclass
class FakeListener:
    """
    Listens, as far as a table is concerned.
    """

    addresses: list[str]
    serviceName: str = "web"
    whyPassed: str | None = None


class FakeFleets:
    """
    The clones of a balancer: those of a service C{web}.

    @ivar rows: the rows of processes.
    @ivar answers: what the next roll fires with, or fails with.
    @ivar wanted: how many clones there are to be.
    """

    def __init__(self) -> None:
        self.rows: list[Mapping[str, object]] = []
        self.answers: list[object] = []
        self.wanted = 2

    def add(self, service: str, group: str, name: str) -> int:
        self.wanted += 1
        return self.wanted

    def remove(
        self, service: str, group: str, name: str, deadline: float | None, force: bool
    ) -> int:
        self.wanted -= 1
        return self.wanted

    def processes(self, service: str = "") -> Sequence[Mapping[str, object]]:
        return self.rows if service in {"", "web"} else []

    def roll(self) -> Deferred[object]:
        return maybeDeferred(self._roll)

    def _roll(self) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeServing:
    """
    Tells whether a balancer serves, as a test says.

    @ivar reasons: why it does not.
    @ivar areHostsDown: whether no host is up.
    """

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.isTakenOut = self.areHostsDown = False

    def whyNot(
        self, serviceName: str = "", *, hosts: bool = False, leader: bool = False
    ) -> list[str]:
        down = ["no host of web/prod is up"] if hosts and self.areHostsDown else []
        other = ["b leads the cluster"] if leader else []
        return [*down, *other, *self.reasons, *(["taken out"] if self.isTakenOut else [])]


@dataclass
class FakeCertificates:
    """
    Certificates of which a test says what is wrong.
    """

    lines: list[str] = field(default_factory=list)

    def warnings(self) -> list[str]:
        return self.lines

    def rows(self) -> Iterator[dict[str, object]]:
        return iter(())

    def faults(self) -> list[str]:
        return []


@dataclass
class FakeBalancer:
    """
    Something with a manager and listeners.
    """

    manager: ProxyManager
    listeners: dict[str, FakeListener] = field(default_factory=dict)
    clones: FakeFleets = field(default_factory=FakeFleets)
    certificates: FakeCertificates = field(default_factory=FakeCertificates)
    serving: FakeServing = field(default_factory=FakeServing)
    logins: object = None

    def getProxyNames(self) -> list[str]:
        return list(self.listeners)

    def getProxyService(self, proxyName: str) -> FakeListener:
        return self.listeners[proxyName]


def fakeBalancer(seconds: Callable[[], float] = lambda: 0.0) -> FakeBalancer:
    """
    A service of two groups and three hosts.
    """
    blue = [ProxyHost("h1", "127.0.0.1", 7001), ProxyHost("h2", "127.0.0.1", 7002, weight=3)]
    green = [ProxyHost("h3", "127.0.0.1", 7003, maxConnections=9)]
    groups = [ProxyGroup("blue", "leastc", True, blue), ProxyGroup("green", "rand", False, green)]
    service = ProxyService("web", [("127.0.0.1", 8080)], groups)
    manager = ProxyManager([service], seconds=seconds)
    return FakeBalancer(manager, {"web": FakeListener(["127.0.0.1:8080"])})
