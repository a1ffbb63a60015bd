"""
An etcd in memory, and members of a cluster that use it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.clients import Changes, Committed, EtcdUnreachable, KeyValue, Transaction
from txlb.cluster import ClusterMember
from txlb.cluster import _member as membermodule
from txlb.deadlines import Deadlines
from txlb.model import Cluster
from txlb.pool import EventKind

#: The keys of the cluster of tests.
PREFIX = "txlb-clusters/prod/"


def _key(what: Mapping[str, str], name: str = "key") -> str:
    return b64decode(what[name]).decode()


class FakeEtcd:
    """
    An etcd in memory, whose time is that of the test.

    @ivar history: each write: the revision, the key, and the value; L{None} for a removal.
    @ivar refuse: a key that can't be written.
    @ivar down: whether it is down, so that no lease ends.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.revision = 1
        self.numbers = count(100)
        self.leases: dict[int, tuple[float, int]] = {}
        self.keys: dict[str, KeyValue] = {}
        self.watches: list[FakeWatch] = []
        self.history: list[tuple[int, str, KeyValue | None]] = []
        self.refuse = ""
        self.down = False

    def expire(self) -> None:
        """
        End the leases that were not renewed.
        """
        if self.down:
            return
        for lease, (end, _) in list(self.leases.items()):
            if end <= self.clock.seconds():
                self.end(lease)

    def extend(self, more: float) -> None:
        """
        Let all leases begin anew, as a new leader of etcd does.

        @param more: seconds that it adds.
        """
        now = self.clock.seconds()
        self.leases = {lease: (now + ttl + more, ttl) for lease, (_, ttl) in self.leases.items()}

    def end(self, lease: int) -> None:
        self.leases.pop(lease, None)
        gone = [key for key, each in self.keys.items() if each.lease == lease]
        if gone:
            self.change({}, gone)

    def change(self, put: Mapping[str, tuple[bytes, int]], removed: list[str]) -> None:
        """
        Write and remove keys at once.
        """
        removed = [key for key in removed if key in self.keys]
        if not put and not removed:
            return
        self.revision += 1
        values = []
        for key, (value, lease) in put.items():
            before = self.keys.get(key)
            created = self.revision if before is None else before.created
            version = 1 if before is None else before.version + 1
            made = KeyValue(key, value, created, self.revision, version, lease)
            self.keys[key] = made
            values.append(made)
            self.history.append((self.revision, key, made))
        for key in removed:
            del self.keys[key]
            self.history.append((self.revision, key, None))
        for watch in list(self.watches):
            watch.tell(Changes(self.revision, tuple(values), tuple(removed)))

    def commit(self, body: Mapping[str, Any]) -> Committed:
        """
        Do a transaction.
        """
        for each in body["compare"]:
            there = self.keys.get(_key(each))
            if "create_revision" in each:
                found = 0 if there is None else there.created
                wanted = each["create_revision"]
            else:
                found = 0 if there is None else there.modified
                wanted = each["mod_revision"]
            if found != int(wanted):
                return Committed(False, self.revision)
        put, removed = {}, []
        for each in body["success"]:
            if "request_put" in each:
                what = each["request_put"]
                if _key(what) == self.refuse:
                    return Committed(False, self.revision)
                put[_key(what)] = b64decode(what["value"]), int(what["lease"])
            else:
                what = each["request_delete_range"]
                start = _key(what)
                end = _key(what, "range_end") if "range_end" in what else start + "\0"
                removed += [key for key in self.keys if start <= key < end]
        self.change(put, removed)
        return Committed(True, self.revision)


class FakeWatch:
    """
    A watch of a L{FakeEtcd}.
    """

    def __init__(
        self,
        client: FakeClient,
        prefix: str,
        revision: int,
        changed: Callable[[Changes], object],
        ended: Callable[[str], object],
    ) -> None:
        self.client, self.prefix, self.ended = client, prefix, ended
        self._changed = changed
        self.kept: list[Changes] = []

    def start(self, reactor: object) -> None:
        self.client.etcd.watches.append(self)

    def stop(self) -> None:
        if self in self.client.etcd.watches:
            self.client.etcd.watches.remove(self)

    def tell(self, changes: Changes) -> None:
        put = tuple(each for each in changes.put if each.key.startswith(self.prefix))
        removed = tuple(each for each in changes.removed if each.startswith(self.prefix))
        if not put and not removed:
            return
        told = Changes(changes.revision, put, removed)
        if self.client.away or self.client.silent:
            self.kept.append(told)
        else:
            self._changed(told)


