"""
From the word in a configuration file to the policy.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random as RandomSource
from typing import Protocol

from txlb.errors import DuplicateName, UnknownName
from txlb.interfaces import IScheduler

#: What makes a policy, given a source of chance.
SchedulerMaker = Callable[[RandomSource], IScheduler]

#: PythonDirector's words, which old configuration files use.
ALIASES = {
    "random": "rand",
    "roundrobin": "roundr",
    "leastconns": "leastc",
    "leastconnsrr": "leastc",
    "lweighted": "weightr",
}

_makers: dict[str, SchedulerMaker] = {}


class Tracker(Protocol):
    """
    What owns hosts and lets a scheduler choose among them: a
    L{txlb.pool.HostPool}.
    """

    def setScheduler(self, scheduler: IScheduler) -> object:
        """
        Choose by this policy from now on.
        """


def registerScheduler(word: str, maker: SchedulerMaker) -> None:
    """
    Make a policy known by its word.

    @param maker: called with a C{random.Random} for each group that uses it.
    @raise DuplicateName: the word is taken.
    """
    if word in _makers or word in ALIASES:
        raise DuplicateName(f"there is a scheduler {word!r} already; choose another word")
    _makers[word] = maker


def schedulerWords() -> list[str]:
    """
    The words of all the policies, in the order in which they became known.
    """
    return list(_makers)


def canonicalWord(word: object) -> str:
    """
    The word that a policy goes by, from it or from one of PythonDirector's.

    @raise UnknownName: no policy has this word.
    """
    text = word if isinstance(word, str) else repr(word)
    text = ALIASES.get(text, text)
    if text not in _makers:
        raise UnknownName("scheduler", text, _makers)
    return text


def schedulerFactory(
    lbType: str, tracker: Tracker | None = None, *, random: RandomSource | None = None
) -> IScheduler:
    """
    Make a scheduler.

    @param lbType: its word, such as C{leastc}.
    @param tracker: a L{txlb.pool.HostPool}; where given, it chooses by the new
        scheduler from now on.
    @param random: the source of chance for the policies that want one; by
        default one of its own, seeded by the system.
    @raise UnknownName: no policy has this word.
    """
    scheduler = _makers[canonicalWord(lbType)](random if random is not None else RandomSource())
    if tracker is not None:
        tracker.setScheduler(scheduler)
    return scheduler
