"""
From the word in a configuration file to the probe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.errors import DuplicateName, UnknownName
from txlb.interfaces import IResourceProbe, IResourceProbePlugin
from txlb.model import Address, ResourceProbe
from txlb.model.options import Option, completedOptions


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """
    The host that a probe is to ask.

    @ivar key: the names of service, group and host.
    @ivar address: where, with the probe's own port where it has one; needs no
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


@implementer(IPlugin, IResourceProbePlugin)
@dataclass(frozen=True)
class ProbeKind:
    """
    A kind of probe. One that stands in a module of C{twisted.plugins} is found
    there.

    @ivar word: its word in the configuration file.
    @ivar doc: what it does, in a sentence or two of reStructuredText.
    @ivar make: makes one for a host, from the values of all its options and the
        reactor; raises L{ModelError} where they don't go together.
    @ivar options: what it has of its own.
    """

    word: str
    doc: str
    make: Callable[[Mapping[str, Any], Any], IResourceProbe]
    options: tuple[Option, ...] = ()


_kinds: dict[str, ProbeKind] = {}
_finders: list[Callable[[], object]] = []


def findProbesBy(finder: Callable[[], object]) -> None:
    """
    Look for more kinds when somebody asks for one that is unknown.

    @param finder: makes those that it finds known.
    """
    _finders[:] = [finder]


def registerProbe(kind: ProbeKind) -> None:
    """
    Make a kind of probe known by its word.

    @raise DuplicateName: the word is taken.
    """
    if kind.word in _kinds:
        raise DuplicateName(f"there is a probe {kind.word!r} already; choose another word")
    _kinds[kind.word] = kind


def probeKinds() -> list[ProbeKind]:
    """
    All kinds, in the order in which they became known.
    """
    return list(_kinds.values())


def getProbeKind(word: str) -> ProbeKind:
    """
    @raise UnknownName: there is no such kind.
    """
    if word not in _kinds:
        for finder in _finders:
            finder()
    try:
        return _kinds[word]
    except KeyError:
        raise UnknownName("probe", word, _kinds) from None


def makeProbe(resource: ResourceProbe, reactor: Any) -> IResourceProbe:
    """
    Make what a configured probe stands for.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: its options are wrong.
    """
    kind = getProbeKind(resource.probe)
    whose = f"the {kind.word} probe"
    return kind.make(completedOptions(kind.options, resource.options, whose), reactor)
