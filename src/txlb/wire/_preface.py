"""
What reading a preface can come to.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NeedMore:
    """
    The bytes so far don't decide it.
    """


@dataclass(frozen=True, slots=True)
class Done:
    """
    The preface is complete.

    @ivar clientAddr: the client's address as the preface tells it; L{None} to
        go by the socket.
    @ivar serverName: the name that the client asked for, where it did.
    @ivar leftover: bytes that came after the preface and belong to the host.
    @ivar alpn: the protocols that the client offers (ALPN), the preferred one first.
    """

    clientAddr: tuple[str, int] | None = None
    serverName: str | None = None
    leftover: bytes = b""
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """
    The client is to be closed.

    @ivar reason: what is wrong with what it sent.
    """

    reason: str
