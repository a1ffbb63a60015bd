"""
What one package offers and another one has to know, though neither imports the
other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.logger import Logger

from txlb.application._plugins import discoverSchedulers, pluginsOf
from txlb.application._probes import discoverProbes
from txlb.config import findProbeWordsBy, registerCheckWord, registerProbeWord
from txlb.errors import TxlbError
from txlb.health import CheckKind, registerCheck, whenKnown
from txlb.interfaces import IHealthCheckKind
from txlb.resources import findProbesBy, probeKinds
from txlb.schedulers import findSchedulersBy

_log = Logger()


def fillRegistries() -> None:
    """
    Let configuration files ask for every kind of resource probe and of health
    check, checks that become known later and those that are plugins included. It
    is done once, when L{txlb.application} is imported. Policies that are plugins
    are looked for when somebody asks for one that is unknown.
    """
    findSchedulersBy(discoverSchedulers)
    findProbesBy(discoverProbes)
    findProbeWordsBy(discoverProbes)
    for probe in probeKinds():
        registerProbeWord(probe.word, probe.doc, probe.options)
    whenKnown(_checkKnown)
    plugins: Iterable[Any] = pluginsOf(IHealthCheckKind)
    for kind in plugins:
        try:
            registerCheck(kind)
        except TxlbError as error:
            # What somebody has installed must not keep a balancer from starting.
            _log.error("the plugin for {word} is not used: {error}", word=kind.word, error=error)


def _checkKnown(kind: CheckKind) -> None:
    if kind.inFiles:
        registerCheckWord(kind.word, kind.doc, kind.options)
