"""
Kinds of probes by their words, and how a probe is made.
"""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from txlb.interfaces import IResourceProbe, IResourceProbePlugin
from txlb.model import PollingKind, ResourceProbe
from txlb.model.registries import PROBES


@implementer(IPlugin, IResourceProbePlugin)
class ProbeKind(PollingKind[Any, IResourceProbe]):
    """
    A kind of probe. An object of this class in a module of C{twisted.plugins} is a plugin.
    Its C{make} gets the values of all options and the reactor.
    """


def registerProbe(kind: IResourceProbePlugin) -> None:
    """
    Make a kind of probe known by its word, in programs and in configuration files.

    @raise DuplicateName: the word is taken.
    @raise ModelError: the kind can't be used, and why.
    """
    PROBES.register(kind)


def probeKinds() -> list[IResourceProbePlugin]:
    """
    Return all kinds, in the order of their registration.
    """
    return PROBES.kinds()


def getProbeKind(word: str) -> IResourceProbePlugin:
    """
    Return the kind of probe that a word stands for.

    @raise UnknownName: there is no such kind.
    """
    return PROBES.get(word)


def makeProbe(resource: ResourceProbe, reactor: Any) -> IResourceProbe:
    """
    Make the probe that is configured.

    @raise UnknownName: there is no such kind, or it has no such option.
    @raise ModelError: its options are wrong.
    """
    kind = PROBES.get(resource.probe)
    return kind.make(resource.completed(kind.options), reactor)
