"""
The global reactor, picked up when a service starts: a module that imported it at
its top would install one, and nobody could choose another any more.
"""

from __future__ import annotations

from typing import Any

__all__ = ["opensSockets", "pickedReactor"]


def pickedReactor(reactor: Any = None) -> Any:
    """
    The reactor to run on, from now on.

    @param reactor: the one that was asked for; L{None} for the global one.
    """
    if reactor is None:
        from twisted.internet import reactor  # noqa: PLC0415 - see above
    return reactor


def opensSockets(reactor: Any) -> bool:
    """
    Whether a reactor is one of Twisted's real ones, which watches sockets. Those for
    tests, such as C{twisted.internet.testing.MemoryReactorClock}, do not.
    """
    # It brings in much of Twisted, which some parts do without.
    from twisted.internet.base import ReactorBase  # noqa: PLC0415 - see above

    return isinstance(reactor, ReactorBase)
