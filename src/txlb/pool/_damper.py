"""
Holding a host down that goes up and down.

The first fall costs nothing beyond what checks or a trial take. The second
within short keeps the host down for C{FIRST} seconds at least, the third for
twice that, and so on up to what the group says (C{flapHold}); C{FORGIVEN} seconds
of being up take one fall back. So however a host behaves, it falls at most
L{mostFalls} times in a given time.

Envoy's outlier detection ejects for its base time, times the number of ejections, in the same way,
and takes one back for each interval in which the host stays in.
"""

from __future__ import annotations

import math

#: Seconds that the second fall holds a host down.
FIRST = 1.0

#: Seconds of being up that take one fall back.
FORGIVEN = 60.0


class Damper:
    """
    How often a host has fallen of late. Owned by its pool.

    @ivar level: falls that are not forgiven.
    @ivar heldUntil: before this the host doesn't come in, in seconds of the
        pool's clock.
    """

    __slots__ = ("_upSince", "heldUntil", "level")

    def __init__(self, now: float) -> None:
        self.level = 0
        self.heldUntil = now
        self._upSince = now

    def fell(self, longest: float, now: float) -> None:
        """
        The host goes out.

        @param longest: seconds that it is held at most; 0 for not at all.
        """
        forgiven = int((now - self._upSince) / FORGIVEN)
        self.level = min(max(self.level - forgiven, 0) + 1, _levels(longest))
        hold = min(FIRST * 2 ** (self.level - 2), longest) if self.level > 1 else 0.0
        self.heldUntil = now + hold

    def rose(self, now: float) -> None:
        """
        The host comes in.
        """
        self._upSince = now


def _levels(longest: float) -> int:
    """
    @return: the level at which a host is held the longest. More would only have
        to be forgiven.
    """
    return 2 + math.ceil(math.log2(max(longest / FIRST, 1.0)))


def mostFalls(longest: float, seconds: float) -> float:
    """
    How often a host falls at most.

    A cycle of up and down that is shorter than the longest hold raises the
    level, but for those in which a fall is forgiven, which take C{FORGIVEN} seconds
    each. At the highest level every cycle is at least as long as the hold.

    @param longest: the longest hold, above 0.
    @param seconds: in which time.
    """
    return _levels(longest) + seconds / longest + seconds / FORGIVEN
