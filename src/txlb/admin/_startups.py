"""
Connections whose clients have not logged in yet, and which of them make room for others.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

#: Connections at a time whose clients have not logged in: altogether, and from one
#: address.
MOST = 48
MOST_OF_ONE = 32

#: From so many on a newcomer is refused by chance, the more often the more there are:
#: always at the number above. This is OpenSSH's C{MaxStartups}.
EARLY = 32
EARLY_OF_ONE = 16

#: Seconds after which a connection from which nothing is heard makes room for a newcomer.
SILENCE = 2.0

#: Seconds after which any connection does, the oldest first. A login with a key takes less,
#: and no connection makes room while there is room.
AGE = 15.0


class Startup(Protocol):
    """
    A connection whose client has not logged in.

    @ivar source: the source of its client, see L{txlb.admin.login._clientsource.sourceOf}.
    """

    source: str

    @property
    def silent(self) -> bool:
        """
        Whether it waits for its client.
        """

    def makeRoom(self) -> None:
        """
        Close it, as other clients want to log in. It is removed then.
        """


class _Entry:
    """
    The times of one of them.
    """

    __slots__ = ("began", "heard")

    def __init__(self, now: float) -> None:
        self.began = now
        self.heard = now


class Startups:
    """
    The connections whose clients have not logged in. Owned by a
    L{txlb.admin._factory.ManholeFactory}.

    One client alone can't keep others out: it gets no more than its share, its silent
    connections make room first, and after them its oldest one.

    @param seconds: the monotonic clock.
    @param random: refuses newcomers by chance.
    @param slept: tells how many seconds since a time don't count, as the process slept.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        random: random.Random,
        slept: Callable[[float], float] = lambda _: 0.0,
    ) -> None:
        self._seconds = seconds
        self._random = random
        self._slept = slept
        # In the order in which they began.
        self._entries: dict[Startup, _Entry] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        """
        Return their number.
        """
        return len(self._entries)

    def admits(self, source: str) -> bool:
        """
        Decide whether there is a place for a newcomer, and make one if another
        connection has to go for it.
        """
        ofOne = self._counts.get(source, 0)
        early = max(
            _excess(len(self._entries), EARLY, MOST), _excess(ofOne, EARLY_OF_ONE, MOST_OF_ONE)
        )
        if early <= 0.0:
            return True
        victim = self._victim(source if ofOne >= EARLY_OF_ONE else self._largest())
        if victim is not None:
            # It is removed by this.
            victim.makeRoom()
            return True
        return early < 1.0 and self._random.random() >= early

    def _largest(self) -> str:
        """
        Return the source of the most connections.
        """
        return max(self._counts, key=self._counts.__getitem__)

    def _victim(self, source: str) -> Startup | None:
        """
        Return the connection of a source that makes room: the one that has been silent for
        longest, or else the oldest one, if it is old.
        """
        mine = [(each, entry) for each, entry in self._entries.items() if each.source == source]
        silent = [pair for pair in mine if pair[0].silent and self._since(pair[1].heard) >= SILENCE]
        if silent:
            return min(silent, key=lambda pair: pair[1].heard)[0]
        old = [pair for pair in mine if self._since(pair[1].began) >= AGE]
        return old[0][0] if old else None

    def _since(self, when: float) -> float:
        """
        Return the seconds that the process has been awake since a time.
        """
        return self._seconds() - when - self._slept(when)

    def add(self, startup: Startup) -> None:
        """
        Add a connection.
        """
        self._entries[startup] = _Entry(self._seconds())
        self._counts[startup.source] = self._counts.get(startup.source, 0) + 1

    def heard(self, startup: Startup) -> None:
        """
        Note that a client has gone on.
        """
        entry = self._entries.get(startup)
        if entry is not None:
            entry.heard = self._seconds()

    def remove(self, startup: Startup) -> bool:
        """
        Remove a connection that is closed, or whose client has logged in.

        @return: whether it was among them.
        """
        if self._entries.pop(startup, None) is None:
            return False
        self._counts[startup.source] -= 1
        if not self._counts[startup.source]:
            del self._counts[startup.source]
        return True


def _excess(count: int, early: int, most: int) -> float:
    """
    Return a number as a share of the way from C{early} to C{most}.

    @return: at most 0 if it is not too large, at least 1 if it is.
    """
    return (count - early + 1) / (most - early + 1) if count >= early else 0.0
