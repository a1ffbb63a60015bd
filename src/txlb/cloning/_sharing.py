"""
How the connections of one listening address are shared by the clones.
"""

from __future__ import annotations

import os
import select
import sys
from enum import Enum

from txlb.cloning._rendezvous import CloningError


class Sharing(Enum):
    """
    How clones share the connections of one listening address. Its value is its word in settings.

      - C{GRANTS}: the manager chooses a clone for each connection, and grants it.
      - C{QUEUE}: the clones share the accept queue. The quickest one accepts.
      - C{REUSEPORT}: each clone has a queue of its own. The kernel chooses one by the addresses and
        ports of the connection (C{SO_REUSEPORT}, see socket(7)).
      - C{PASSED}: the balancer accepts, reads what clients send first, and passes the connection to
        a clone. No setting asks for it; the listener's do.
    """

    GRANTS = "grants"
    QUEUE = "queue"
    REUSEPORT = "reuseport"
    PASSED = "passed"


#: What it costs if clones accept by themselves.
COSTS = {
    Sharing.QUEUE: "the quickest clone accepts, so a few clones may have most of the connections",
    Sharing.REUSEPORT: (
        "the kernel chooses by a hash of addresses and ports, so some clones have half as many "
        "connections again as others; a clone that hangs keeps its clients waiting, and one that "
        "dies loses those that wait"
    ),
}

#: The words of settings.
WORDS = (Sharing.GRANTS.value, *(each.value for each in COSTS))


def sharingNamed(word: object) -> Sharing:
    """
    Find the way of sharing that a setting names.

    @raise CloningError: there is none of this name.
    """
    if word not in WORDS:
        words = ", ".join(map(repr, WORDS))
        raise CloningError(f"sharing is {word!r:.40}: give one of {words}")
    return Sharing(word)


def whyNoGrants() -> str:
    """
    Tell why the manager can't grant connections here.

    @return: the reason; an empty text if it can.
    """
    if not sys.platform.startswith("linux"):
        return f"grants need Linux, and this system is {sys.platform}"
    if not hasattr(select, "epoll"):
        return "this Python has no epoll"
    if not hasattr(os, "eventfd"):
        return "this Python has no eventfd"
    try:
        select.epoll().close()
    except OSError as problem:
        return f"the system gives no epoll ({problem.strerror})"
    return ""
