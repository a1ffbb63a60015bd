"""
The global reactor, picked up when a service starts: importing it at the top of a module
would install one, and then no other could be chosen.
"""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["opensSockets", "pickedReactor", "stopReactor"]


def pickedReactor(reactor: Any = None) -> Any:
    """
    Return the reactor to run on from now on.

    @param reactor: the reactor that was passed in; L{None} for the global one.
    """
    if reactor is None:
        from twisted.internet import reactor  # noqa: PLC0415 - see above
    return reactor


def opensSockets(reactor: Any) -> bool:
    """
    Tell whether a reactor is one of Twisted's real ones, which watches sockets.
    Reactors for tests, such as C{twisted.internet.testing.MemoryReactorClock}, do not.
    """
    # This import loads much of Twisted, which some parts do without.
    from twisted.internet.base import ReactorBase  # noqa: PLC0415 - see above

    return isinstance(reactor, ReactorBase)


def stopReactor(reactor: Any) -> None:
    """
    Stop a reactor, unless it stops already: a signal to all processes of a group comes to this
    one as well as to the process that would have it end.
    """
    from twisted.internet.error import ReactorNotRunning  # noqa: PLC0415 - see above

    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()
