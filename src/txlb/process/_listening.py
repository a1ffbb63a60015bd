"""
What listening sockets have in common.
"""

from __future__ import annotations

import errno
import socket

#: Errors of accept(2) that are about the system and not about one client.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def listens(sock: socket.socket) -> bool:
    """
    Ask the system whether a socket is open and accepts connections.

    A reactor gives up a socket after an event that says that its peer is gone. If
    another socket had the same descriptor earlier in the turn, that event was meant for
    the other one, because a listening socket has no peer. So a listener calls this
    before it acts on such an event.
    """
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
