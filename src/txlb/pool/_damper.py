"""
Flap damping: a host that goes up and down is held down for longer each time.

The first fall has no hold. The second one shortly after keeps the host down for
C{FIRST} seconds at least, the third one for twice that, and so on up to C{flapHold} of
the group. Each C{FORGIVEN} seconds of being up forgive one fall. So a host falls at
most L{mostFalls} times in a given time, for any behaviour of the host.

Envoy's outlier detection does the same: it ejects a host for a base time, multiplied by
the number of ejections, and takes one back for each interval without an ejection.
"""

from __future__ import annotations

import math
from typing import Self

from txlb._facts import Facts

#: Seconds that the second fall holds a host down.
FIRST = 1.0

#: Seconds of being up that forgive one fall.
FORGIVEN = 60.0


class Damper:
    """
    The recent falls of one host. Owned by the host's pool.

    @ivar level: falls that are not forgiven.
    @ivar heldUntil: the time before which the host is not marked up, in seconds of the
        pool's clock.
    """

    __slots__ = ("_upSince", "heldUntil", "level")

    def __init__(self, now: float) -> None:
        self.level = 0
        self.heldUntil = now
        self._upSince = now

    def kept(self) -> dict[str, object]:
        """
        Return the same as plain values; nothing for a host that did not fall.
        """
        if not self.level:
            return {}
        return {"level": self.level, "heldUntil": self.heldUntil, "upSince": self._upSince}

    @classmethod
    def of(cls, facts: Facts, now: float) -> Self:
        """
        Make it of what L{kept} has returned.

        @raise StateError: a value can't be right.
        """
        made = cls(now)
        made.level = facts.whole("level")
        made.heldUntil = facts.coming("heldUntil", now, now)
        made._upSince = facts.past("upSince", now, now)
        return made

    def fell(self, longest: float, now: float) -> None:
        """
        Record that the host is marked down.

        @param longest: the most seconds of the hold; 0 for none.
        """
        forgiven = int((now - self._upSince) / FORGIVEN)
        self.level = min(max(self.level - forgiven, 0) + 1, _levels(longest))
        hold = min(FIRST * 2 ** (self.level - 2), longest) if self.level > 1 else 0.0
        self.heldUntil = now + hold

    def rose(self, now: float) -> None:
        """
        Record that the host is marked up.
        """
        self._upSince = now


def _levels(longest: float) -> int:
    """
    Return the level of the longest hold. A higher one would only be forgiven later.
    """
    return 2 + math.ceil(math.log2(max(longest / FIRST, 1.0)))


def mostFalls(longest: float, seconds: float) -> float:
    """
    Return the most falls of a host in a time.

    A cycle of up and down that is shorter than the longest hold raises the level,
    unless a fall is forgiven in it. So there are at most C{levels} such cycles, and one
    more for each C{FORGIVEN} seconds. At the highest level every cycle is at least as
    long as the longest hold, so there are C{seconds / longest} of them. The bound is
    the sum of the three.

    @param longest: the longest hold, above 0.
    @param seconds: the time.
    """
    return _levels(longest) + seconds / longest + seconds / FORGIVEN
