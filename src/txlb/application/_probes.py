"""
Resource probes of third parties, found as Twisted finds plugins.

A package adds one by a module in C{twisted/plugins}, without an C{__init__.py},
in which an object provides L{IResourceProbePlugin}. They are looked for when
somebody asks for a word that is unknown, so a program that uses none imports
none.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger
from twisted.plugin import getPlugins

from txlb.config import registerProbeWord
from txlb.errors import TxlbError
from txlb.interfaces import IResourceProbePlugin
from txlb.resources import probeKinds, registerProbe

_log = Logger()


def discoverProbes() -> None:
    """
    Make the probes of all plugins known, those that are known already excepted.
    One that is wrong is logged and does no harm to the others.
    """
    known = {id(kind) for kind in probeKinds()}
    for found in getPlugins(IResourceProbePlugin):
        if id(found) in known:
            continue
        plugin: Any = found
        try:
            registerProbe(plugin)
            registerProbeWord(plugin.word, plugin.doc, plugin.options)
        except (AttributeError, TypeError, TxlbError) as error:
            _log.error("a resource probe of a plugin can't be had: {error}", error=error)
