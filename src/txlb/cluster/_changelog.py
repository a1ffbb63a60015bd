"""
The log of the changes that members share.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.clients import EtcdClient, KeyValue, Transaction
from txlb.cluster._entry import MAX_ENTRY, MAX_ITEMS, Entry
from txlb.cluster._items import Item
from txlb.cluster._keys import Keys
from txlb.cluster._overrides import MAX_STATE, MOST, Overrides
from txlb.errors import TxlbError

#: Entries that are kept in etcd at least, and how many more there may be before the leader puts
#: the oldest ones into the state.
KEPT = 50
MORE = 50

#: Entries that are known and not made at most. A member with more reads the state again.
MAX_WAITING = 1000

_log = Logger()

#: Makes an entry. It is called with the entry, with whether it is new, and with the values that it
#: takes back; its result fires when it is made.
Make = Callable[[Entry, bool, Sequence[Item]], "Deferred[Any]"]


class ChangeLog:
    """
    The changes that members share, in the order of their numbers. Each is a key of etcd,
    C{PREFIX/NAME/log/NUMBER}; C{PREFIX/NAME/head} has the last number. A change is committed by one
    transaction, which compares the revision of the head and the term of the leader. So changes have
    one order, none is lost between two members that change at the same time, and nothing is
    committed for a leader that is none any more.

    C{PREFIX/NAME/state} has what the oldest changes amount to. The leader brings it up to date, and
    removes these changes, when there are more than L{KEPT} and L{MORE}.

    Owned by a L{ClusterMember}, which passes on what etcd tells.

    @param client: the client of etcd.
    @param keys: the keys of the cluster.
    @param member: the name of the member.
    @param make: makes an entry here.

    @ivar head: the number of the last change that is known.
    @ivar applied: the number of the last change that was made here.
    @ivar overrides: what all changes up to that one amount to.
    @ivar made: is called when changes were made.
    """

    def __init__(
        self, client: EtcdClient, keys: Keys, member: str, make: Make, made: Callable[[], object]
    ) -> None:
        self._client = client
        self._keys = keys
        self._member = member
        self._make = make
        self._madeSome = made
        self.head = 0
        self.applied = 0
        self.overrides = Overrides()
        self._headAt = 0
        self._stateAt = 0
        self._state: bytes | None = None
        # Those that are not made yet, by their numbers, with whether they are new.
        self._waiting: dict[int, tuple[bytes, bool]] = {}
        # The numbers of those that etcd has.
        self._kept: set[int] = set()
        # By their ids: the callers that wait for changes of this member to be made.
        self._callers: dict[str, Deferred[Any]] = {}
        self._making: Deferred[None] | None = None
        self._isListed = False
        # What the process before this one had made, until this one has caught up.
        self._before: Overrides | None = None

    # An upgrade

    @property
    def handed(self) -> Sequence[Item]:
        """
        What the successor of an upgrade begins with: see L{takeOver}.
        """
        return (self.overrides if self._before is None else self._before).items

    def takeOver(self, items: Iterable[Item]) -> None:
        """
        Take note that these values were made by the process before this one. Those that are gone
        when this one has caught up are taken back.
        """
        self._before = Overrides()
        self._before.take(items)
        if self._isListed:
            self._goOn()

    # What etcd tells

    def listed(self, found: Iterable[KeyValue]) -> None:
        """
        Take note of all keys of the cluster.
        """
        self.head = self._headAt = self._stateAt = 0
        self._state = None
        self._waiting, self._kept = {}, set()
        self._isListed = True
        self._observe(found, new=False)
        self._beginAnew()
        self._goOn()

    def told(self, put: Iterable[KeyValue], removed: Iterable[str]) -> None:
        """
        Take note of changes of keys.
        """
        for key in removed:
            if key.startswith(self._keys.log):
                self._kept.discard(_numberOf(key.removeprefix(self._keys.log)))
            elif key == self._keys.head:
                self.head = self._headAt = 0
            elif key == self._keys.state:
                self._stateAt, self._state = 0, None
        self._observe(put, new=True)
        self._beginAnew()
        self._goOn()

    def _beginAnew(self) -> None:
        """
        Count from the head, if etcd has fewer changes than were made here: its data is another.
        """
        if self.head < self.applied and self._making is None:
            _log.warn(
                "etcd has {head} shared changes, and {applied} were made here: what it has counts "
                "from now on",
                head=self.head,
                applied=self.applied,
            )
            self.applied = 0 if self._state is not None else self.head
            self.overrides = Overrides()

    def _observe(self, put: Iterable[KeyValue], *, new: bool) -> None:
        for each in put:
            if each.key == self._keys.head:
                self.head = _numberOf(each.value.decode("ascii", "replace"))
                self._headAt = each.modified
            elif each.key == self._keys.state:
                self._stateAt, self._state = each.modified, each.value
            elif each.key.startswith(self._keys.log):
                number = _numberOf(each.key.removeprefix(self._keys.log))
                self._kept.add(number)
                if number > self.applied and len(self._waiting) < MAX_WAITING:
                    self._waiting[number] = each.value, new

    # Making them

    @property
    def caughtUp(self) -> bool:
        """
        Whether all changes that are known were made here.
        """
        return self._making is None and self.applied >= self.head

    def _goOn(self) -> None:
        if self._making is None:
            making = self._making = Deferred.fromCoroutine(self._makeAll())
            making.addErrback(_failed)
            making.addCallback(self._madeAll)

    def _madeAll(self, _: object) -> None:
        self._making = None
        self._madeSome()

    async def _makeAll(self) -> None:
        while True:
            state = self._state
            if state is not None:
                known = Overrides()
                index = known.read(state)
                if index > self.applied and self.applied + 1 not in self._waiting:
                    # Those before it are gone from the log.
                    await self._make(_entryOf(known), False, self.overrides.goneIn(known))
                    self.overrides, self.applied = known, index
                    self._waiting = {n: each for n, each in self._waiting.items() if n > index}
                    continue
            if not self.applied and len(self._waiting) > 1:
                await self._makeFirst()
            following = self._waiting.pop(self.applied + 1, None)
            if following is None:
                if self._before is None or self.applied < self.head:
                    return
                await self._takeBack()
                continue
            entry = Entry.of(following[0])
            gone = [item for key in entry.forgotten for item in self.overrides.under(key)]
            result = await self._make(entry, following[1], gone)
            self._take(entry)
            self.applied += 1
            caller = self._callers.pop(entry.id, None)
            if caller is not None:
                caller.callback(result)

    async def _takeBack(self) -> None:
        """
        Take back what the process before this one had made, and is gone. If etcd has no change at
        all, its data is another, and nothing was taken back.
        """
        before, self._before = self._before, None
        if before is not None and self.head:
            gone = before.goneIn(self.overrides)
            if gone:
                # A host that comes back has the values that are shared of it since.
                again = self.overrides.of(dict.fromkeys(each.key for each in gone))
                await self._make(_entryWith(again), False, gone)

    def stop(self) -> None:
        """
        Make no more changes.
        """
        making, self._making = self._making, None
        if making is not None:
            making.cancel()

    async def _makeFirst(self) -> None:
        """
        Make all changes that a member finds when it starts, as one: what came in between would
        show for a moment only.
        """
        entries = []
        while (following := self._waiting.pop(self.applied + 1, None)) is not None:
            entries.append(Entry.of(following[0]))
            self.applied += 1
        for entry in entries:
            self._take(entry)
        if entries:
            await self._make(_entryOf(self.overrides), False, ())

    def _take(self, entry: Entry) -> None:
        for key in entry.forgotten:
            self.overrides.forget(key)
        self.overrides.take(entry.items)

    # Committing

    async def commit(self, entry: Entry) -> Deferred[Any] | None:
        """
        Commit a change.

        @return: fires with what came of it when it was made here; it may be cancelled. L{None} if
            another change or another leader came first.
        @raise TxlbError: it is too large.
        @raise EtcdUnreachable: etcd does not answer. It may be committed nevertheless.
        """
        data = entry.encoded()
        if len(entry.items) > MAX_ITEMS or len(data) > MAX_ENTRY:
            raise TxlbError(
                f"the change has {len(entry.items)} values in {len(data)} bytes, and {MAX_ITEMS} "
                f"in {MAX_ENTRY} bytes can be shared at once; change less at a time"
            )
        if len(self.overrides) + len(entry.items) > MOST:
            raise TxlbError(
                f"the cluster shares {len(self.overrides)} values, and {MOST} at most; write them "
                "into the files of the members, and take them back with: txlb cluster forget"
            )
        number, keys = self.head + 1, self._keys
        transaction = (
            Transaction()
            .ifCreatedAt(keys.leader, entry.term)
            .ifModifiedAt(keys.head, self._headAt)
            .put(keys.head, str(number).encode())
            .put(keys.entry(number), data)
        )
        waiting: Deferred[Any] = Deferred(lambda _: self._forget(entry.id))
        self._callers[entry.id] = waiting
        try:
            committed = await self._client.commit(transaction)
            if committed.succeeded:
                return waiting
            # The member of etcd that was asked first may have done it and not answered.
            there = await self._client.get(keys.entry(number))
        except BaseException:
            self._callers.pop(entry.id, None)
            raise
        if there is not None and Entry.of(there.value).id == entry.id:
            return waiting
        self._callers.pop(entry.id, None)
        return None

    def _forget(self, name: str) -> None:
        self._callers.pop(name, None)

    async def compact(self, term: int) -> None:
        """
        Put the oldest changes into the state, if there are many.

        @param term: the term in which the member leads.
        """
        if len(self._kept) <= KEPT + MORE or not self.caughtUp:
            return
        data = self.overrides.encoded(self.applied)
        if len(data) > MAX_STATE:
            _log.warn(
                "the values that the members share have {size} bytes, and {most} at most; the log "
                "in etcd grows until there are fewer",
                size=len(data),
                most=MAX_STATE,
            )
            return
        keys = self._keys
        first, end = keys.entry(0), keys.entry(self.applied - KEPT + 1)
        await self._client.commit(
            Transaction()
            .ifCreatedAt(keys.leader, term)
            .ifModifiedAt(keys.state, self._stateAt)
            .put(keys.state, data)
            .delete(first, end)
        )


def newId() -> str:
    """
    Make the id of a change.
    """
    return uuid.uuid4().hex


def _entryOf(known: Overrides) -> Entry:
    return _entryWith(known.items)


def _entryWith(items: Iterable[Item]) -> Entry:
    return Entry("", "", "cluster", 0.0, 0, tuple(items), {})


def _numberOf(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def _failed(reason: Failure) -> None:
    if not reason.check(CancelledError):
        _log.failure("a shared change could not be made", reason)
