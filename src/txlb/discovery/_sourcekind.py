"""
Kinds of sources by their words, and how a source is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.deadlines import Deadlines
from txlb.discovery._entries import Place
from txlb.interfaces import IHostSource, IHostSourceKind
from txlb.model import Discovery, PollingKind
from txlb.model.registries import SOURCES

Result = TypeVar("Result")


class Worker(Protocol):
    """
    Does long work beside the data plane: the balancer's C{Slices}.
    """

    async def inThread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """
        Call a function that only uses its arguments, in a thread.
        """
        ...

    async def aside(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """
        Do the same for what makes few objects, such as a look at files.
        """
        ...

    async def run(self, steps: Iterable[object]) -> None:
        """
        Iterate over steps, each of some milliseconds at most, and serve clients in between.
        """


@dataclass(frozen=True, slots=True)
class SourceTools:
    """
    The objects that sources are made with.

    @ivar place: the names of the service and of the group.
    @ivar reactor: makes connections.
    @ivar deadlines: has the times of tries.
    @ivar folder: the folder at which relative paths begin.
    @ivar worker: does what takes long.
    @ivar shared: parts that several groups have together, such as a watched file, by the kind of
        source and a name. The first source that needs one makes it, and the last one removes it.
    """

    place: Place
    reactor: Any
    deadlines: Deadlines
    folder: str
    worker: Worker
    shared: dict[tuple[str, object], Any]


@implementer(IPlugin, IHostSourceKind)
class SourceKind(PollingKind[SourceTools, IHostSource]):
    """
    A kind of source. An object of this class in a module of C{twisted.plugins} is a plugin. Its
    C{make} gets the values of all options and the L{SourceTools}.
    """


def registerSource(kind: IHostSourceKind) -> None:
    """
    Make a kind of source known by its word, in programs and in configuration files.

    @raise DuplicateName: the word is taken.
    @raise ModelError: the kind can't be used, and why.
    """
    SOURCES.register(kind)


def sourceKinds() -> list[IHostSourceKind]:
    """
    Return all kinds, in the order of their registration.
    """
    return SOURCES.kinds()


def makeSource(discovery: Discovery, tools: SourceTools) -> IHostSource:
    """
    Make the source that is configured.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: its options are wrong.
    """
    kind = SOURCES.get(discovery.source)
    return kind.make(discovery.completed(kind.options), tools)
