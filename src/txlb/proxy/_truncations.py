"""
Streams that were cut off.
"""

from __future__ import annotations

from twisted.logger import Logger

from txlb.deadlines import Deadlines, Throttle

_log = Logger()


class Truncations:
    """
    The log of TLS streams that ended without close_notify. Any client can cause them, so they
    are counted, and the log has a line now and then. Owned by a relay.

    @param deadlines: where the next line waits.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._throttle = Throttle(deadlines, _say)

    def happened(self, side: str) -> None:
        """
        Take note of one.

        @param side: the end that was cut off, for the log.
        """
        self._throttle.happened(side)


def _say(times: int, side: str) -> None:
    _log.info(
        "{times} TLS connections were cut off without close_notify, the last one by the {side}",
        times=times,
        side=side,
    )
