"""
The verdicts of a preface.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NeedMore:
    """
    The verdict that more bytes are needed.
    """


@dataclass(frozen=True, slots=True)
class Done:
    """
    The verdict that the preface is complete.

    @ivar clientAddr: the client's address as the preface gives it; L{None} for that of the
        socket.
    @ivar serverName: the name that the client asked for; L{None} if it asked for none.
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
    The verdict that the client must be closed.

    @ivar reason: what is wrong with its bytes.
    """

    reason: str
