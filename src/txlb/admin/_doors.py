"""
The doors of a balancer in an upgrade.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any


def joinDoors(balancer: Any, door: object) -> None:
    """
    Let a door's listener move in upgrades of the balancer.

    @param balancer: the manager of clones has nothing of that kind.
    @param door: a L{txlb.application._upgradable.Door}.
    """
    add: Callable[[object], object] | None = getattr(balancer, "addDoor", None)
    if add is not None:
        add(door)


def socketsAt(balancer: Any, address: object) -> list[socket.socket]:
    """
    Take the sockets that listen at a door's address already, as another process of the balancer
    had them.

    @return: none if there are none.
    """
    find: Callable[[object], list[socket.socket]] | None = getattr(balancer, "socketsFor", None)
    return [] if find is None else list(find(address))


def whenServing(balancer: Any, call: Callable[[], object]) -> None:
    """
    Call a function when the balancer serves: now, or when it has taken over from another process.
    """
    later: Callable[[Callable[[], object]], object] | None = getattr(balancer, "whenServing", None)
    if later is None:
        call()
    else:
        later(call)
