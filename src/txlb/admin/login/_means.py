"""
What sources of logins work with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from txlb.admin._work import nothing
from txlb.deadlines import Deadlines


@dataclass(slots=True)
class Means:
    """
    The reactor, the clock and the thread of a balancer's logins, while they run.

    @ivar reactor: the reactor; L{None} before the start.
    @ivar deadlines: its clock; L{None} before the start and after the end.
    @ivar inThread: runs a function in the thread of passwords.
    @ivar giveWay: lets relayed connections go on between two parts of a step, which takes up to
        half a millisecond.
    """

    inThread: Callable[[Callable[[], Any]], Deferred[Any]]
    reactor: Any = None
    deadlines: Deadlines | None = None
    giveWay: Callable[[], object] = nothing
