"""
Bounds on how often something is done.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

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

    def _forget(self, now: float) -> None:
        """
        Forget those that have all; if there are none, the one whose last use is longest
        ago.
        """
        full = [key for key, fullAt in self._fullAt.items() if fullAt <= now]
        for key in full or [next(iter(self._fullAt))]:
            del self._fullAt[key]
