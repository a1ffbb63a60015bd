"""
Makes the configuration run that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from txlb.errors import ChangeUnderWay, ModelError
from txlb.manager._applying import Applying
from txlb.manager._observers import Observers
from txlb.manager._running import Endings, Running
from txlb.manager._way import MOST, Way
from txlb.model import (
    Change,
    ChangeKind,
    Plan,
    ProxyService,
    changesBetween,
    keptWhereEqual,
    plain,
)
from txlb.pool import Event, EventKind, changed, checkPolicy
from txlb.schedulers import schedulerKind

#: The kinds of event for the changes that pools don't publish themselves.
_KINDS = {
    (ChangeKind.ADDED, "service"): EventKind.SERVICE_ADDED,
    (ChangeKind.REMOVED, "service"): EventKind.SERVICE_REMOVED,
    (ChangeKind.SWITCHED, "service"): EventKind.GROUP_SWITCHED,
    (ChangeKind.ADDED, "listener"): EventKind.LISTENER_ADDED,
    (ChangeKind.REMOVED, "listener"): EventKind.LISTENER_REMOVED,
    (ChangeKind.MOVED, "listener"): EventKind.LISTENER_MOVED,
    (ChangeKind.ADDED, "group"): EventKind.GROUP_ADDED,
    (ChangeKind.REMOVED, "group"): EventKind.GROUP_REMOVED,
    (ChangeKind.MOVED, "host"): EventKind.HOST_MOVED,
}

#: The settings of a host whose changes its pool publishes.
_TOLD_BY_POOL = frozenset({"weight", "state"})


#: Is called with the services that are wanted and with what happens to connections, and returns
#: whether it has taken the change over, which is not made then.
Gate = Callable[[Sequence[ProxyService], Endings], bool]

OnChange = Callable[[Sequence[ProxyService]], Callable[[], object]]


class Reconciler:
    """
    The only writer of what runs. Owned by the manager, whose verbs say what is
    wanted.

    The wanted services are values that were checked when they were made, and
    pools that follow them don't raise, so that a change happens as a whole.

    @ivar onChange: see L{txlb.manager.ProxyManager}.
    @ivar gate: likewise.
    """

    def __init__(self, running: Running, observers: Observers) -> None:
        self._running = running
        self._observers = observers
        self._underWay: Applying | None = None
        self._held: list[str] = []
        self.onChange: OnChange | None = None
        self.gate: Gate | None = None

    def plan(self, wanted: Sequence[ProxyService]) -> Plan:
        """
        Return what L{reconcile} would change.
        """
        return changesBetween(self._running.services.values(), wanted)

    def reconcile(
        self, wanted: Sequence[ProxyService], endings: Endings | None = None
    ) -> tuple[Event, ...]:
        """
        Make the wanted services run, by the smallest set of changes, and publish
        the events after that.

        @param endings: what happens to connections of hosts that are drained or
            removed.
        @return: the events that it caused; none if nothing differs.
        @raise ChangeUnderWay: a change in slices is under way.
        @raise ModelError: a scheduler that is new in a group raises, or C{onChange} does.
            Nothing was changed then.
        """
        self.refuseIfUnderWay()
        if self.gate is not None and self.gate(wanted, endings or {}):
            return ()
        if self.onChange is None:
            return self._reconcile(wanted, endings)
        running = self._running.services
        changed = [each for each in wanted if running.get(each.name) is not each]
        made = self.onChange(changed)
        events = self._reconcile(wanted, endings)
        made()
        return events

    def hold(self, reason: str) -> Callable[[], None]:
        """
        Refuse every change from now on.

        @param reason: begins the message of the error.
        @return: ends that.
        """
        self._held.append(reason)

        def release() -> None:
            if reason in self._held:
                self._held.remove(reason)

        return release

    def refuseIfUnderWay(self) -> None:
        """
        Refuse a change while one in slices is under way, or while changes are held.

        @raise ChangeUnderWay: one is, or they are.
        """
        if self._held:
            raise ChangeUnderWay(f"{self._held[-1]}, and nothing was changed; try again later")
        if self._underWay is not None:
            raise ChangeUnderWay(
                "a reload or another large change is under way, and nothing else was changed; "
                "try again when it is done"
            )

    def applying(self, wanted: Sequence[ProxyService]) -> Applying:
        """
        Begin to make the wanted services run, in slices.

        @raise ChangeUnderWay: another such change is under way.
        """
        self.refuseIfUnderWay()
        before = tuple(self._running.services.values())
        kept = keptWhereEqual(before, wanted)
        self._underWay = Applying(
            kept,
            self._preparing(kept, own=True),
            Way(before, kept, MOST),
            self._reconcile,
            self._ended,
            self._running.seconds,
        )
        return self._underWay

    def _ended(self) -> None:
        self._underWay = None
        self._forgetPrepared()

    def _reconcile(
        self, wanted: Sequence[ProxyService], endings: Endings | None = None
    ) -> tuple[Event, ...]:
        plan = self.plan(wanted)
        if not plan.changes and not endings:
            return ()
        for _ in self._preparing(wanted, own=False):
            pass
        with self._observers.together() as events:
            for change in plan.changes:
                self._tellOf(change)
            self._running.follow(wanted, endings or {})
        self._running.review()
        return tuple(events)

    def _preparing(self, wanted: Sequence[ProxyService], *, own: bool) -> Iterator[None]:
        """
        Fill the schedulers that are new in a group beside the present ones, some hosts at each
        step.

        @param own: whether this is done with txlb's own schedulers as well, which don't raise.
        @raise ModelError: while it is iterated over, one of them raises. Nothing was changed
            then.
        """
        running = self._running
        for service in wanted:
            if running.services.get(service.name) is service:
                continue
            for group in service.groups:
                pool = running.pools.get((service.name, group.name))
                if pool is not None and pool.settings.scheduler == group.scheduler:
                    continue
                kind = schedulerKind(group.scheduler)
                if kind.isOwn and not own:
                    continue
                try:
                    if pool is None:
                        if not kind.isOwn:
                            checkPolicy(service.name, group, running.seconds)
                    # With more hosts than it takes it has to wait until some have gone.
                    elif kind.maxHosts is None or pool.readyCount <= kind.maxHosts:
                        yield from pool.preparing(group)
                except ModelError:
                    self._forgetPrepared()
                    raise

    def _forgetPrepared(self) -> None:
        for pool in self._running.pools.values():
            pool.forgetPrepared()

    def _tellOf(self, change: Change) -> None:
        """
        Publish a change, unless a pool does.
        """
        kind = _KINDS.get((change.kind, change.thing))
        if kind is None:
            if change.kind is ChangeKind.REORDERED:
                kind = EventKind.ORDER_CHANGED
            elif change.kind is not ChangeKind.CHANGED or change.setting in _TOLD_BY_POOL:
                return
            elif change.setting == "scheduler":
                kind = EventKind.SCHEDULER_CHANGED
            else:
                kind = EventKind.SETTING_CHANGED
        details = dict(changed(plain(change.before), plain(change.after)))
        if change.setting:
            details["setting"] = change.setting
        key, message = change.key, change.message
        if kind is EventKind.GROUP_SWITCHED:
            # As if a backup group stood in.
            key = (*key, change.after)
            message = f"gets the connections of {key[0]} instead of {change.before}"
        self._running.tell(kind, key, message, details)
