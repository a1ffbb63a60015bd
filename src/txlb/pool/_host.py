"""
A host in its present state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from txlb._facts import MOST_WHOLE, Facts
from txlb.errors import AddressError, StateError
from txlb.interfaces import IHost
from txlb.model import Address, ProxyHost, parseHostAddress
from txlb.pool._damper import Damper
from txlb.pool._health import Health, HealthState
from txlb.pool._load import HostLoad
from txlb.pool._passive import SCHEDULED, PassiveHealth

if TYPE_CHECKING:
    from txlb.pool._timers import Timer


class HostCounters:
    """
    The counts since the host was added. They only grow.

    @ivar connections: connections that were established.
    @ivar failures: connections that were not.
    @ivar bytesIn: bytes from clients to the host.
    @ivar bytesOut: bytes from the host to clients.
    @ivar checks: checks that have ended.
    @ivar checkFailures: those of them that have failed.
    @ivar downs: how often the host was marked down.
    """

    __slots__ = (
        "bytesIn",
        "bytesOut",
        "checkFailures",
        "checks",
        "connections",
        "downs",
        "failures",
    )

    def __init__(self) -> None:
        self.connections = 0
        self.failures = 0
        self.bytesIn = 0
        self.bytesOut = 0
        self.checks = 0
        self.checkFailures = 0
        self.downs = 0

    def kept(self) -> dict[str, int]:
        """
        Return what a successor has to know, as plain values.
        """
        return {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}

    @classmethod
    def of(cls, facts: Facts) -> HostCounters:
        """
        Make them of what L{kept} has returned.

        @raise StateError: a value can't be right.
        """
        made = cls()
        for name in cls.__slots__:
            setattr(made, name, facts.whole(name))
        return made

    def add(self, other: HostCounters) -> None:
        """
        Add the counts of another host.
        """
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@implementer(IHost)
class Host:
    """
    A host in its present state. Owned by its L{txlb.pool.HostPool}; everything else
    only reads it.

    Whether it may be chosen is computed from independent facts: its health (checks),
    its passive health (connections), its configured state, whether its name has an
    address, its weight, its room, its load, whether it is a backup on standby, and
    whether it is leaving.

    @ivar configured: the values that it was made from. Weight, state and so on are read
        from there.
    @ivar address: the address to connect to next; only for a host that has an address.
    @ivar addresses: its addresses, the preferred one first; empty while its name has no
        address.
    @ivar health: its active health.
    @ivar passive: its passive health, which counts if it is not checked.
    @ivar damper: holds it down if it flaps.
    @ivar asked: the state that its agent asks for: C{ready}, C{drain} or C{maint}; with
        the latter two it gets no new connections. Only the agent takes it back.
    @ivar agentShare: the share of its weight that its agent gives it, 0 or more; with 0
        it gets no new connections.
    @ivar agentLimit: the most connections that its agent allows it; L{None} for no
        limit of the agent's.
    @ivar maxConnections: the lower one of that and the configured limit.
    @ivar standby: whether it is a backup that is not used now.
    @ivar held: whether the scheduler holds it; its L{Rotation} sets this.
    @ivar pending: connections to it that are being opened.
    @ivar tripped: whether those are so many that it gets no more for now.
    @ivar unanswered: connections in a row that it ended without an answer.
    @ivar blamed: whether it is down because of those.
    @ivar going: whether its connections are counted down to its end: it leaves, drains
        or is in maintenance.
    @ivar leaving: whether it was removed and waits for its leases to end.
    @ivar load: its load; L{None} if it is unknown.
    @ivar slowSince: the time from which its weight grows; L{None} if it has grown.
    @ivar weighTimer: the time at which it is weighed again; the pool's weighing sets
        this.
    @ivar retryTimer: the time at which it is due after it went down; the pool's tracker
        sets this.
    @ivar changedAt: the time at which it was last drained, put into maintenance, put on
        standby, brought back from one of them, or removed, in seconds of the pool's
        clock.
    @ivar trial: the lease that decides whether it is up again; L{None} in every passive
        state but C{TRIAL}.
    """

    __slots__ = (
        "_added",
        "_before",
        "_outSince",
        "_outTotal",
        "_preferred",
        "active",
        "address",
        "addresses",
        "agentLimit",
        "agentShare",
        "asked",
        "blamed",
        "changedAt",
        "configured",
        "connectTime",
        "counters",
        "damper",
        "effectiveWeight",
        "going",
        "health",
        "held",
        "key",
        "leaving",
        "load",
        "maxConnections",
        "order",
        "passive",
        "pending",
        "retryTimer",
        "slowSince",
        "standby",
        "trial",
        "tripped",
        "unanswered",
        "weighTimer",
    )

    def __init__(
        self, key: tuple[str, str, str], configured: ProxyHost, now: float, order: int = 0
    ) -> None:
        self.key = key
        self.configured = configured
        self.effectiveWeight = float(configured.weight)
        self.maxConnections = configured.maxConnections
        self.asked = "ready"
        self.agentShare = 1.0
        self.agentLimit: int | None = None
        self.order = order
        self.active = 0
        self.connectTime: float | None = None
        self.counters = HostCounters()
        self.passive = PassiveHealth(now)
        self.health = Health(now)
        self.damper = Damper(now)
        self.leaving = False
        self.going = configured.state != "ready"
        self.standby = configured.backup
        self.held = False
        self.pending = 0
        self.tripped = False
        self.unanswered = 0
        self.blamed = False
        self._added = now
        self.changedAt = now
        # Connections to its former addresses.
        self._before = 0
        self._outSince: float | None = None
        self._outTotal = 0.0
        self.trial: object | None = None
        self.load: HostLoad | None = None
        self.slowSince: float | None = None
        self.weighTimer: Timer | None = None
        self.retryTimer: Timer | None = None
        address = configured.address
        self.addresses: tuple[Address, ...]
        self.address: Address
        self.resolved((address,) if address.isLiteral else ())

    # What is configured

    @property
    def name(self) -> str:
        """
        Its name in its group.
        """
        return self.key[2]

    @property
    def weight(self) -> int:
        """
        Its configured weight.
        """
        return self.configured.weight

    @property
    def state(self) -> str:
        """
        Its configured state: ready, drain or maintenance.
        """
        return self.configured.state

    @property
    def enabled(self) -> bool:
        """
        Whether it takes part at all. In maintenance it doesn't, and is not checked
        either.
        """
        return self.configured.state != "maintenance"

    @property
    def backup(self) -> bool:
        """
        Whether it is used only while too few of the others are up.
        """
        return self.configured.backup

    @property
    def settings(self) -> dict[str, object]:
        """
        Its present settings, as plain values.
        """
        return {
            "address": str(self.configured.address),
            "weight": self.weight,
            "maxConnections": self.configured.maxConnections,
            "state": self.state,
            "backup": self.backup,
        }

    def follow(self, configured: ProxyHost, now: float) -> None:
        """
        Follow these values from now on. The pool does the rest.

        @param now: in seconds of the pool's clock.
        """
        before, self.configured = self.configured, configured
        if before.state != configured.state or bool(before.weight) is not bool(configured.weight):
            self.changedAt = now
        self.going = self.leaving or configured.state != "ready"
        self.limit()

    def limit(self) -> None:
        """
        Find C{maxConnections} if its configuration or its agent changed.
        """
        limits = (self.configured.maxConnections, self.agentLimit)
        self.maxConnections = min((each for each in limits if each is not None), default=None)

    def resolved(self, addresses: tuple[Address, ...]) -> None:
        """
        Use these addresses from now on, the preferred one first; with none it can't be
        reached.
        """
        self.addresses = addresses
        self._preferred = -1
        self.preferNextAddress()

    def preferNextAddress(self) -> None:
        """
        Prefer the next address of its name, if it has others, because the present one
        could not be reached. A connection that was being opened when the host lost its
        addresses may report this as well.
        """
        if self.addresses:
            self._preferred = (self._preferred + 1) % len(self.addresses)
            self.address = self.addresses[self._preferred]

    def addressesFrom(self, address: Address) -> tuple[Address, ...]:
        """
        Return its addresses in the order in which they are tried.

        @param address: the first to be tried. If it is no longer the host's, it is the
            only one.
        """
        if address not in self.addresses:
            return (address,)
        place = self.addresses.index(address)
        return self.addresses[place:] + self.addresses[:place]

    def prefer(self, address: Address) -> None:
        """
        Prefer the address at which the host was reached: it is the next one to be
        tried. If it is no longer the host's, do nothing.
        """
        if address != self.address and address in self.addresses:
            self._preferred = self.addresses.index(address)
            self.address = self.addresses[self._preferred]

    def moved(self, now: float) -> None:
        """
        Forget the health of the former address, because the host has another one.

        @param now: in seconds of the pool's clock.
        """
        address = self.configured.address
        self.resolved((address,) if address.isLiteral else ())
        self.connectTime = None
        self.trial = None
        self.passive = PassiveHealth(now)
        self.damper = Damper(now)
        self.unanswered = 0
        self._before = self.counters.connections
        if self.isIn:
            self.cameIn(now)

    # Upgrades

    @property
    def began(self) -> float:
        """
        The time at which it was added, in seconds of the pool's clock. It tells hosts apart that
        have had one name after another.
        """
        return self._added

    def traffic(self) -> list[object]:
        """
        Return what connections change all the time, as plain values.
        """
        counters = self.counters
        return [
            counters.connections,
            counters.failures,
            counters.bytesIn,
            counters.bytesOut,
            self.connectTime,
            self.passive.failures,
            self.unanswered,
            self.active,
        ]

    def mark(self) -> tuple[object, ...]:
        """
        Return values of which one differs if more than its L{traffic} has changed.
        """
        health, passive, load = self.health, self.passive, self.load
        return (
            passive.state,
            passive.since,
            health.lastAt,
            health.since,
            health.watched,
            self.changedAt,
            None if load is None else load.at,
            self.asked,
            self.agentShare,
            self.agentLimit,
            self.blamed,
            self.slowSince,
            self.addresses,
        )

    def kept(self) -> dict[str, object]:
        """
        Return what its successor has to know, as plain values. The usual ones are left out.
        """
        configured, counters = self.configured, self.counters
        row: dict[str, object] = {
            "address": str(configured.address),
            "added": self._added,
            "traffic": self.traffic(),
            "passive": self.passive.kept(),
            "health": self.health.kept(),
        }
        row.update(
            (name, value)
            for name, value, usual in (
                ("state", configured.state, "ready"),
                ("weight", configured.weight, 1),
                ("changedAt", self.changedAt, self._added),
                ("outSince", self._outSince, None),
                ("outTotal", self._outTotal, 0.0),
                ("before", self._before, 0),
                ("asked", self.asked, "ready"),
                ("agentShare", self.agentShare, 1.0),
                ("agentLimit", self.agentLimit, None),
                ("blamed", self.blamed, False),
                ("slowSince", self.slowSince, None),
                ("tripped", self.tripped, False),
                ("checks", counters.checks, 0),
                ("checkFailures", counters.checkFailures, 0),
                ("downs", counters.downs, 0),
                ("backup", configured.backup, False),
            )
            if value != usual
        )
        if self.damper.level:
            row["damper"] = self.damper.kept()
        if self.load is not None:
            row["load"] = self.load.kept()
        if not configured.address.isLiteral and self.addresses:
            row["resolved"] = [str(each) for each in self.addressesFrom(self.address)]
        return row

    def restoring(self, facts: Facts, now: float) -> Callable[[], None]:
        """
        Read what L{kept} has returned of a host of this name.

        @param now: in seconds of the pool's clock.
        @return: takes it over. The pool does the rest. If the address is another one by now, only
            what does not depend on it is taken over.
        @raise StateError: a value can't be right.
        """
        configured = self.configured
        same = facts.text("address") == str(configured.address)
        alike = (
            facts.text("state", "ready") == configured.state
            and bool(facts.whole("weight", 1)) is bool(configured.weight)
            and facts.flag("backup") is configured.backup
        )
        added = facts.past("added", now, now)
        changedAt = facts.past("changedAt", added, now)
        outSince = None if facts.time("outSince") is None else facts.past("outSince", now, now)
        outTotal = facts.number("outTotal", least=0.0)
        before = facts.whole("before")
        asked = facts.text("asked", "ready")
        if asked not in {"ready", "drain", "maint"}:
            raise facts.wrong("asked", "ready, drain or maint")
        share = facts.number("agentShare", 1.0, 0.0)
        limit = None if facts.values.get("agentLimit") is None else facts.whole("agentLimit", 1, 1)
        checked = facts.whole("checks"), facts.whole("checkFailures"), facts.whole("downs")
        blamed, tripped = facts.flag("blamed"), facts.flag("tripped")
        slowSince = None if facts.time("slowSince") is None else facts.past("slowSince", now, now)
        passive = PassiveHealth.of(facts.inside("passive"), now)
        health = Health.of(facts.inside("health"), now)
        damper = Damper.of(facts.inside("damper"), now)
        load = HostLoad.of(facts.inside("load"), now) if "load" in facts else None
        resolved = tuple(_addressOf(each, facts) for each in facts.texts("resolved", 1000))
        traffic = readTraffic(facts.values.get("traffic", NO_TRAFFIC), facts.where)

        def take() -> None:
            self._added, self._outTotal = added, outTotal
            self.changedAt = changedAt if alike else now
            self.passive.failures = self.unanswered = 0
            self.takeTraffic(traffic)
            counters = self.counters
            counters.checks, counters.checkFailures, counters.downs = checked
            if not same:
                self.connectTime = None
                self.passive.failures = self.unanswered = 0
                self._before = self.counters.connections
                return
            self._before, self._outSince = before, outSince
            self.asked, self.agentShare, self.agentLimit = asked, share, limit
            self.blamed, self.tripped, self.slowSince = blamed, tripped, slowSince
            health.rise, health.fall, health.damped = (
                self.health.rise,
                self.health.fall,
                self.health.damped,
            )
            self.passive, self.health, self.damper, self.load = passive, health, damper, load
            if resolved and not configured.address.isLiteral and not self.addresses:
                self.resolved(resolved)
            elif resolved:
                self.prefer(resolved[0])
            self.limit()

        return take

    def takeTraffic(self, traffic: Sequence[float | None]) -> None:
        """
        Take over what L{readTraffic} has returned. Connections that move are counted when they
        claim the host again.
        """
        connections, failures, bytesIn, bytesOut, took, inARow, unanswered, _ = traffic
        counters = self.counters
        counters.connections, counters.failures = int(connections or 0), int(failures or 0)
        counters.bytesIn, counters.bytesOut = int(bytesIn or 0), int(bytesOut or 0)
        self.connectTime = took
        self.passive.failures, self.unanswered = int(inARow or 0), int(unanswered or 0)

    @property
    def healthy(self) -> bool:
        """
        Whether checks and traffic allow it clients.
        """
        return self.passive.state in SCHEDULED and self.health.isHealthy

    @property
    def reason(self) -> str:
        """
        The reason why it is down; empty while it is up.
        """
        return self.health.reason or self.passive.reason

    @property
    def since(self) -> float:
        """
        The beginning of the state that L{stateWord} names, in seconds of the pool's
        clock. For a host that is down, also while it is tried again, it is the time at
        which it went down. The state C{full} comes and goes with each connection and
        does not count.
        """
        if self.leaving or not self.enabled or self.asked == "maint":
            return self.changedAt
        if not self.addresses:
            return self.passive.since
        if self._outSince is not None:
            return self._outSince
        health = self.health.since if self.health.watched else self.passive.since
        return max(health, self.changedAt)

    @property
    def isIn(self) -> bool:
        """
        Whether it is marked up by its health. A host that is due, or on trial, is not.
        """
        return self.passive.isUp and self.health.isHealthy

    def wentOut(self, now: float) -> None:
        """
        Record that it is marked down from now on.
        """
        if self._outSince is None:
            self._outSince = now

    def cameIn(self, now: float) -> None:
        """
        Record that it is marked up from now on.
        """
        if self._outSince is not None:
            self._outTotal += now - self._outSince
            self._outSince = None
        self.blamed = False

    def upShare(self, now: float) -> float:
        """
        Return the share of the time since it was added in which it was up, 0 to 1.
        """
        age = now - self._added
        return 1.0 if age <= 0 else max(1 - self.downTime(now) / age, 0.0)

    def downTime(self, now: float) -> float:
        """
        Return the seconds in which it was down, since it was added.
        """
        return self._outTotal + (now - self._outSince if self._outSince is not None else 0.0)

    def leave(self, now: float) -> None:
        """
        Record that it is removed.

        @param now: in seconds of the pool's clock.
        """
        self.leaving = self.going = True
        self.changedAt = now

    def standBy(self, standby: bool, now: float) -> bool:
        """
        Make it a backup that is not used now, or one that is.

        @param now: in seconds of the pool's clock.
        @return: whether that changed.
        """
        if self.standby is standby:
            return False
        self.standby = standby
        self.changedAt = now
        return True

    @property
    def wanted(self) -> bool:
        """
        Whether the administrator lets it take work, and it has an address.
        """
        return (
            not self.going
            and self.weight > 0
            and bool(self.addresses)
            and self.asked == "ready"
            and self.agentShare > 0
        )

    @property
    def hasRoom(self) -> bool:
        """
        Whether it has room for one connection more.
        """
        limit = self.maxConnections
        return (limit is None or self.active < limit) and not self.tripped

    @property
    def takesWork(self) -> bool:
        """
        Whether it may be chosen apart from its health.
        """
        return self.wanted and not self.standby and self.hasRoom

    @property
    def ready(self) -> bool:
        """
        Whether it may be chosen.
        """
        return self.healthy and self.hasLeft and self.takesWork

    @property
    def hasLeft(self) -> bool:
        """
        Whether it did not report that it has nothing left. A host that did may still be
        chosen if no other is ready, like one that is down.
        """
        return self.load is None or self.load.latest > 0

    @property
    def isFull(self) -> bool:
        """
        Whether it may not be chosen only for lack of room.
        """
        return not self.hasRoom and self.healthy and self.wanted and not self.standby

    @property
    def wasUsed(self) -> bool:
        """
        Whether any connection to it was ever tried.
        """
        return bool(self.active or self.counters.connections or self.counters.failures)

    @property
    def stateWord(self) -> str:
        """
        Its state in one word: leaving, unresolved, maintenance, starting, going-down,
        down, coming-up, due, trial, drain, standby, full, up or unchecked. An unchecked
        host is used as if it were up, though no check and no connection has succeeded
        yet. HAProxy calls a server without checks "no check", not "UP".
        """
        # Views ask this of thousands of hosts at a time, and most of them are in rotation.
        if not self.held or self.health.state is not HealthState.UP or not self.passive.isUp:
            for word, holds in (
                ("leaving", self.leaving),
                ("unresolved", not self.addresses),
                ("maintenance", not self.enabled or self.asked == "maint"),
                (self.health.state.value, self.health.state is not HealthState.UP),
                (self.passive.state.value, not self.passive.isUp),
                ("drain", not self.wanted),
                ("standby", self.standby),
                ("full", not (self.hasRoom and self.hasLeft)),
            ):
                if holds:
                    return word
        known = self.health.last is not None or self.counters.connections > self._before
        return "up" if known else "unchecked"

    def __repr__(self) -> str:
        return f"<Host {'/'.join(self.key)} {self.stateWord} active={self.active}>"


#: The L{Host.traffic} of a host that was never used.
NO_TRAFFIC = (0, 0, 0, 0, None, 0, 0, 0)


def readTraffic(value: object, where: str) -> Sequence[float | None]:
    """
    Read what L{Host.traffic} has returned. A later release may have more.

    @raise StateError: it can't be right.
    """
    if not isinstance(value, (list, tuple)) or len(value) < len(NO_TRAFFIC):
        raise StateError(f"the traffic of {where} is no list of {len(NO_TRAFFIC)} numbers")
    row = list(value[: len(NO_TRAFFIC)])
    took = row[4]
    if took is not None and not (type(took) is float and 0 <= took < MOST_WHOLE):
        raise StateError(f"the traffic of {where} has a time to connect that can't be")
    for each in row[:4] + row[5:]:
        if type(each) is not int or not 0 <= each < MOST_WHOLE:
            raise StateError(f"the traffic of {where} has a count that can't be")
    return row


def _addressOf(text: str, facts: Facts) -> Address:
    try:
        return parseHostAddress(text)
    except AddressError as error:
        raise StateError(f"an address of {facts.where}: {error}") from None
