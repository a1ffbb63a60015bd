"""
Policies of third parties, found as Twisted finds plugins.

A package adds a policy by a module in C{twisted/plugins}, without an
C{__init__.py}, in which an object provides
L{ISchedulerPlugin<txlb.interfaces.ISchedulerPlugin>}. They are looked for when
somebody asks for a word that is unknown, when a balancer starts, and when all
are to be listed; so a program that uses none imports none.

Modules are imported here one by one, beside C{twisted.plugin.getPlugins}, which
reads the same folders: that one writes a traceback to the log for a module that
can't be imported, wherever it belongs, and does not say to its caller that there
was one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.python.modules import PythonModule, getModule
from zope.interface import Interface

import twisted.plugins
from txlb.errors import TxlbError
from txlb.interfaces import ISchedulerPlugin
from txlb.schedulers import registerScheduler, schedulerKinds

#: Twisted's own plugins, of which none is a policy.
_OWN = "twisted.plugins.twisted_"

#: What a module has to mention for its faults to be ours to tell.
_MENTION = (b"SchedulerKind", b"ISchedulerPlugin", b"CheckKind")

#: The plugins that have been registered, so that no one is twice.
_registered: set[int] = set()
_kept: list[object] = []


def discoverSchedulers() -> tuple[str, ...]:
    """
    Register the policies of all plugins, those that are registered already
    excepted. One that is wrong does no harm to the others.

    @return: a line for each that is wrong.
    """
    return tuple(line for module in _modules() for line in _register(module))


def pluginsOf(interface: type[Interface]) -> Iterator[object]:
    """
    What provides an interface in the modules of C{twisted.plugins}. Those that
    can't be imported are passed over; L{discoverSchedulers} tells of them.
    """
    for module in _modules():
        try:
            found = list(vars(module.load()).values())
        except Exception:  # noqa: BLE001, S112 - it is told elsewhere, and others go on
            continue
        yield from (each for each in found if interface.providedBy(each))


def _modules() -> Iterator[PythonModule]:
    for module in getModule(twisted.plugins.__name__).iterModules():
        if not module.name.startswith(_OWN):
            yield module


def _register(module: PythonModule) -> list[str]:
    try:
        names = dict(vars(module.load()))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, others go on
        if not _isOurs(module):
            return []
        what = f"{type(error).__name__}: {error}"
        return [f"plugin {module.filePath.path} can't be imported: {what}"]
    wrong = []
    for name, plugin in names.items():
        if ISchedulerPlugin.providedBy(plugin) and id(plugin) not in _registered:
            try:
                _registerOne(plugin)
            except (AttributeError, TypeError, TxlbError) as error:
                wrong.append(f"plugin {module.filePath.path} ({name}): {error}")
    return wrong


def _registerOne(plugin: Any) -> None:
    if not isinstance(plugin.word, str) or not plugin.word.isidentifier():
        raise TypeError(f"{plugin.word!r} is no word for a scheduler: letters, digits and _ only")
    registerScheduler(
        plugin.word,
        plugin.maker,
        summary=plugin.summary,
        chooseWhen=plugin.chooseWhen,
        wants=tuple(plugin.wants),
        maxHosts=plugin.maxHosts,
    )
    _registered.add(id(plugin))
    _kept.append(plugin)


def _isOurs(module: PythonModule) -> bool:
    """
    Whether a module that can't be imported means to add a policy.
    """
    try:
        source = module.filePath.getContent()
    except OSError:
        return False
    return any(mention in source for mention in _MENTION)


def listSchedulers() -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """
    All policies, those of plugins included, as plain data, and a line for each
    plugin that is wrong.
    """
    wrong = discoverSchedulers()
    return [kind.asDict() for kind in schedulerKinds()], wrong
