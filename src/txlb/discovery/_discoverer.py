"""
The sources of a balancer's hosts, while it runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline, Deadlines
from txlb.discovery._entries import Place
from txlb.discovery._foundhost import FoundHost
from txlb.discovery._groupdiscovery import DiscoveryState, GroupDiscovery
from txlb.discovery._record import Record
from txlb.discovery._sourcekind import SourceTools, Worker, makeSource
from txlb.discovery._store import Store
from txlb.errors import ChangeStopped, ChangeUnderWay, ModelError, UnknownName
from txlb.manager import ProxyManager
from txlb.model import Discovery, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Event, EventKind

#: The author of changes, in events.
AUTHOR = "discovery"

#: Seconds until a change is tried again that another one was in the way of.
PAUSE = 0.1

#: Seconds from a change to the writing of the files of the groups that it concerned.
KEEP = 1.0

#: Seconds for which a load is good that a source has found. An announcement with a load is renewed
#: three times as often.
GOOD = 90.0

#: The events after which other groups may have a source.
_OF_GROUPS = frozenset(
    {
        EventKind.SERVICE_ADDED,
        EventKind.SERVICE_REMOVED,
        EventKind.GROUP_ADDED,
        EventKind.GROUP_REMOVED,
        EventKind.SETTING_CHANGED,
    }
)

#: The events after which what people wish for found hosts may have changed.
_OF_WISHES = frozenset(
    {
        EventKind.HOST_REMOVED,
        EventKind.HOST_WEIGHT,
        EventKind.HOST_STATE,
        EventKind.HOST_MOVED,
        EventKind.SETTING_CHANGED,
    }
)

_log = Logger()


class Runs(Protocol):
    """
    The parts of a balancer that discovery uses.
    """

    @property
    def manager(self) -> ProxyManager:
        """
        Has the groups.
        """

    @property
    def slices(self) -> Worker:
        """
        Does work that takes long.
        """

    def applyInSlices(self, services: Iterable[ProxyService]) -> Deferred[tuple[Event, ...]]:
        """
        Make these the services.
        """


class Discoverer(Service):
    """
    Follows the sources of all groups that have one, and lets the groups have the hosts that
    these find. It follows groups and sources that are changed. Hosts whose source a group has no
    longer are removed from it.

    The changes of all sources that come meanwhile are made together, in slices, one set after the
    other.

    @param balancer: has the groups.
    @param reactor: makes the connections of sources.
    @param deadlines: has their times.
    @param folder: the folder at which relative paths begin.
    @param store: keeps the last known hosts over a restart; L{None} for nothing.
    """

    def __init__(
        self,
        balancer: Runs,
        reactor: Any,
        deadlines: Deadlines,
        folder: str,
        store: Store | None = None,
    ) -> None:
        self._balancer = balancer
        self._reactor = reactor
        self.deadlines = deadlines
        self._folder = folder
        self._store = store
        self._groups: dict[Place, GroupDiscovery] = {}
        # The names of the sources that groups had before, and whose hosts they still have.
        self._former: dict[Place, frozenset[str]] = {}
        self._shared: dict[tuple[str, object], Any] = {}
        # Groups whose hosts have to be made.
        self._dirty: dict[Place, None] = {}
        self._applying: Deferred[None] | None = None
        self._again: Deadline | None = None
        # Groups whose files have to be written.
        self._unkept: set[Place] = set()
        self._keep: Deadline | None = None
        self._keeping = False
        self._unsubscribe: Callable[[], None] | None = None
        # Loads that have to be reported, by the names of the hosts.
        self._heard: dict[Place, dict[str, float]] = {}
        self._hearing: Deferred[None] | None = None

    # What there is

    def states(self) -> list[DiscoveryState]:
        """
        Return what is known of each group that has a source.
        """
        return [each.state for each in self._groups.values()]

    def said(self, serviceName: str, groupName: str, name: str) -> ProxyHost | None:
        """
        Return a host as its source says it, without what people want of it; L{None} if no source
        has found it.
        """
        found = self._groups.get((serviceName, groupName))
        return None if found is None else found.said(name)

    def accept(self, serviceName: str, groupName: str) -> bool:
        """
        Use the answer of a group's source that is held back, as it leaves out too many hosts.

        @return: whether there was one.
        @raise UnknownName: there is no such group, or it has no source.
        """
        self._balancer.manager.getGroup(serviceName, groupName)
        found = self._groups.get((serviceName, groupName))
        if found is None:
            raise UnknownName(
                "group with a source",
                f"{serviceName}/{groupName}",
                ["/".join(place) for place in self._groups],
            )
        return found.accept()

    def verify(self, place: Place, discovery: Discovery | None) -> None:
        """
        Check that a source can be made.

        @raise ModelError: it can't be made as it is configured, or there is no such kind.
        """
        if discovery is not None:
            try:
                makeSource(discovery, self._tools(place))
            except (ModelError, UnknownName) as error:
                raise ModelError(f"the source of hosts of {'/'.join(place)}: {error}") from None

    def verifyAll(self, service: ProxyService) -> None:
        """
        Check that all sources of a service can be made.

        @raise ModelError: one can't be made as it is configured.
        """
        for group in service.groups:
            self.verify((service.name, group.name), group.discover)

    def _tools(self, place: Place) -> SourceTools:
        return SourceTools(
            place,
            self._reactor,
            self.deadlines,
            self._folder,
            self._balancer.slices,
            self._shared,
        )

    # Start and stop

    def startService(self) -> None:
        """
        Give each group the hosts that were known last, and follow the sources.
        """
        super().startService()
        self._unsubscribe = self._balancer.manager.subscribe(self._happened)
        self._review()

    def whenRestored(self) -> Deferred[None]:
        """
        Wait until the groups have the hosts that were known last, after the start.

        @return: fires with L{None}, at once if nothing is being made. It does not fail.
        """
        restored: Deferred[None] = Deferred()
        if self._applying is None:
            restored.callback(None)
        else:
            self._applying.addCallback(lambda _: restored.callback(None))
        return restored

    def stopService(self) -> None:
        """
        Follow them no more. The hosts stay, and files are written that have to be.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for deadline in (self._again, self._keep):
            if deadline is not None:
                deadline.cancel()
        self._again = self._keep = None
        for working in (self._applying, self._hearing):
            if working is not None:
                working.cancel()
        self._heard.clear()
        for place, kept in self._toKeep():
            self._write(place, kept)
        for group in self._groups.values():
            group.stop()
        self._groups.clear()
        self._dirty.clear()

    # Groups

    def _happened(self, event: Event) -> None:
        if event.kind in _OF_GROUPS and len(event.key) < 3:
            self._review()
        elif event.kind in _OF_WISHES and len(event.key) == 3 and event.by != AUTHOR:
            place = event.key[0], event.key[1]
            if place in self._groups:
                self._keepSoon(place)

    def _configured(self) -> Iterator[tuple[Place, ProxyGroup]]:
        for service in self._balancer.manager.services.values():
            for group in service.groups:
                yield (service.name, group.name), group

    def _review(self) -> None:
        """
        Follow the sources that are configured now.
        """
        configured = dict(self._configured())
        for place, found in list(self._groups.items()):
            group = configured.get(place)
            if group is None or group.discover != found.settings:
                found.stop()
                del self._groups[place]
                if self._store is not None:
                    self._store.forget(place)
                if group is not None:
                    self._former[place] = found.former | {found.origin}
                    self._dirty[place] = None
        for place, group in configured.items():
            if place not in self._groups and group.discover is not None:
                self._follow(place, group.discover)
        self._apply()

    def _follow(self, place: Place, settings: Discovery) -> None:
        """
        Follow the source of a group.
        """
        try:
            source = makeSource(settings, self._tools(place))
        except (ModelError, UnknownName) as error:
            # What a verb has set was checked by then, but a plugin may be gone.
            _log.error(
                "there is no source for {place}: {error}", place="/".join(place), error=error
            )
            return
        found = self._groups[place] = GroupDiscovery(self, place, settings, source)
        found.former = self._former.pop(place, frozenset()) - {found.origin}
        kept = None if self._store is None else self._store.read(place)
        if kept is not None:
            found.restore(*kept)
        self._dirty[place] = None
        found.start()

    # For the discovery of a group

    def changed(self, discovery: GroupDiscovery) -> None:
        """
        Make soon what a discovery wants.
        """
        self._dirty[discovery.place] = None
        self._keepSoon(discovery.place)
        if self._again is None and self._applying is None:
            # What other sources find in this turn is made together with it.
            self._again = self.deadlines.after(0.0, self._apply)

    def heard(self, discovery: GroupDiscovery, hosts: Iterable[FoundHost]) -> None:
        """
        Report soon the loads of hosts.
        """
        loads = {each.name: each.load for each in hosts if each.load is not None}
        if loads:
            self._heard.setdefault(discovery.place, {}).update(loads)
            if self._hearing is None:
                hearing = Deferred.fromCoroutine(self._balancer.slices.run(self._reporting()))
                self._hearing = None if hearing.called else hearing
                hearing.addErrback(_wentWrong)
                hearing.addCallback(self._reported)

    def _reported(self, _: object) -> None:
        self._hearing = None

    def _reporting(self) -> Iterator[None]:
        """
        Report loads to the pools of their hosts. A group with a probe has its loads from that.
        """
        while self._heard:
            place, loads = self._heard.popitem()
            group, discovery = self._groupAt(place), self._groups.get(place)
            if group is None or discovery is None or group.resource is not None:
                continue
            pool = self._balancer.manager.getPool(*place)
            for count, (name, load) in enumerate(loads.items()):
                # It is reported once its host was made, and again if it is removed meanwhile.
                with contextlib.suppress(UnknownName):
                    if pool.getHost(name).configured.origin == discovery.origin:
                        pool.reportLoad(name, 1.0 - load, GOOD)
                if count % 20 == 19:
                    yield
            yield

    def tell(self, discovery: GroupDiscovery, kind: EventKind, message: str) -> None:
        """
        Publish an event about a group.
        """
        with self._balancer.manager.by(AUTHOR):
            self._balancer.manager.tell(kind, discovery.place, message)

    # Making what is wanted

    def _apply(self) -> None:
        self._again = None
        if self.running and self._applying is None and self._dirty:
            applying = self._applying = Deferred.fromCoroutine(self._applyAll())
            applying.addErrback(_wentWrong)
            applying.addCallback(self._applied)

    def _applied(self, _: object) -> None:
        self._applying = None
        if self.running and self._dirty and self._again is None:
            self._again = self.deadlines.after(PAUSE, self._apply)

    async def _applyAll(self) -> None:
        """
        Make all groups that have to be made. If another change is in the way they are made
        later.
        """
        places = list(self._dirty)
        self._dirty.clear()
        built: dict[Place, _Built] = {}
        await self._balancer.slices.run(self._building(places, built))
        manager = self._balancer.manager
        # A group may have been changed meanwhile.
        for place, each in built.items():
            if self._groupAt(place) is not each.group:
                built[place] = self._build(place)
        wanted = {place: each for place, each in built.items() if each.wanted is not each.group}
        if wanted:
            try:
                with manager.by(AUTHOR):
                    await self._balancer.applyInSlices(_replaced(manager.services.values(), wanted))
            except ChangeUnderWay:
                self._dirty.update(dict.fromkeys(places))
                return
            except (CancelledError, ChangeStopped):
                return
        for place, each in built.items():
            discovery = self._groups.get(place)
            if discovery is each.discovery and discovery is not None:
                discovery.made(each.records)

    def _building(self, places: Iterable[Place], built: dict[Place, _Built]) -> Iterator[None]:
        for place in places:
            if self._groupAt(place) is not None:
                built[place] = self._build(place)
            yield

    def _groupAt(self, place: Place) -> ProxyGroup | None:
        try:
            return self._balancer.manager.getGroup(*place)
        except UnknownName:
            return None

    def _build(self, place: Place) -> _Built:
        """
        Make the group that is wanted at a place.
        """
        group, discovery = self._groupAt(place), self._groups.get(place)
        if group is None:
            return _Built(None, None, None, {})
        if discovery is None:
            former = self._former.pop(place, frozenset())
            hosts = [each for each in group.hosts if each.origin not in former]
            same = len(hosts) == len(group.hosts)
            return _Built(group, group if same else replace(group, hosts=hosts), None, {})
        try:
            wanted, records = discovery.wanted(group)
        except ModelError as error:
            discovery.failed(f"its hosts can't be used: {error}")
            return _Built(group, group, None, {})
        return _Built(group, wanted, discovery, records)

    # Over a restart

    def _keepSoon(self, place: Place) -> None:
        if self._store is not None:
            self._unkept.add(place)
            if self._keep is None and not self._keeping:
                self._keep = self.deadlines.after(KEEP, self._keepNow)

    def _keepNow(self) -> None:
        self._keep = None
        self._keeping = True
        keeping = Deferred.fromCoroutine(self._keepAll())
        keeping.addErrback(_wentWrong)
        keeping.addCallback(self._kept)

    def _kept(self, _: object) -> None:
        self._keeping = False
        if self.running and self._unkept:
            self._keep = self.deadlines.after(KEEP, self._keepNow)

    async def _keepAll(self) -> None:
        for place, kept in self._toKeep():
            await self._balancer.slices.inThread(self._write, place, kept)

    def _toKeep(self) -> Iterator[tuple[Place, dict[str, Any]]]:
        """
        Return what has to be written, for each group.
        """
        while self._unkept:
            place = self._unkept.pop()
            group, discovery = self._groupAt(place), self._groups.get(place)
            if group is not None and discovery is not None:
                yield place, discovery.kept(group)

    def _write(self, place: Place, kept: dict[str, Any]) -> None:
        if self._store is None:
            return
        try:
            self._store.write(place, kept)
        except OSError as error:
            _log.warn(
                "the last known hosts of {place} can't be written: {error}; after a restart it has "
                "those that were written before",
                place="/".join(place),
                error=error.strerror or error,
            )


@dataclass(frozen=True, slots=True)
class _Built:
    """
    A group that was made of what its source says.

    @ivar group: the group that it was made of; L{None} if there is none.
    @ivar wanted: the group that is wanted.
    @ivar discovery: has the source.
    @ivar records: see L{GroupDiscovery.made}.
    """

    group: ProxyGroup | None
    wanted: ProxyGroup | None
    discovery: GroupDiscovery | None
    records: dict[str, Record]


def _replaced(
    services: Iterable[ProxyService], built: Mapping[Place, _Built]
) -> list[ProxyService]:
    """
    Put groups in the places of those of their names.
    """
    result = []
    for service in services:
        for group in service.groups:
            found = built.get((service.name, group.name))
            if found is not None and found.wanted is not None:
                service = service.withGroup(found.wanted)  # noqa: PLW2901 - one after the other
        result.append(service)
    return result


def _wentWrong(reason: Failure) -> None:
    if not reason.check(CancelledError):
        _log.failure("the hosts of a source could not be taken over", reason)
