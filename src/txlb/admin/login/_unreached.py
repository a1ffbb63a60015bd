"""
Servers of logins that could not be reached.
"""

from __future__ import annotations

from collections.abc import Hashable

from txlb.admin.login._means import Means

#: Seconds for which a server that could not be reached is not tried again. Hundreds may log in
#: at once. The answer to a login that fails takes a second or more, so another try after it asks
#: a server that is back by then.
HOLD = 0.5


class Unreached:
    """
    The servers of one source that could not be reached a moment ago. Logins that come within
    L{HOLD} seconds fail as the one before them did, and none of them tries again. Owned by the
    source.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        # By the server: until when, by the clock of the logins, and why it could not be reached.
        self._servers: dict[Hashable, tuple[float, str]] = {}

    def add(self, server: Hashable, why: str) -> None:
        """
        Note that a server could not be reached just now.

        @param server: one of those that are configured.
        """
        deadlines = self._means.deadlines
        if deadlines is not None:
            self._servers[server] = (deadlines.seconds() + HOLD, why)

    def why(self, server: Hashable) -> str | None:
        """
        Return why a server could not be reached a moment ago; L{None} if it may be tried.
        """
        until, why = self._servers.get(server, (0.0, ""))
        deadlines = self._means.deadlines
        if deadlines is None or deadlines.seconds() >= until:
            self._servers.pop(server, None)
            return None
        return why
