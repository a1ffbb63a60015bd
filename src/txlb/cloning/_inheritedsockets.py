"""
The listening sockets that a balancer gets from its clones.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

from txlb.cloning._identity import Birth
from txlb.cloning._inherited import Inherited


def socketName(place: object, number: int) -> str:
    """
    Name a listening socket of a balancer for its clones.

    @param place: its address. The name has no slashes, as it is one of a group, too.
    @param number: which socket of the address it is.
    """
    return f"{place}#{number}".replace("/", "|")


def placeNamed(name: str) -> str:
    """
    Find the address in the name of a listening socket.
    """
    return name.rpartition("#")[0].replace("|", "/")


class InheritedSockets:
    """
    The listening sockets that a former process of a balancer has left to its clones, by the
    names that L{Fleet<txlb.cloning.Fleet>} gives them.

    @param folders: those in which the clones of the balancer meet.
    @param reactor: the one that will run.
    @raise CloningError: another balancer manages the clones of one.
    """

    def __init__(self, folders: Iterable[str], reactor: Any) -> None:
        birth = Birth.take()
        self._found: list[Inherited] = []
        for folder in folders:
            own = birth if birth is not None and birth.folder == os.path.abspath(folder) else None
            inherited = Inherited(folder, own)
            inherited.ask(reactor)
            self._found.append(inherited)

    def take(self, place: object) -> list[socket.socket]:
        """
        Take the sockets of an address; none if the clones have none there.
        """
        found: list[socket.socket] = []
        for each in self._found:
            while (sock := each.taken(socketName(place, len(found)))) is not None:
                found.append(sock)
        return found

    def close(self) -> None:
        """
        Close those that were not taken.
        """
        for each in self._found:
            each.started()
            each.joined()
        self._found.clear()