class FakeClient:
    """
    A client of a L{FakeEtcd}.

    @ivar away: whether etcd can't be reached from here.
    @ivar silent: whether watches tell nothing.
    @ivar stuck: whether no call is answered.
    """

    def __init__(self, etcd: FakeEtcd) -> None:
        self.etcd = etcd
        self.away = self.silent = self.stuck = False
        self.closed = 0
        self.members = 0

    def _answer(self, value: Callable[[], Any]) -> Deferred[Any]:
        self.etcd.expire()
        if self.stuck:
            return Deferred()
        return fail(EtcdUnreachable("it is away")) if self.away else succeed(value())

    def list(self, prefix: str) -> Deferred[tuple[list[KeyValue], int]]:
        return self._answer(
            lambda: (
                [each for key, each in sorted(self.etcd.keys.items()) if key.startswith(prefix)],
                self.etcd.revision,
            )
        )

    def get(self, key: str) -> Deferred[KeyValue | None]:
        return self._answer(lambda: self.etcd.keys.get(key))

    def revisions(self, prefix: str) -> Deferred[dict[str, int]]:
        keys = self.etcd.keys
        return self._answer(
            lambda: {key: each.modified for key, each in keys.items() if key.startswith(prefix)}
        )

    def commit(self, transaction: Transaction) -> Deferred[Committed]:
        return self._answer(lambda: self.etcd.commit(transaction.body))

    def grant(self, seconds: int) -> Deferred[int]:
        def granted() -> int:
            lease = next(self.etcd.numbers)
            self.etcd.leases[lease] = self.etcd.clock.seconds() + seconds, seconds
            return lease

        return self._answer(granted)

    def renew(self, lease: int) -> Deferred[bool]:
        def renewed() -> bool:
            if lease not in self.etcd.leases:
                return False
            ttl = self.etcd.leases[lease][1]
            self.etcd.leases[lease] = self.etcd.clock.seconds() + ttl, ttl
            return True

        return self._answer(renewed)

    def revoke(self, lease: int) -> Deferred[None]:
        return self._answer(lambda: self.etcd.end(lease))

    def nextMember(self) -> None:
        self.members += 1

    def close(self) -> Deferred[None]:
        self.closed += 1
        return succeed(None)


class PausedClock:
    """
    The clock of a process that can be paused: its calls wait meanwhile.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.paused = False
        self._waiting: list[Callable[[], object]] = []

    def seconds(self) -> float:
        return self._clock.seconds()

    def callLater(self, delay: float, function: Callable[..., object], *arguments: Any) -> Any:
        def call() -> None:
            if self.paused:
                self._waiting.append(call)
            else:
                function(*arguments)

        return self._clock.callLater(delay, call)

    def goOn(self) -> None:
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each()


class ClusterTestCase(SynchronousTestCase):
    """
    Members of one cluster.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.etcd = FakeEtcd(self.clock)
        self.clients: dict[str, FakeClient] = {}
        self.clocks: dict[str, PausedClock] = {}
        self.told: list[tuple[str, EventKind, str]] = []
        self.patch(membermodule, "EtcdWatch", FakeWatch)

    def make(self, name: str, **settings: Any) -> ClusterMember:
        """
        Make a member, and stop it when the test ends.
        """
        client: Any = FakeClient(self.etcd)
        clock: Any = PausedClock(self.clock)
        self.clients[name], self.clocks[name] = client, clock
        member = ClusterMember(
            Cluster("prod", "etcd:http://127.0.0.1:2379", **settings),
            name,
            "127.0.0.1:80",
            client,
            clock,
            Deadlines(clock, clock.seconds),
            lambda kind, message: self.told.append((name, kind, message)),
            Random(name),
        )
        self.addCleanup(lambda: member.running and member.stopService())
        return member

    def join(self, *names: str) -> list[ClusterMember]:
        """
        Make members that join one after the other.
        """
        members = []
        for name in names:
            member = self.make(name)
            member.startService()
            members.append(member)
        return members

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        for _ in self.steps(seconds):
            pass

    def steps(self, seconds: float) -> Iterator[None]:
        """
        Let time pass, with a look after each step.
        """
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)
            self.etcd.expire()
            yield

    def kinds(self, name: str) -> list[EventKind]:
        """
        The kinds of events that a member has told.
        """
        return [kind for who, kind, _ in self.told if who == name]
