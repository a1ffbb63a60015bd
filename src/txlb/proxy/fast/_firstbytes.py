"""
Bytes that go before those of a client and its host.
"""

from __future__ import annotations


class FirstBytes:
    """
    Bytes that the relay sends before anything else: those that were read behind the preface,
    and a PROXY header. They are not the other side's, and not counted on the lease.

    @ivar toHost: the bytes for the host.
    @ivar toClient: the bytes for the client.
    @ivar freeIn: how many bytes of C{toHost} have yet to be written.
    @ivar freeOut: how many bytes of C{toClient} have yet to be written.
    """

    __slots__ = ("freeIn", "freeOut", "toClient", "toHost")

    def __init__(self, toHost: bytes, toClient: bytes) -> None:
        self.toHost = toHost
        self.toClient = toClient
        self.freeIn = len(toHost)
        self.freeOut = len(toClient)
