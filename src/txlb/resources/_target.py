"""
The host that a probe asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from txlb.model import Address


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """
    The host that a probe asks.

    @ivar key: the names of service, group and host.
    @ivar address: the address to ask at, with the probe's own port if it has one; needs no
        look-up.
    @ivar weight: the host's configured weight, 1 or more.
    @ivar timeout: seconds that the probe has; it is cancelled after them.
    @ivar others: other addresses of the host, in the order in which they are tried if
        C{address} fails or does not answer soon.
    @ivar reached: is called with that one of C{others} that was reached; L{None} if it
        is of no use to know.
    """

    key: tuple[str, str, str]
    address: Address
    weight: int
    timeout: float
    others: tuple[Address, ...] = ()
    reached: Callable[[Address], object] | None = None
