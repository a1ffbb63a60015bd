"""
Changes that the members of a cluster share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import is_
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TooLate
from twisted.logger import Logger

from txlb.discovery._discoverer import AUTHOR as DISCOVERY
from txlb.errors import ChangeUnderWay, TxlbError
from txlb.manager import wantedServices
from txlb.model import Change, HostMapper, ProxyHost, ProxyService, ownedByPeople, plain
from txlb.pool import Ending, Event, EventKind

if TYPE_CHECKING:
    from txlb.application._runs import Runs
    from txlb.cluster import ClusterMember, Entry, Item

#: How often a change is tried that others come before.
TRIES = 10

#: Seconds that a change waits for a leader, or for changes before it to be made, beside the lease.
PATIENCE = 5.0

#: Seconds from one look to the next while it waits.
LOOK = 0.05

#: Seconds until a change is tried again here that another one is in the way of.
PAUSE = 0.1

#: Seconds from a change to the digest of the services that others are told.
SOON = 0.2

#: Values of a change that are put into services at once, which takes a millisecond or two.
FEW = 50

#: How often a larger change is put into services that others change meanwhile. Then it is done at
#: once.
LOOKS = 5

#: Hosts with which a change is made in slices.
MANY = 500

#: The events after which services are not the same as before.
_OF_SERVICES = frozenset(
    {
        EventKind.SERVICE_ADDED,
        EventKind.SERVICE_REMOVED,
        EventKind.GROUP_ADDED,
        EventKind.GROUP_REMOVED,
        EventKind.GROUP_SWITCHED,
        EventKind.HOST_ADDED,
        EventKind.HOST_REMOVED,
        EventKind.HOST_MOVED,
        EventKind.SCHEDULER_CHANGED,
        EventKind.SETTING_CHANGED,
    }
)

_Endings = dict[tuple[str, str], dict[str, Ending]]

_log = Logger()


@dataclass(slots=True)
class _Captured:
    """
    A change that a verb wants.
    """

    items: Sequence[Item]
    rest: Sequence[Change]
    endings: _Endings


class SharedChanges:
    """
    Commits changes of services in etcd, and makes those that any member has committed, in their
    order. Owned by a L{ClusterService}.

    The manager asks it before it changes services. Changes by sources of hosts, and changes of
    listeners, are those of each member and are made at once. Any other one is shared: a command
    lets its verb say what is wanted, and L{change} commits that.

    @param balancer: the balancer.
    @param member: returns the member of the cluster that the balancer is.
    @param name: the name of the cluster, for messages.
    """

    def __init__(self, balancer: Runs, member: Callable[[], ClusterMember], name: str) -> None:
        self._balancer = balancer
        self._member = member
        self._name = name
        self._capturing = False
        self._captured: _Captured | None = None
        self._making = False
        self._added: set[tuple[str, ...]] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._running = False
        # The services without live changes, if there is no file that has them.
        self._given: tuple[ProxyService, ...] | None = None
        # Whether the digest is told soon.
        self._soon = False

    # Life

    def remember(self) -> None:
        """
        Take the services for those without live changes, if no file has these.
        """
        if self._given is None:
            self._given = tuple(self._balancer.manager.services.values())

    def start(self) -> None:
        """
        Be asked by the manager before each change.
        """
        self.remember()
        self._running, self._soon = True, False
        manager = self._balancer.manager
        manager.gate = self._gate
        self._unsubscribe = manager.subscribe(self._happened)
        self._tellSoon()

    def stop(self) -> None:
        """
        Be asked no more.
        """
        self._running = False
        self._balancer.manager.gate = None
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    # Committing

    def change(self, action: Callable[[], Any]) -> Deferred[Any]:
        """
        Commit in etcd what a verb of the manager changes. It is made here when it is its turn.

        @param action: calls the verb. It is called again if another change has come before.
        @return: fires with the events of the change; or with what C{action} returns, if that has
            changed nothing, or fires as its L{Deferred} does. It fails with L{TxlbError} if the
            change is refused, and as C{action} raises.
        """
        return Deferred.fromCoroutine(self._change(action))

    async def _change(self, action: Callable[[], Any]) -> Any:
        by = self._balancer.manager.actor or "cluster"
        for _ in range(TRIES):
            await self._ready()
            captured, result = self._capture(action)
            if captured is None:
                return await result if isinstance(result, Deferred) else result
            if captured.rest:
                raise TxlbError(
                    f"the members of cluster {self._name} can't share this: {captured.rest[0]}; "
                    "write it into the file of each member, and reload each"
                )
            waiting = await self._commit(by, captured)
            if waiting is not None:
                return await self._made(waiting)
        raise self._otherFirst()

    async def share(self, services: Iterable[HostMapper | ProxyService]) -> None:
        """
        Commit what a change in slices shares, before it is made here.

        @raise TxlbError: it is refused.
        """
        if self._making or self._balancer.manager.actor == DISCOVERY or not self._running:
            return
        wanted = wantedServices(services)
        for _ in range(TRIES):
            await self._ready()
            captured = self._between(wanted, {})
            if not captured.items:
                return
            by = self._balancer.manager.actor or "cluster"
            waiting = await self._commit(by, captured)
            if waiting is not None:
                await self._made(waiting)
                return
        raise self._otherFirst()

    def forget(self, key: tuple[str, ...]) -> Deferred[tuple[int, tuple[Event, ...]]]:
        """
        Take back, on all members, the shared values of a thing and of the things in it. On each
        member they are again what its file says, or its source of hosts.

        @param key: the names of the service, of the group, and of the host; none for everything.
        @return: fires with the number of values, and with the events on this member. It fails with
            L{TxlbError} if there are none, or if the change is refused.
        """
        return Deferred.fromCoroutine(self._forget(key))

    async def _forget(self, key: tuple[str, ...]) -> tuple[int, tuple[Event, ...]]:
        by = self._balancer.manager.actor or "cluster"
        for _ in range(TRIES):
            await self._ready()
            gone = self._member().log.overrides.under(key)
            if not gone:
                what = f" of {'/'.join(key)}" if key else ""
                raise TxlbError(
                    f"the members of cluster {self._name} share no value{what}; txlb cluster "
                    "shared lists what they share"
                )
            waiting = await self._commit(by, _Captured((), (), {}), [key])
            if waiting is not None:
                return len(gone), await self._made(waiting)
        raise self._otherFirst()

    def _otherFirst(self) -> TxlbError:
        return TxlbError(
            f"other changes of cluster {self._name} came first, {TRIES} times, so nothing was "
            "changed; try again"
        )

    async def _ready(self) -> None:
        """
        Wait until the member has made all changes that it knows of, and knows a leader.

        @raise TxlbError: it is cut off, or it takes too long.
        """
        member, seconds = self._member(), self._balancer.manager.seconds
        end = seconds() + member.settings.ttl + PATIENCE
        while True:
            why = member.whyNoChange()
            if why:
                raise TxlbError(why)
            if member.term and member.log.caughtUp:
                return
            if seconds() > end:
                state = member.state
                raise TxlbError(
                    f"no member leads cluster {self._name} now, so nothing was changed; try again "
                    "when txlb cluster shows a leader"
                    if not state.leader
                    else f"{state.member} is {state.lag} changes behind, so nothing was changed; "
                    "try again"
                )
            await self._pause(LOOK)

    def _pause(self, seconds: float) -> Deferred[None]:
        over: Deferred[None] = Deferred(lambda _: deadline.cancel())
        deadline = self._balancer.engine.deadlines.after(seconds, lambda: over.callback(None))
        return over

    def _capture(self, action: Callable[[], Any]) -> tuple[_Captured | None, Any]:
        self._capturing, self._captured = True, None
        try:
            result = action()
        finally:
            self._capturing = False
            captured, self._captured = self._captured, None
        return captured, result

    async def _commit(
        self, by: str, captured: _Captured, forgotten: Iterable[tuple[str, ...]] = ()
    ) -> Deferred[Any] | None:
        from txlb.clients import EtcdError, EtcdUnreachable  # noqa: PLC0415 - see ClusterService

        endings = {
            (service, group, host): (each.deadline, each.force)
            for (service, group), hosts in captured.endings.items()
            for host, each in hosts.items()
        }
        try:
            return await self._member().commit(by, captured.items, endings, forgotten)
        except EtcdUnreachable as error:
            raise TxlbError(
                f"etcd does not answer ({error}), so nothing was changed here. If etcd has the "
                "change nevertheless all members make it when it answers again; look before you "
                "try again"
            ) from None
        except EtcdError as error:
            raise TxlbError(
                f"etcd has refused the change, and nothing was changed: {error}"
            ) from None

    async def _made(self, waiting: Deferred[Any]) -> Any:
        waiting.addTimeout(PATIENCE, self._balancer.engine.reactor)
        try:
            return await waiting
        except (CancelledError, TooLate):
            raise TxlbError(
                "the change is committed, and all members make it; this one has not made it yet. "
                "txlb cluster shows how far it is behind"
            ) from None

    def _gate(self, wanted: Sequence[ProxyService], endings: _Endings) -> bool:
        """
        See whether a change is made at once.

        @return: whether it is not, as it is committed first.
        @raise TxlbError: it has to be committed first, and was not made by L{change}.
        """
        if self._making or self._balancer.manager.actor == DISCOVERY:
            return False
        captured = self._between(wanted, endings)
        if not captured.items and not captured.endings and not (captured.rest and self._capturing):
            return False
        if not self._capturing:
            raise TxlbError(
                f"this balancer is a member of cluster {self._name}, whose changes are committed "
                "in etcd first: give the command by txlb or by its function at the prompt, or call "
                "services.cluster.change(lambda: ...) with this call in it"
            )
        if self._captured is not None:
            raise TxlbError(
                "members of a cluster share one change at a time; call services.cluster.change for "
                "each"
            )
        self._captured = captured
        return True

    def _between(self, wanted: Sequence[ProxyService], endings: _Endings) -> _Captured:
        from txlb.cluster import itemsBetween  # noqa: PLC0415 - see ClusterService

        services = self._balancer.manager.services
        items, rest = itemsBetween(services.values(), wanted)
        after = {each.name: each for each in wanted}
        kept: _Endings = {}
        for (service, group), hosts in endings.items():
            there = {each.name for each in after[service].getGroup(group).hosts}
            for name, ending in hosts.items():
                host = services[service].getGroup(group).getHost(name)
                # Hosts that are found are removed on each member by itself.
                if name in there or not host.origin:
                    kept.setdefault((service, group), {})[name] = ending
        return _Captured(items, rest, kept)

    # Making

    def make(self, entry: Entry, new: bool, gone: Sequence[Item]) -> Deferred[tuple[Event, ...]]:
        """
        Make a shared change here.

        @param new: whether it was committed while this member was connected. Connections have
            their time to end only then.
        @param gone: the shared values that it takes back.
        @return: fires with its events. It does not fail.
        """
        return Deferred.fromCoroutine(self._make(entry, new, gone))

    async def _make(self, entry: Entry, new: bool, gone: Sequence[Item]) -> tuple[Event, ...]:
        from txlb.cluster import formerItems  # noqa: PLC0415 - see ClusterService

        endings: _Endings = {}
        for (service, group, host), (deadline, force) in entry.endings.items() if new else ():
            endings.setdefault((service, group), {})[host] = Ending(deadline, force)
        wrong = list(entry.wrong)
        former = formerItems(gone, self._former()) if gone else ()
        items = (*former, *entry.items)
        events = await self._items(entry.by, items, endings, wrong)
        for sentence in wrong:
            _log.warn("a part of a shared change can't be made: {part}", part=sentence)
        self._tellSoon()
        return events

    def _former(self) -> Callable[[tuple[str, ...]], Any]:
        """
        Make what finds things as they are without shared values.
        """
        manager, discovery = self._balancer.manager, self._balancer.discovery
        file = self._balancer.configuration
        of = thingsOf(self._given or () if file is None else file.services)
        running = thingsOf(manager.services.values())

        def find(key: tuple[str, ...]) -> Any:
            there = running(key)
            if isinstance(there, ProxyHost) and there.origin:
                service, group, host = key
                return discovery.said(service, group, host)
            return of(key)

        return find

    async def _items(
        self, by: str, items: Sequence[Item], endings: _Endings, wrong: list[str]
    ) -> tuple[Event, ...]:
        manager = self._balancer.manager
        while True:
            wanted, faults = await self._wanted(items)
            try:
                # Another version of txlb may have committed it.
                self._balancer.verify(wanted)
                with manager.by(by), self._own():
                    if len(items) > MANY and not endings:
                        done = self._balancer.applyInSlices(wanted)
                    else:
                        events = manager.apply(wanted, endings)
                        wrong += faults
                        return events
                events = await done
            except ChangeUnderWay:
                # It ends by itself.
                await self._pause(PAUSE)
            except CancelledError:
                raise
            except TxlbError as error:
                wrong.append(str(error))
                return ()
            else:
                wrong += faults
                return events

    async def _wanted(self, items: Sequence[Item]) -> tuple[Sequence[ProxyService], list[str]]:
        """
        Find the services that a shared change wants. If it is large that takes several turns of
        the reactor, in which another change may be made; then it is found anew.
        """
        from txlb.cluster import Making  # noqa: PLC0415 - see ClusterService

        manager = self._balancer.manager
        for tried in range(LOOKS):
            services = tuple(manager.services.values())
            making = Making(services, items)
            if len(items) <= FEW or tried == LOOKS - 1:
                for _ in making.steps():
                    pass
                break
            await self._balancer.slices.run(making.steps())
            now = tuple(manager.services.values())
            if len(now) == len(services) and all(map(is_, now, services)):
                break
        return making.made, making.wrong

    @contextmanager
    def _own(self) -> Iterator[None]:
        """
        Let the changes that begin within a C{with} statement be made at once.
        """
        self._making = True
        try:
            yield
        finally:
            self._making = False

    def _happened(self, event: Event) -> None:
        """
        Let a host that a source has found be as people want it.
        """
        if event.kind is EventKind.HOST_ADDED and event.by == DISCOVERY:
            self._added.add(event.key)
            if len(self._added) == 1:
                self._balancer.engine.deadlines.after(PAUSE, self._makeAdded)
        if event.kind in _OF_SERVICES:
            self._tellSoon()

    def _makeAdded(self) -> None:
        added, self._added = self._added, set()
        if self._running:
            known = self._member().log.overrides.of(added)
            items = [each for each in known if each.setting != "host"]
            if items:
                making = Deferred.fromCoroutine(self._items("cluster", items, {}, []))
                making.addErrback(lambda reason: _log.failure("hosts were not changed", reason))

    # Telling

    def _tellSoon(self) -> None:
        if self._running and not self._soon:
            self._soon = True
            self._balancer.engine.deadlines.after(SOON, self._tell)

    def _tell(self) -> None:
        self._soon = False
        if self._running:
            telling = Deferred.fromCoroutine(self._digest())
            telling.addErrback(lambda reason: _log.failure("services were not compared", reason))

    async def _digest(self) -> None:
        services = tuple(self._balancer.manager.services.values())
        digest = await self._balancer.slices.inThread(digestOf, services)
        if self._running:
            self._member().say(digest)


def thingsOf(services: Iterable[ProxyService]) -> Callable[[tuple[str, ...]], Any]:
    """
    Make what finds a service, a group or a host by its names; it returns L{None} if there is none.
    """
    found: dict[tuple[str, ...], Any] = {}
    for service in services:
        found[service.name,] = service
        for group in service.groups:
            found[service.name, group.name] = group
            for host in group.hosts:
                found[service.name, group.name, host.name] = host
    return found.get


def digestOf(services: Iterable[ProxyService]) -> str:
    """
    Return a digest of services, without listeners, which are those of each member, and without
    hosts that sources have found. It takes long with thousands of hosts, and may be called in a
    thread.
    """
    known = [
        {name: each for name, each in _plainOf(service).items() if name != "listeners"}
        for service in sorted(ownedByPeople(services), key=lambda each: each.name)
    ]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def _plainOf(service: ProxyService) -> dict[str, Any]:
    found = plain(service)
    assert isinstance(found, dict)  # noqa: S101 - a service has fields
    for group in found["groups"]:
        group["hosts"].sort(key=lambda host: host["name"])
    return found
