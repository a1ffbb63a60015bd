"""
Flap damping: a host that goes up and down is held down for longer each time.

The first fall holds nothing. The second one shortly after keeps the host down for
C{FIRST} seconds at least, the third one for twice that, and so on up to C{flapHold} of
the group. C{FORGIVEN} seconds of being up take one fall back. So a host falls at most
L{mostFalls} times in a given time, whatever it does.

Envoy's outlier detection does the same: it ejects a host for a base time, multiplied by the
number of ejections, and takes one back for each interval in which the host stays in.
"""

from __future__ import annotations

import math

#: Seconds that the second fall holds a host down.
FIRST = 1.0

#: Seconds of being up that take one fall back.
FORGIVEN = 60.0


class Damper:
    """
    The recent falls of one host. Owned by the host's pool.

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
        Record that the host goes out.

        @param longest: seconds that it is held at most; 0 for not at all.
        """
        forgiven = int((now - self._upSince) / FORGIVEN)
        self.level = min(max(self.level - forgiven, 0) + 1, _levels(longest))
        hold = min(FIRST * 2 ** (self.level - 2), longest) if self.level > 1 else 0.0
        self.heldUntil = now + hold

    def rose(self, now: float) -> None:
        """
        Record that the host comes in.
        """
        self._upSince = now


def _levels(longest: float) -> int:
    """
    @return: the level at which a host is held the longest. A higher one would have
        no effect but to be forgiven later.
    """
    return 2 + math.ceil(math.log2(max(longest / FIRST, 1.0)))


def mostFalls(longest: float, seconds: float) -> float:
    """
    Return how often a host falls at most.

    A cycle of up and down that is shorter than the longest hold raises the level, unless
    a fall is forgiven in it. So there are at most C{levels} such cycles, and one more for
    each C{FORGIVEN} seconds. At the highest level every cycle is at least as long as the
    longest hold, of which the time has C{seconds / longest}. The sum of the three is the
    bound.

    @param longest: the longest hold, above 0.
    @param seconds: in which time.
    """
    return _levels(longest) + seconds / longest + seconds / FORGIVEN
