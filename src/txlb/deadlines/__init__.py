"""
Deadlines on the monotonic clock.

The reactor's own clock is the wall clock, which may be set. So its C{callLater} only
wakes the queue up, at least once a second while there are deadlines, and the monotonic
clock decides which deadlines are due.

Three things can make a wake-up late:

  - The wall clock was set back. A L{Guard}, a thread that checks once a second by the
    monotonic clock, makes the reactor look. So no deadline is late by more than two
    ticks.
  - The reactor was busy.
  - The process slept: it was stopped and went on, or its virtual machine was paused.

In each case data that arrived meanwhile may be ready and unread. So the queue first
gives the reactor full turns, which read the data, and decides afterwards.

After a sleep that is not enough if an answer takes several steps. L{Deadlines.patience}
makes a deadline for the answer of another party: the time that the process has slept is
added to it. Code with times of its own asks L{Deadlines.sleptSince}.
"""

from txlb.deadlines._backlog import Backlog
from txlb.deadlines._deadline import Deadline
from txlb.deadlines._deadlines import LATE, SLEPT, TICK, TURNS, Deadlines
from txlb.deadlines._retry import JITTER, Retry
from txlb.deadlines._sleeps import CATCH_UP, Sleeps
from txlb.deadlines._throttle import Throttle

__all__ = [
    "CATCH_UP",
    "JITTER",
    "LATE",
    "SLEPT",
    "TICK",
    "TURNS",
    "Backlog",
    "Deadline",
    "Deadlines",
    "Retry",
    "Sleeps",
    "Throttle",
]
