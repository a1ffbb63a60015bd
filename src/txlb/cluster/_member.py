"""
A member of a cluster.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb._version import __version__
from txlb.clients import Changes, EtcdClient, EtcdError, EtcdWatch, KeyValue, Transaction
from txlb.cluster._beats import Beats
from txlb.cluster._changelog import ChangeLog, Make, newId
from txlb.cluster._entry import Endings, Entry
from txlb.cluster._items import Item
from txlb.cluster._keys import Keys
from txlb.cluster._records import LeaderRecord, MemberRecord
from txlb.cluster._session import Session
from txlb.cluster._state import ClusterState
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import TxlbError
from txlb.model import Cluster
from txlb.pool import EventKind

#: How often a lease is renewed while it lasts.
RENEWALS = 3

#: Seconds of the first pause before another try, and of a pause at most. A member is in the cluster
#: again within a second after etcd is back.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 0.4

#: Seconds until the watch is looked at again, if it has not told what etcd has.
LOOK_AGAIN = 0.3

#: The share of a lease for which etcd has to have answered before a silent leader is removed. An
#: outage of etcd silences all, and a leader that lives goes on after it.
PATIENT = 1 / 3

#: The share by which a pause is shorter or longer at most, at random.
JITTER = 0.2

#: Leases for which a member that has stepped down lets the others lead.
ABSTAIN = 2

#: Seconds that etcd has when a member leaves.
PATIENCE = 2.0

#: Members that are known at most. More can't be meant.
MAX_MEMBERS = 100

_log = Logger()

#: Publishes an event about the cluster.
Tell = Callable[[EventKind, str], object]


class ClusterMember(Service):
    """
    A member of a cluster: it keeps its key, and leads if no other member does.

    A lease of etcd holds its keys, and is renewed by the monotonic clock. The leader has the key
    C{PREFIX/NAME/leader}; the revision at which it came to be is the term, and every write that the
    leader makes as such compares it. By its own clock the leader gives up before the lease ends,
    also if it was paused. Members learn by a watch that the key is gone, and then each tries to
    make it; etcd lets one succeed. A leader that has given no sign of life for the time of a lease
    is removed by the others, see L{Beats}.

    @param settings: the cluster.
    @param member: the name of this member.
    @param address: where it listens, for people.
    @param client: the client of etcd. The member closes it.
    @param reactor: has the time of watches.
    @param deadlines: has the times.
    @param tell: publishes events.
    @param random: the source of chance.
    @param make: makes a shared change here; see L{Make}.

    @ivar changed: is called when the leader has changed, or what is known of it, and when shared
        changes were made.
    @ivar log: the shared changes.
    """

    def __init__(
        self,
        settings: Cluster,
        member: str,
        address: str,
        client: EtcdClient,
        reactor: Any,
        deadlines: Deadlines,
        tell: Tell,
        random: Random | None = None,
        make: Make | None = None,
    ) -> None:
        self.settings = settings
        self.keys = Keys.of(settings.prefix, settings.name)
        self._client = client
        self._reactor = reactor
        self._deadlines = deadlines
        self._tell = tell
        self._random = Random() if random is None else random
        self._session = Session(client, settings.ttl, deadlines.seconds)
        self._beats = Beats(client, self.keys, self._session.ttl, deadlines.seconds)
        # Since when etcd answers, and soon.
        self._answering: float | None = None
        self._record = MemberRecord(member, address, __version__, time.time())
        self.changed: Callable[[], object] = _nothing
        self.log = ChangeLog(client, self.keys, member, make or _makeNothing, self._made)
        self._leader: KeyValue | None = None
        self._members: dict[str, KeyValue] = {}
        # When each key was written last, as far as the watch has told.
        self._written: dict[str, int] = {}
        self._behind = False
        self._watch: EtcdWatch | None = None
        self._working: Deferred[None] | None = None
        self._again = False
        self._next: Deadline | None = None
        self._giveUp: Deadline | None = None
        self._pause = FIRST_PAUSE
        self._abstainUntil = 0.0
        self._left = False
        self._trouble = "etcd has not answered yet"
        # What was told last.
        self._toldLeads = False
        self._toldConnected: bool | None = None

    # What there is

    @property
    def member(self) -> str:
        """
        The name of the member.
        """
        return self._record.name

    @property
    def connected(self) -> bool:
        """
        Whether the member is in the cluster for sure.
        """
        return self._session.alive and self._watch is not None

    @property
    def leads(self) -> bool:
        """
        Whether the member is the leader for sure.
        """
        return bool(self.ownTerm)

    @property
    def ownTerm(self) -> int:
        """
        The term in which the member leads; 0 if it is not the leader for sure.
        """
        leader = self._leader
        if leader is None or not self._isMine(leader) or not self._session.alive:
            return 0
        return leader.created if self._beats.isGood(leader.lease) else 0

    def _isMine(self, key: KeyValue) -> bool:
        return bool(self._session.lease) and key.lease == self._session.lease

    @property
    def term(self) -> int:
        """
        The term of the leader that is known; 0 for none.
        """
        return 0 if self._leader is None else self._leader.created

    @property
    def state(self) -> ClusterState:
        """
        The cluster as the member knows it.
        """
        leader = LeaderRecord("") if self._leader is None else LeaderRecord.of(self._leader.value)
        return ClusterState(
            self.settings.name,
            self.settings.mode,
            self.member,
            self.connected,
            self._left,
            self.leads,
            leader.member,
            leader.since,
            self.term,
            self.log.head,
            self.log.applied,
            tuple(
                MemberRecord.of(name, each.value) for name, each in sorted(self._members.items())
            ),
            "" if self.connected else self._whyNotConnected,
            len(self.log.overrides),
        )

    @property
    def _whyNotConnected(self) -> str:
        """
        The reason why the member is cut off, in words.
        """
        # The lease may end before a request has failed.
        return self._trouble or "etcd has not answered in time"

    # Life

    def startService(self) -> None:
        """
        Join the cluster.
        """
        super().startService()
        self.join()

    def stopService(self) -> Deferred[None]:
        """
        Leave the cluster.

        @return: fires with L{None} when the keys are gone, or when etcd had its time for it. It
            does not fail.
        """
        super().stopService()
        return self._leave().addCallback(lambda _: self._client.close())

    def join(self) -> None:
        """
        Be a member again, after L{leave}.
        """
        self._left = False
        self._work()

    def leave(self) -> Deferred[None]:
        """
        Be no member until L{join}, or until the process starts again. If it leads another member
        does from now on.

        @return: fires with L{None} when the keys are gone, or when etcd had its time for it. It
            does not fail.
        """
        self._trouble = "it has left the cluster"
        return self._leave()

    def _leave(self) -> Deferred[None]:
        self._left = True
        self._stopWork()
        if not self._session.lease:
            self._review()
            return succeed(None)
        leaving = Deferred.fromCoroutine(self._session.end())
        leaving.addTimeout(PATIENCE, self._reactor)
        leaving.addErrback(self._notLeft)
        self._leader, self._members = None, {}
        self._review()
        return leaving

    def _notLeft(self, reason: Failure) -> None:
        _log.warn(
            "cluster {cluster}: the keys of {member} go within {ttl} s, as etcd was not told: "
            "{reason}",
            cluster=self.settings.name,
            member=self.member,
            ttl=self._session.ttl,
            reason=reason.getErrorMessage(),
        )

    def _stopWork(self) -> None:
        self._endWatch()
        self.log.stop()
        for deadline in (self._next, self._giveUp):
            if deadline is not None:
                deadline.cancel()
        self._next = self._giveUp = None
        working, self._working = self._working, None
        if working is not None:
            working.cancel()

    def stepDown(self) -> Deferred[None]:
        """
        Let another member lead.

        @return: fires with L{None} when the key of the leader is gone. It fails with L{TxlbError}
            if this is not the leader or the only member, and with L{EtcdError} if etcd has not
            done it.
        """
        return Deferred.fromCoroutine(self._stepDown())

    async def _stepDown(self) -> None:
        term = self.ownTerm
        if not term:
            state = self.state
            where = f"; {state.leader} leads, step down there" if state.leader else ""
            raise TxlbError(f"{self.member} does not lead cluster {self.settings.name}{where}")
        if len(self._members) < 2:
            raise TxlbError(
                f"{self.member} is the only member of cluster {self.settings.name}, so no "
                "other one can lead; start another member first"
            )
        self._abstainUntil = self._deadlines.seconds() + ABSTAIN * self._session.ttl
        ended = Transaction().ifCreatedAt(self.keys.leader, term).delete(self.keys.leader)
        await self._client.commit(ended)

    # Work

    def say(self, digest: str) -> None:
        """
        Let the other members know what services this one has.

        @param digest: see L{MemberRecord}.
        """
        if digest != self._record.digest:
            self._record = replace(self._record, digest=digest)
            self._work()

    def _made(self) -> None:
        """
        Let the other members know how far this one is.
        """
        if self._record.applied != self.log.applied:
            self._record = replace(self._record, applied=self.log.applied)
            self._work()
            self.changed()

    def whyNoChange(self) -> str:
        """
        Tell why a change would be refused now, in a sentence with the remedy; an empty text if it
        would not.
        """
        who = f"{self.member} of cluster {self.settings.name}"
        if self._left:
            return f"{who} has left it, so nothing was changed; join again with: txlb cluster join"
        if not self.connected:
            return (
                f"{who} is cut off from etcd ({self._whyNotConnected}), so nothing "
                "was changed; it serves with what it knows. Try again when etcd answers, or change "
                "it on a member that is connected: txlb cluster shows which are"
            )
        return ""

    async def commit(
        self,
        by: str,
        items: Iterable[Item],
        endings: Endings,
        forgotten: Iterable[tuple[str, ...]] = (),
    ) -> Deferred[Any] | None:
        """
        Commit a change; see L{ChangeLog.commit} and L{Entry}.
        """
        entry = Entry(
            newId(),
            self.member,
            by,
            time.time(),
            self.term,
            tuple(items),
            endings,
            tuple(forgotten),
        )
        return await self.log.commit(entry)

    def _work(self) -> None:
        """
        Do all that has to be done: renew the lease, watch, keep the key, lead.
        """
        if self._left or not self.running:
            return
        if self._working is not None:
            self._again = True
            return
        self._again = False
        if self._next is not None:
            self._next.cancel()
            self._next = None
        working = self._working = Deferred.fromCoroutine(self._turn())
        working.addCallbacks(self._good, self._failed)

    async def _turn(self) -> None:
        was, asked = self._session.alive, self._deadlines.seconds()
        await self._session.renew()
        now = self._deadlines.seconds()
        if self._answering is None or now > asked + self._session.ttl * PATIENT:
            self._answering = now
        if not was:
            # The connection of the watch may be as dead as the lease was.
            self._endWatch()
        if self._watch is None:
            await self._list()
        else:
            await self._look()
        await self._register()
        await self._campaign()
        await self._beat()
        if self.ownTerm:
            await self.log.compact(self.ownTerm)
        self._review()

    async def _list(self) -> None:
        found, revision = await self._client.list(self.keys.prefix)
        self._leader, self._members, self._written = None, {}, {}
        self._behind = False
        self._observe(found, ())
        self._watch = EtcdWatch(
            self._client, self.keys.prefix, revision + 1, self._told, self._lost
        )
        self._watch.start(self._reactor)
        self.log.listed(found)

    async def _look(self) -> None:
        """
        See that the watch tells what the cluster has agreed on: the connection may be dead.
        """
        found = await self._client.revisions(self.keys.prefix)
        # It is written all the time.
        found.pop(self.keys.beat, None)
        if found == self._written:
            self._behind = False
        elif self._behind:
            self._endWatch()
            await self._list()
        else:
            self._behind = True

    async def _register(self) -> None:
        """
        Keep the key of the member.

        @raise TxlbError: another process has it.
        """
        leader = self.state
        record = replace(self._record, leader=leader.leader, term=leader.term)
        value, key = record.encoded(), self.keys.member(self.member)
        there, lease = self._members.get(self.member), self._session.lease
        if there is None:
            committed = await self._client.commit(
                Transaction().ifCreatedAt(key, 0).put(key, value, lease)
            )
        elif there.lease == lease:
            if there.value == value:
                return
            committed = await self._client.commit(
                Transaction().ifCreatedAt(key, there.created).put(key, value, lease)
            )
        else:
            raise TxlbError(
                f"another process is member {self.member} of cluster {self.settings.name}, or was "
                f"it less than {self._session.ttl} s ago; if this stays, give each its own name"
            )
        if committed.succeeded:
            # The watch tells it too, and in its order.
            self._again = self._again or there is None

    async def _campaign(self) -> None:
        """
        Try to lead, if no member does.
        """
        mine = self._members.get(self.member)
        if self._leader is not None or mine is None or mine.lease != self._session.lease:
            return
        if self._deadlines.seconds() < self._abstainUntil and len(self._members) > 1:
            return
        key, record = self.keys.leader, LeaderRecord(self.member, time.time())
        lease = self._session.lease
        await self._beats.write(
            Transaction().ifCreatedAt(key, 0).put(key, record.encoded(), lease), lease
        )

    async def _beat(self) -> None:
        """
        Give a sign of life as the leader, or end a leader that gives none.
        """
        leader = self._leader
        if leader is None:
            return
        if self._isMine(leader):
            mine = Transaction().ifCreatedAt(self.keys.leader, leader.created)
            await self._beats.write(mine, leader.lease)
        elif self._deadlines.seconds() >= self._endsAt(leader):
            _log.warn(
                "cluster {cluster}: {leader} leads no more, as it has given no sign of life for "
                "{ttl} s",
                cluster=self.settings.name,
                leader=LeaderRecord.of(leader.value).member,
                ttl=self._session.ttl,
            )
            await self._beats.end(leader)

    def _endsAt(self, leader: KeyValue) -> float:
        """
        Return the time at which a leader without a sign of life is to be removed.
        """
        answering = math.inf if self._answering is None else self._answering
        return max(self._beats.silentAt(leader), answering + self._session.ttl * PATIENT)

    def _good(self, _: None) -> None:
        self._working = None
        self._pause = FIRST_PAUSE
        self._trouble = ""
        self._review()
        if self._again:
            self._work()
        else:
            self._later(LOOK_AGAIN if self._behind else self._session.ttl / RENEWALS)
            leader = self._leader
            if leader is not None and not self._isMine(leader):
                self._notAfter(self._endsAt(leader))

    def _failed(self, reason: Failure) -> None:
        self._working = None
        if self._left or not self.running or reason.check(CancelledError):
            return
        if not reason.check(TxlbError):
            _log.failure("the work of a member of a cluster has failed", reason)
        self._trouble = reason.getErrorMessage()
        if reason.check(EtcdError):
            self._answering = None
            self._endWatch()
        self._review()
        self._later(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _later(self, seconds: float) -> None:
        if self._next is not None:
            self._next.cancel()
        seconds *= 1 + JITTER * self._random.uniform(-1, 1)
        self._next = self._deadlines.after(seconds, self._workNow)

    def _notAfter(self, when: float) -> None:
        """
        Let the next turn not be later than at a time.
        """
        if self._next is not None and when < self._next.when:
            self._next.cancel()
            self._next = self._deadlines.at(when, self._workNow)

    def _workNow(self) -> None:
        self._next = None
        self._work()

    # Watching

    def _endWatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def _lost(self, why: str) -> None:
        self._watch = None
        if not self._left and self.running:
            self._trouble = why
            self._client.nextMember()
            self._later(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _told(self, changes: Changes) -> None:
        before = self._leader
        self._observe(changes.put, changes.removed)
        if not changes.removed and all(each.key == self.keys.beat for each in changes.put):
            return
        self.log.told(changes.put, changes.removed)
        mine = self._members.get(self.member)
        # Without a leader, or without the own key, there is something to do at once.
        if self._leader is None or before is not self._leader or mine is None:
            self._work()
        self._review()

    def _observe(self, put: Iterable[KeyValue], removed: Iterable[str]) -> None:
        for each in put:
            if each.key == self.keys.beat:
                self._beats.saw(each)
                continue
            self._written[each.key] = each.modified
            if each.key == self.keys.leader:
                self._leader = each
            elif each.key.startswith(self.keys.members):
                name = each.key.removeprefix(self.keys.members)
                if name in self._members or len(self._members) < MAX_MEMBERS or name == self.member:
                    self._members[name] = each
        for key in removed:
            self._written.pop(key, None)
            if key == self.keys.leader:
                self._leader = None
            elif key.startswith(self.keys.members):
                self._members.pop(key.removeprefix(self.keys.members), None)

    # Telling

    def _review(self) -> None:
        """
        Tell what has changed, and look again when the lease ends by the own clock.
        """
        leads, connected = self.leads, self.connected
        told = self._toldLeads, self._toldConnected
        self._toldLeads = leads
        # Before the first answer there is nothing to lose. A watch may be there again in no time.
        if connected or (self._toldConnected is not False and not self._session.alive):
            self._toldConnected = connected
        self._wait()
        if self._toldConnected != told[1] and self.running:
            if connected:
                self._tell(EventKind.CLUSTER_JOINED, f"{self.member} is a member")
            elif self._left:
                self._tell(EventKind.CLUSTER_LOST, f"{self.member} has left, and refuses changes")
            else:
                self._tell(
                    EventKind.CLUSTER_LOST,
                    f"{self.member} is cut off, serves with what it knows, and refuses changes: "
                    f"{self._whyNotConnected}",
                )
        if leads != told[0]:
            if leads:
                self._tell(EventKind.LEADER_ELECTED, f"{self.member} leads (term {self.ownTerm})")
            else:
                self._tell(EventKind.LEADER_LEFT, f"{self.member} does not lead any more")
        self.changed()

    def _wait(self) -> None:
        if self._giveUp is not None:
            self._giveUp.cancel()
            self._giveUp = None
        if self._session.alive and not self._left:
            until = self._session.until
            if self.leads:
                until = min(until, self._beats.until)
            self._giveUp = self._deadlines.at(until, self._review)


def _nothing() -> None:
    """
    Do nothing.
    """


def _makeNothing(_entry: Entry, _new: bool, _gone: Sequence[Item]) -> Deferred[Any]:
    """
    Make nothing of a shared change.
    """
    return succeed(None)
