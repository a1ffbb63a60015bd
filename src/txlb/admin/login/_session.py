"""
One session.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from txlb.admin.login._login import Login


class Session:
    """
    A client that is in. Owned by L{Sessions}; its door closes it.

    @ivar id: its number, the only one of its kind until the process ends.
    @ivar login: the avatar of its user.
    @ivar door: the word of the door.
    @ivar address: the address of the client, for people.
    @ivar since: its beginning, in seconds of the wall clock.
    @ivar checkedAt: when the access was last confirmed, in seconds of the monotonic clock.
    @ivar asking: whether its source is being asked about it.
    """

    __slots__ = (
        "_active",
        "_begun",
        "_end",
        "_forget",
        "_seconds",
        "address",
        "asking",
        "checkedAt",
        "door",
        "id",
        "login",
        "since",
    )

    def __init__(
        self,
        forget: Callable[[Session], None],
        number: int,
        login: Login,
        door: str,
        address: str,
        end: Callable[[str], None],
        seconds: Callable[[], float],
    ) -> None:
        self.id = number
        self.login = login
        self.door = door
        self.address = address
        self.since = time.time()
        self.asking = False
        self._forget = forget
        self._end: Callable[[str], None] | None = end
        self._seconds = seconds
        self._begun = self._active = self.checkedAt = seconds()

    @property
    def idle(self) -> float:
        """
        Seconds since the client has last done something.
        """
        return self._seconds() - self._active

    @property
    def age(self) -> float:
        """
        Seconds since the login.
        """
        return self._seconds() - self._begun

    def active(self) -> None:
        """
        Note that the client does something.
        """
        self._active = self._seconds()

    def close(self) -> None:
        """
        Forget it, as the client has gone. A second time does nothing.
        """
        self._end = None
        self._forget(self)

    def end(self, why: str) -> None:
        """
        End it, unless it has ended.

        @param why: the reason, for the client.
        """
        end, self._end = self._end, None
        self._forget(self)
        if end is not None:
            end(why)
