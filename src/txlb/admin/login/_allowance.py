"""
Bounds on how often something is done.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

#: Keys that are remembered.
MAX_KNOWN = 4096

#: The error that sums of times may have, in seconds.
_ROUNDING = 1e-6


class Allowance:
    """
    Uses that come back with time: a token bucket for each key.

    @param seconds: the monotonic clock.
    @param most: how many there are when none was used.
    @param interval: seconds after which one comes back.
    """

    def __init__(self, seconds: Callable[[], float], most: int, interval: float) -> None:
        self._seconds = seconds
        self._most = most
        self._interval = interval
        # When all uses of a key will be there again, in the order of the last use.
        self._fullAt: dict[Hashable, float] = {}

    def __len__(self) -> int:
        """
        Return the number of keys that are remembered.
        """
        return len(self._fullAt)

    def wait(self, key: Hashable) -> float:
        """
        Return the seconds until there is one; 0 or less if there is one now.
        """
        missing = self._fullAt.get(key, 0.0) - self._seconds()
        return missing - (self._most - 1) * self._interval - _ROUNDING

    def take(self, key: Hashable) -> None:
        """
        Use one, also if there is none: then the next one takes that much longer.
        """
        now = self._seconds()
        fullAt = max(self._fullAt.pop(key, now), now) + self._interval
        if len(self._fullAt) >= MAX_KNOWN:
            self._forget(now)
        self._fullAt[key] = fullAt

    def giveBack(self, key: Hashable) -> None:
        """
        Give one back that was used for nothing.
        """
        if key in self._fullAt:
            self._fullAt[key] -= self._interval

    def reset(self, key: Hashable) -> None:
        """
        Give all back.
        """
        self._fullAt.pop(key, None)

    def forget(self, which: Callable[[Hashable], bool]) -> set[Hashable]:
        """
        Give all back to some keys.

        @param which: whether a key is one of them.
        @return: these keys.
        """
        found = set(filter(which, self._fullAt))
        for key in found:
            del self._fullAt[key]
        return found

    @property
    def used(self) -> Mapping[Hashable, float]:
        """
        The keys of which something was used, in the order of the last use, each with the time at
        which all will be there again.
        """
        return self._fullAt

    def latest(self, most: int) -> float:
        """
        Return the latest time at which all of a key can be there again, in seconds of the clock.

        @param most: how many uses may have been too many.
        """
        return self._seconds() + (self._most + most) * self._interval

    def restore(self, used: Mapping[Hashable, float]) -> None:
        """
        Go on as another one that had this in C{used}.
        """
        self._fullAt = dict(used)

    def _forget(self, now: float) -> None:
        """
        Forget those that have all; if there are none, the one whose last use is longest
        ago.
        """
        full = [key for key, fullAt in self._fullAt.items() if fullAt <= now]
        for key in full or [next(iter(self._fullAt))]:
            del self._fullAt[key]
