"""
A connection of a clone's UNIX socket.
"""

from __future__ import annotations

from twisted.internet import unix

from txlb.cloning._countedtcpserver import CountedTCPServer


class CountedUNIXServer(CountedTCPServer, unix.Server):
    """
    A connection of a UNIX socket that tells its listener when it has ended. Twisted's is a TCP
    connection, too.
    """
