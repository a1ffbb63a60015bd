"""
Lines of the log that say how the connections of a listening socket come to the clones.
"""

from __future__ import annotations

import socket

from twisted.logger import Logger

from txlb.cloning._counting import Counting
from txlb.cloning._granter import Granter
from txlb.cloning._listener import SharedListener
from txlb.cloning._sharing import COSTS, Sharing

_log = Logger()


def tellHow(granter: Granter | Counting) -> None:
    """
    Say if it is not by permits, or not by as many as connections wait; and what that costs.
    """
    listener = granter.listener
    if granter.passing is not None:
        _log.info(
            "{name}: the manager accepts the connections and passes them to the clones, as "
            "{why}; if it is killed, the one that it has in its hands is lost, 0 or 1",
            name=listener.name,
            why=granter.whyPassed,
        )
    if not listener.isGranted and not listener.isPassed:
        _tellOfSharing(listener)
    if listener.isGranted and not listener.countsQueue and listener.sock.family != socket.AF_UNIX:
        _log.warn(
            "{name}: the system does not tell how many connections wait (TCP_INFO), so clones get "
            "one permit at a time, which is as even, and slower",
            name=listener.name,
        )


def _tellOfSharing(listener: SharedListener) -> None:
    sharing = listener.sharing
    how = "the clones share the accept queue"
    if sharing is Sharing.REUSEPORT:
        how = "each clone has an accept queue of its own (SO_REUSEPORT)"
    why = "as sharing is set so"
    if listener.settings.sharing is Sharing.GRANTS:
        why = f"as {listener.whyNoGrants}"
    _log.warn(
        "{name}: {how}, {why}; {cost}; the scheduler, weights and hosts beside the clones have "
        "no effect",
        name=listener.name,
        how=how,
        why=why,
        cost=COSTS[sharing],
    )
