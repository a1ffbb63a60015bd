"""
Pauses of addresses towards which no local port is left.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.model import Address

#: Seconds for which an address is not tried again. With 28,000 ports in use the system
#: takes more than a millisecond to find that none is left.
PAUSE = 0.1

#: Addresses that are kept at most. Then all are forgotten, which costs each of them one more try.
MOST = 4096


class PortPauses:
    """
    The addresses that are not tried for a moment, because all local ports towards them are
    in use. Owned by a relay. The hosts stay in the rotation: a client that is sent to one goes
    on to the next host, and the system is not asked again.

    @param seconds: the monotonic clock.
    """

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._until: dict[Address, float] = {}

    def __len__(self) -> int:
        """
        Count the addresses.
        """
        return len(self._until)

    def begin(self, address: Address) -> None:
        """
        Pause an address for C{PAUSE} seconds.
        """
        if len(self._until) >= MOST:
            self._until.clear()
        self._until[address] = self._seconds() + PAUSE

    def holds(self, address: Address) -> bool:
        """
        Say whether an address is paused.
        """
        until = self._until.get(address)
        if until is None:
            return False
        if self._seconds() < until:
            return True
        del self._until[address]
        return False
