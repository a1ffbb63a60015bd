"""
From the word in a configuration file to the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random as RandomSource
from typing import Any, Protocol

from zope.interface import implementer

from txlb.errors import DuplicateName, ModelError, UnknownName, shortened
from txlb.interfaces import IScheduler, ISchedulerPlugin

#: What makes a policy: it is called with a source of chance, and by keyword
#: with those settings that its L{SchedulerKind} wants.
SchedulerMaker = Callable[..., IScheduler]

#: PythonDirector's words, which old configuration files use.
ALIASES = {
    "random": "rand",
    "roundrobin": "roundr",
    "leastconns": "leastc",
    "leastconnsrr": "leastc",
    "lweighted": "weightr",
}


@implementer(ISchedulerPlugin)
@dataclass(frozen=True, slots=True)
class SchedulerKind:
    """
    A policy that can be had by its word. In a module of C{twisted.plugins} one
    of these is a plugin, which is all that it takes to add a policy.

    @ivar word: the word.
    @ivar maker: makes one.
    @ivar summary: which host is the next one, in half a sentence.
    @ivar chooseWhen: when to choose this policy, in half a sentence.
    @ivar wants: the settings that the maker is called with, by keyword:
        C{seconds}, a monotonic clock, or names of a group's settings.
    @ivar maxHosts: how many hosts it takes at most; L{None} for any number.
    """

    word: str
    maker: SchedulerMaker
    summary: str = ""
    chooseWhen: str = ""
    wants: tuple[str, ...] = ()
    maxHosts: int | None = None

    @property
    def isOwn(self) -> bool:
        """
        Whether the policy is one of this package, and not one of a plugin.
        """
        return getattr(self.maker, "__module__", "").startswith("txlb.schedulers.")

    def asDict(self) -> dict[str, object]:
        """
        What there is to say of it, in values that any format can hold.
        """
        return {
            "word": self.word,
            "summary": self.summary,
            "chooseWhen": self.chooseWhen,
            "settings": [name for name in self.wants if name != "seconds"],
            "maxHosts": self.maxHosts,
        }


_kinds: dict[str, SchedulerKind] = {}

#: Looks for policies from elsewhere, and returns what is wrong with some.
Finder = Callable[[], Sequence[str]]

_finders: list[Finder] = []


class Tracker(Protocol):
    """
    What owns hosts and lets a scheduler choose among them: a
    L{txlb.pool.HostPool}.
    """

    def setScheduler(self, scheduler: IScheduler) -> object:
        """
        Choose by this policy from now on.
        """


def registerScheduler(
    word: str,
    maker: SchedulerMaker,
    *,
    summary: str = "",
    chooseWhen: str = "",
    wants: tuple[str, ...] = (),
    maxHosts: int | None = None,
) -> None:
    """
    Make a policy known by its word.

    @param maker: called with a C{random.Random} for each group that uses it.
    @param summary: which host is the next one, in half a sentence.
    @param chooseWhen: when to choose this policy, in half a sentence.
    @param wants: the settings that the maker takes by keyword, such as
        C{seconds}; see L{SchedulerKind}.
    @param maxHosts: how many hosts it takes at most.
    @raise DuplicateName: the word is taken.
    """
    if word in _kinds or word in ALIASES:
        raise DuplicateName(f"there is a scheduler {word!r} already; choose another word")
    _kinds[word] = SchedulerKind(word, maker, summary, chooseWhen, wants, maxHosts)


def findSchedulersBy(finder: Finder) -> None:
    """
    Ask somebody for policies when a word is unknown.

    @param finder: registers those that it finds, and returns a line for each
        that is wrong, for the message.
    """
    if finder not in _finders:
        _finders.append(finder)


def schedulerWords() -> list[str]:
    """
    The words of all the policies, in the order in which they became known.
    """
    return list(_kinds)


def schedulerKinds() -> list[SchedulerKind]:
    """
    All the policies, in the order in which they became known.
    """
    return list(_kinds.values())


def canonicalWord(word: object, mayLook: Callable[[], bool] = lambda: True) -> str:
    """
    The word that a policy goes by, from it or from one of PythonDirector's.

    @param mayLook: asked whether policies from elsewhere may be looked for, if the word
        is unknown.
    @raise ModelError: it is no word.
    @raise UnknownName: no policy has this word.
    """
    if not isinstance(word, str):
        raise ModelError(
            f"the scheduler is {shortened(repr(word))}; it is a word, such as 'leastc'"
        )
    text = ALIASES.get(word, word)
    if text not in _kinds:
        wrong = [line for finder in _finders if mayLook() for line in finder()]
        if text not in _kinds:
            raise UnknownName("scheduler", text, _kinds, "; ".join(wrong))
    return text


def schedulerKind(word: object) -> SchedulerKind:
    """
    What is known of a policy.

    @raise UnknownName: no policy has this word.
    """
    return _kinds[canonicalWord(word)]


def checkHostCount(word: str, count: int, where: str) -> None:
    """
    See to it that a policy can take so many hosts.

    @param where: what has them, for the message.
    @raise ModelError: it can't.
    @raise UnknownName: no policy has this word.
    """
    most = schedulerKind(word).maxHosts
    if most is not None and count > most:
        raise ModelError(
            f"{where} has {count} hosts, and scheduler {word!r} takes at most {most}; "
            "choose another scheduler"
        )


def schedulerFactory(
    lbType: str,
    tracker: Tracker | None = None,
    *,
    random: RandomSource | None = None,
    settings: Mapping[str, Any] | None = None,
) -> IScheduler:
    """
    Make a scheduler.

    @param lbType: its word, such as C{leastc}.
    @param tracker: a L{txlb.pool.HostPool}; where given, it chooses by the new
        scheduler from now on.
    @param random: the source of chance for the policies that want one; by
        default one of its own, seeded by the system.
    @param settings: what policies may want to know: C{seconds}, a monotonic
        clock, and a group's settings by name. Each takes what it wants of them,
        and what is not given is as the policy has it by default.
    @raise UnknownName: no policy has this word.
    """
    kind = schedulerKind(lbType)
    given = settings if settings is not None else {}
    wanted = {name: given[name] for name in kind.wants if name in given}
    scheduler = kind.maker(random if random is not None else RandomSource(), **wanted)
    if tracker is not None:
        tracker.setScheduler(scheduler)
    return scheduler
