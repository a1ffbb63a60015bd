"""
Deadlines on the monotonic clock.

The reactor's own clock is the wall clock, which may be set. So its C{callLater}
only wakes the queue up, at least once a second while anything waits, and the
monotonic clock decides what is due.

Three things can make a wake-up late:

  - The wall clock was set back. A L{Guard}, a thread that looks once a second by the
    monotonic clock, has the reactor look. So nothing is late by more than two ticks.
  - The reactor was busy.
  - The process slept: it was stopped and went on, or its virtual machine was paused.

In each case what others sent meanwhile may be ready and unread. So the queue gives
the reactor full turns first, and decides afterwards; then what was ready has been read.

After a sleep that is not enough where an answer takes several steps. A deadline that
is the time that another party has to answer is a L{Deadlines.patience}: what the
process has slept through is added to it. Whatever keeps times of its own asks
L{Deadlines.sleptSince}.
"""

from txlb.deadlines._deadline import Deadline
from txlb.deadlines._deadlines import LATE, SLEPT, TICK, TURNS, Deadlines
from txlb.deadlines._sleeps import CATCH_UP, Sleeps
from txlb.deadlines._throttle import Throttle

__all__ = [
    "CATCH_UP",
    "LATE",
    "SLEPT",
    "TICK",
    "TURNS",
    "Deadline",
    "Deadlines",
    "Sleeps",
    "Throttle",
]
