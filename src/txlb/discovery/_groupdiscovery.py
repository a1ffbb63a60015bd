"""
The discovery of one group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import is_
from typing import Any, Protocol

from zope.interface import implementer

from txlb.deadlines import Deadline, Deadlines
from txlb.discovery._entries import MAX_HOSTS, MAX_WRONG, Place
from txlb.discovery._foundhost import FoundHost
from txlb.discovery._record import Record
from txlb.discovery._returns import Returns
from txlb.errors import shortened
from txlb.interfaces import IFindings, IHostSource
from txlb.model import Discovery, ProxyGroup, ProxyHost
from txlb.pool import EventKind

#: Characters of a sentence of a source that are kept.
MAX_SENTENCE = 500


class DiscoveryOwner(Protocol):
    """
    The parts of a L{txlb.discovery.Discoverer} that the discovery of a group uses.
    """

    @property
    def deadlines(self) -> Deadlines:
        """
        Has the times.
        """

    def changed(self, discovery: GroupDiscovery) -> None:
        """
        Make soon what a discovery wants.
        """

    def heard(self, discovery: GroupDiscovery, hosts: Iterable[FoundHost]) -> None:
        """
        Report soon the loads of hosts.
        """

    def tell(self, discovery: GroupDiscovery, kind: EventKind, message: str) -> None:
        """
        Publish an event about the group.
        """


@dataclass(frozen=True, slots=True)
class DiscoveryState:
    """
    What is known of the discovery of a group.

    @ivar place: the names of the service and of the group.
    @ivar origin: the name of its source.
    @ivar hosts: the number of hosts in the last answer that was used.
    @ivar answered: when the source last answered, in seconds of the monotonic clock; L{None} for
        not since the balancer has started.
    @ivar trouble: why the source has no answer now; empty if it has one.
    @ivar held: the number of hosts in an answer that is held back; L{None} for none.
    @ivar wrong: a sentence for each entry that is passed over.
    """

    place: Place
    origin: str
    hosts: int
    answered: float | None
    trouble: str
    held: int | None
    wrong: tuple[str, ...]


@implementer(IFindings)
class GroupDiscovery:
    """
    Follows the source of one group, and knows which hosts the group has to have. Owned by a
    L{txlb.discovery.Discoverer}.

    The last set stays while the source fails. An answer that leaves out more hosts than
    C{maxRemove} allows is held back: nothing of it is used until an administrator accepts it, or
    until an answer has enough hosts. A host that comes and goes again and again is held back for
    longer each time.

    Each host is merged with what people have changed live: a setting that a person has changed
    stays as it is until the person sets it to what the source says, and a host that a person has
    removed stays away until the source leaves it out.

    @ivar settings: the configured source.
    @ivar place: the names of the service and of the group.
    @ivar former: the names of the sources that the group had before. Their hosts stay until this
        source has answered.
    """

    def __init__(
        self, owner: DiscoveryOwner, place: Place, settings: Discovery, source: IHostSource
    ) -> None:
        self.place = place
        self.settings = settings
        self.former: frozenset[str] = frozenset()
        self._owner = owner
        self._source = source
        self._returns = Returns()
        # The last answer that was used, and the hosts of it that were made.
        self._answer: dict[str, FoundHost] = {}
        self._records: dict[str, Record] = {}
        # What people wished before a restart.
        self._wishes: Mapping[str, Any] = {}
        # The hosts of the newest answer that have reported a load.
        self._loads: dict[str, FoundHost] = {}
        self._held: dict[str, FoundHost] | None = None
        self._wrong: tuple[str, ...] = ()
        self._trouble = ""
        self._answered: float | None = None
        self._wake: Deadline | None = None

    @property
    def origin(self) -> str:
        """
        The name of the source.
        """
        return self._source.origin

    @property
    def state(self) -> DiscoveryState:
        """
        What is known of it now.
        """
        return DiscoveryState(
            self.place,
            self.origin,
            len(self._answer),
            self._answered,
            self._trouble,
            None if self._held is None else len(self._held),
            self._wrong,
        )

    def said(self, name: str) -> ProxyHost | None:
        """
        Return a host as the source says it, without what people want of it; L{None} if there is
        none.
        """
        record = self._records.get(name)
        return None if record is None else record.said

    # From the source

    def start(self) -> None:
        """
        Follow the source.
        """
        self._source.start(self)

    def stop(self) -> None:
        """
        Follow it no more. The hosts stay.
        """
        self._source.stop()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def found(self, hosts: Sequence[FoundHost], wrong: Sequence[str] = ()) -> None:
        self._answered = self._owner.deadlines.seconds()
        if self._trouble:
            self._trouble = ""
            self._owner.tell(self, EventKind.SOURCE_UP, f"{self.origin} answers again")
        answer = {each.name: each for each in hosts[:MAX_HOSTS]}
        self._hear(answer)
        self._skip(wrong)
        if answer == self._answer:
            self._held = None
            if self.former:
                self._owner.changed(self)
            return
        least = len(self._answer) * (1.0 - self.settings.maxRemove)
        if len(answer) < least:
            self._hold(answer)
            return
        self._held = None
        self._use(answer)

    def _hear(self, answer: Mapping[str, FoundHost]) -> None:
        """
        Take the loads of an answer. A source makes a new object of each entry that it has read
        anew, so the others are as old as before.
        """
        before = self._loads
        loads = {name: each for name, each in answer.items() if each.load is not None}
        if loads or before:
            self._loads = loads
            self._owner.heard(
                self, [each for name, each in loads.items() if before.get(name) is not each]
            )

    def failed(self, reason: str) -> None:
        reason = shortened(reason, MAX_SENTENCE)
        if not self._trouble:
            self._owner.tell(
                self,
                EventKind.SOURCE_DOWN,
                f"{self.origin} has no answer: {reason}; the last known hosts stay",
            )
        self._trouble = reason

    def _skip(self, wrong: Sequence[str]) -> None:
        """
        Publish the entries that are passed over, each once.
        """
        sentences = tuple(shortened(each, MAX_SENTENCE) for each in wrong[:MAX_WRONG])
        known = set(self._wrong)
        self._wrong = sentences
        for sentence in sentences:
            if sentence not in known:
                self._owner.tell(
                    self, EventKind.ENTRY_SKIPPED, f"{self.origin} has a wrong entry: {sentence}"
                )

    def _hold(self, answer: dict[str, FoundHost]) -> None:
        if answer != self._held:
            self._held = answer
            self._owner.tell(
                self,
                EventKind.ANSWER_HELD,
                f"{self.origin} has {len(answer)} hosts, and had {len(self._answer)}: more than "
                f"{self.settings.maxRemove:.0%} are missing, so nothing is removed; use it "
                f"with: txlb accept {'/'.join(self.place)}",
            )

    def accept(self) -> bool:
        """
        Use the answer that is held back.

        @return: whether there was one.
        """
        held, self._held = self._held, None
        if held is None:
            return False
        self._use(held)
        return True

    def _use(self, answer: dict[str, FoundHost]) -> None:
        now = self._owner.deadlines.seconds()
        for name in self._answer:
            if name not in answer:
                self._returns.went(name, now)
        self._answer = answer
        self._owner.changed(self)

    # For the group

    def wanted(self, group: ProxyGroup) -> tuple[ProxyGroup, dict[str, Record]]:
        """
        Make the group that is wanted. It is the same object if nothing differs.

        @param group: the group as it runs now.
        @return: the group, and what L{made} is to be called with once it runs.
        """
        now = self._owner.deadlines.seconds()
        origin = self.origin
        if self._answered is not None and self.former:
            group = replace(
                group, hosts=[each for each in group.hosts if each.origin not in self.former]
            )
        others = {each.name for each in group.hosts if each.origin != origin}
        running = {each.name: each for each in group.hosts if each.origin == origin}
        first = min((each.priority for each in self._answer.values()), default=0)
        records: dict[str, Record] = {}
        for name, found in self._answer.items():
            if name in others:
                continue
            before, there = self._records.get(name), running.get(name)
            said = self._hostOf(found, before, found.priority > first)
            if before is not None:
                records[name] = before.next(there, said)
            elif there is not None:
                records[name] = Record(said, there).next(there, said)
            elif not self._waits(name, now):
                records[name] = Record.new(said, self._wishes.get(name))
        hosts = []
        for each in group.hosts:
            # Those that stay keep their order, and new ones follow.
            if each.origin != origin:
                hosts.append(each)
            elif (left := _left(records, each.name)) is not None:
                hosts.append(left)
        hosts += [
            each.left
            for name, each in records.items()
            if each.left is not None and name not in running
        ]
        same = len(hosts) == len(group.hosts) and all(map(is_, hosts, group.hosts))
        return group if same else replace(group, hosts=hosts), records

    def _hostOf(self, found: FoundHost, before: Record | None, backup: bool) -> ProxyHost:
        """
        Make the host of an entry, or return the one that was made of it before.
        """
        if before is not None:
            said = before.said
            same = said.weight == found.weight and said.state == found.state
            same = same and (said.maxConnections or 0) == found.capacity
            if same and said.backup == backup and str(said.address) == found.address:
                return said
        return found.asHost(self.origin, backup)

    def _waits(self, name: str, now: float) -> bool:
        until = self._returns.heldUntil(name, now)
        if until is None:
            return False
        if self._wake is None:
            self._wake = self._owner.deadlines.at(until, self._goOn)
        return True

    def _goOn(self) -> None:
        self._wake = None
        self._owner.changed(self)

    def made(self, records: Mapping[str, Record]) -> None:
        """
        Take note that a group runs that L{wanted} has made.
        """
        now = self._owner.deadlines.seconds()
        new = [name for name in records if name not in self._records]
        for name in new:
            self._returns.came(name, now)
        self._owner.heard(self, [self._loads[name] for name in new if name in self._loads])
        self._records = dict(records)
        self._wishes = {}
        if self._answered is not None:
            self.former = frozenset()

    # Over a restart

    def kept(self, group: ProxyGroup) -> dict[str, Any]:
        """
        Return what a restart needs, as plain values: the last answer, and what people wish.

        @param group: the group as it runs now.
        """
        running = {each.name: each for each in group.hosts if each.origin == self.origin}
        wishes = {name: each.wish(running.get(name)) for name, each in self._records.items()}
        return {
            "origin": self.origin,
            "hosts": [each.asDict() for each in self._answer.values()],
            "wishes": {name: wish for name, wish in wishes.items() if wish is not None},
        }

    def restore(self, kept: Mapping[str, Any], hosts: Sequence[FoundHost]) -> None:
        """
        Begin with what was kept, unless it is of another source.

        @param kept: see L{kept}.
        @param hosts: the hosts of the last answer, which were checked.
        """
        if kept.get("origin") != self.origin:
            return
        wishes = kept.get("wishes")
        self._answer = {each.name: each for each in hosts}
        self._wishes = wishes if isinstance(wishes, dict) else {}


def _left(records: Mapping[str, Record], name: str) -> ProxyHost | None:
    record = records.get(name)
    return None if record is None else record.left
