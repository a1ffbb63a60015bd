"""
Bytes that go before those of a client and its host.
"""

from __future__ import annotations


class FirstBytes:
    """
    Bytes that the relay sends before anything else: those that were read behind the preface, a
    PROXY header, and those that the client had sent when the host was asked. All but the last
    are not the other side's, and not counted on the lease.

    @ivar toHost: the bytes for the host.
    @ivar toClient: the bytes for the client.
    @ivar freeIn: how many bytes have yet to be written to the host that are not counted.
    @ivar freeOut: the same for the client.
    """

    __slots__ = ("freeIn", "freeOut", "toClient", "toHost")

    def __init__(self, toHost: bytes, toClient: bytes, freeIn: int | None = None) -> None:
        self.toHost = toHost
        self.toClient = toClient
        self.freeIn = len(toHost) if freeIn is None else freeIn
        self.freeOut = len(toClient)
