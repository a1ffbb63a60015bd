"""
Kinds of schedulers by their words, and how a scheduler is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random as RandomSource
from typing import Any, Protocol

from zope.interface import implementer

from txlb.errors import ModelError, shortened
from txlb.interfaces import IScheduler, ISchedulerPlugin
from txlb.registry import Registry

#: Makes a scheduler. It is called with a source of chance, and by keyword with those
#: settings that its L{SchedulerKind} wants.
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
    A scheduler that programs and configuration files can ask for by its word. An object of
    this class in a module of C{twisted.plugins} is a plugin.

    @ivar word: the word.
    @ivar maker: makes a scheduler.
    @ivar summary: which host is the next one, in half a sentence.
    @ivar chooseWhen: when to choose this scheduler, in half a sentence.
    @ivar wants: the settings that the maker takes by keyword: C{seconds}, a monotonic
        clock, or names of a group's settings.
    @ivar maxHosts: how many hosts it takes at most; L{None} for any number.
    @ivar looksAtClient: whether it looks at the client's address; L{None} if it is not
        known, as of a plugin.
    """

    word: str
    maker: SchedulerMaker
    summary: str = ""
    chooseWhen: str = ""
    wants: tuple[str, ...] = ()
    maxHosts: int | None = None
    looksAtClient: bool | None = None

    @property
    def needsClient(self) -> bool:
        """
        Whether a choice needs the client's address. The scheduler of a plugin that does not
        tell counts as one that does.
        """
        return not self.isOwn if self.looksAtClient is None else self.looksAtClient

    @property
    def isOwn(self) -> bool:
        """
        Whether the scheduler is one of this package, and not one of a plugin.
        """
        return getattr(self.maker, "__module__", "").startswith("txlb.schedulers.")

    def asDict(self) -> dict[str, object]:
        """
        Return the description of the scheduler as plain data.
        """
        return {
            "word": self.word,
            "summary": self.summary,
            "chooseWhen": self.chooseWhen,
            "settings": [name for name in self.wants if name != "seconds"],
            "maxHosts": self.maxHosts,
        }


def _accepted(plugin: Any) -> SchedulerKind:
    """
    Copy a plugin into a L{SchedulerKind}.

    @raise ModelError: something is missing or wrong.
    """
    try:
        if not callable(plugin.maker):
            shown = shortened(repr(plugin.maker))
            raise ModelError(f"maker of {plugin.word!r} is {shown}; it is a class or a function")
        return SchedulerKind(
            plugin.word,
            plugin.maker,
            plugin.summary,
            plugin.chooseWhen,
            tuple(plugin.wants),
            plugin.maxHosts,
            getattr(plugin, "looksAtClient", None),
        )
    except (AttributeError, TypeError) as error:
        raise ModelError(f"{plugin.word!r} can't be used: {error}") from None


SCHEDULERS: Registry[SchedulerKind] = Registry("scheduler", ISchedulerPlugin, _accepted, ALIASES)


class Tracker(Protocol):
    """
    The owner of hosts that a scheduler chooses among: a L{txlb.pool.HostPool}.
    """

    def setScheduler(self, scheduler: IScheduler) -> object:
        """
        Choose by this scheduler from now on.
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
    Make a scheduler known by its word.

    @param maker: is called with a C{random.Random} for each group that uses it.
    @param summary: which host is the next one, in half a sentence.
    @param chooseWhen: when to choose this scheduler, in half a sentence.
    @param wants: the settings that the maker takes by keyword, such as
        C{seconds}; see L{SchedulerKind}.
    @param maxHosts: how many hosts it takes at most.
    @raise DuplicateName: the word is taken.
    @raise ModelError: it is no word, or the maker can't be called.
    """
    SCHEDULERS.register(SchedulerKind(word, maker, summary, chooseWhen, wants, maxHosts))


def schedulerWords() -> list[str]:
    """
    Return the words of all schedulers, in the order of their registration.
    """
    return SCHEDULERS.words()


def schedulerKinds() -> list[SchedulerKind]:
    """
    Return all schedulers, in the order of their registration.
    """
    return SCHEDULERS.kinds()


def canonicalWord(word: object, mayLook: Callable[[], bool] = lambda: True) -> str:
    """
    Return the word of a scheduler, given that word or PythonDirector's.

    @param mayLook: is called if the word is unknown, and tells whether plugins may be
        looked for.
    @raise ModelError: it is no word.
    @raise UnknownName: no scheduler has this word.
    """
    if not isinstance(word, str):
        raise ModelError(
            f"the scheduler is {shortened(repr(word))}; it is a word, such as 'leastc'"
        )
    return SCHEDULERS.get(word, mayLook).word


def schedulerKind(word: object) -> SchedulerKind:
    """
    Return the kind of a scheduler.

    @raise ModelError: it is no word.
    @raise UnknownName: no scheduler has this word.
    """
    return SCHEDULERS.get(canonicalWord(word))


def checkHostCount(word: str, count: int, where: str) -> None:
    """
    Check that a scheduler takes so many hosts.

    @param where: the group that has them, for the message.
    @raise ModelError: it takes fewer.
    @raise UnknownName: no scheduler has this word.
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
    @param tracker: a L{txlb.pool.HostPool}; if it is given, it chooses by the new
        scheduler from now on.
    @param random: the source of chance for the schedulers that want one; by
        default one of its own, seeded by the system.
    @param settings: C{seconds}, a monotonic clock, and a group's settings by name. The
        scheduler is made with those that it wants. Those that are not given have the
        scheduler's own defaults.
    @raise UnknownName: no scheduler has this word.
    """
    kind = schedulerKind(lbType)
    given = settings if settings is not None else {}
    wanted = {name: given[name] for name in kind.wants if name in given}
    scheduler = kind.maker(random if random is not None else RandomSource(), **wanted)
    if tracker is not None:
        tracker.setScheduler(scheduler)
    return scheduler
