"""
Schedulers, health checks, resource probes and sources of hosts of third parties, found as
Twisted finds plugins.

A package adds one by a module in C{twisted/plugins}, without an C{__init__.py}. The module
has an object that provides L{ISchedulerPlugin<txlb.interfaces.ISchedulerPlugin>},
L{IHealthCheckKind<txlb.interfaces.IHealthCheckKind>},
L{IResourceProbePlugin<txlb.interfaces.IResourceProbePlugin>} or
L{IHostSourceKind<txlb.interfaces.IHostSourceKind>}. Plugins are looked for when
L{txlb.application} is imported, when a balancer starts, and when a word is unknown.

Modules are imported here one by one, beside C{twisted.plugin.getPlugins}, which reads the
same folders. That function logs a traceback for a module that can't be imported, even if the
module belongs to another program, and does not report the error to its caller.
"""

from __future__ import annotations

from typing import Any

from twisted.python.modules import PythonModule, getModule

import twisted.plugins
from txlb.errors import ModelError
from txlb.model.registries import CHECKS, PROBES, SOURCES
from txlb.registry import Registry
from txlb.schedulers import SCHEDULERS, schedulerKinds

#: Every registry that plugins can add to.
REGISTRIES: tuple[Registry[Any], ...] = (SCHEDULERS, CHECKS, PROBES, SOURCES)

#: The modules of Twisted's own plugins, which have none of txlb's kinds.
_OWN = "twisted.plugins.twisted_"

#: A module that can't be imported is reported if its text has one of these names. Others
#: belong to other programs.
_NAMES = (
    b"SchedulerKind",
    b"CheckKind",
    b"ProbeKind",
    b"SourceKind",
    *(registry.interface.__name__.encode() for registry in REGISTRIES),
)


def findPlugins() -> None:
    """
    Register the kinds of all plugins, and look for them again whenever a word is unknown.
    L{txlb.application} calls this once, when it is imported. A balancer that starts reports
    the plugins that are wrong.
    """
    for registry in REGISTRIES:
        registry.findBy(discoverPlugins)
    discoverPlugins()


def discoverPlugins() -> tuple[str, ...]:
    """
    Register the kinds of all plugins, except those that are registered already. A plugin
    that is wrong does not affect the others.

    @return: a line for each that is wrong, with its file, its name and the error.
    """
    modules = getModule(twisted.plugins.__name__).iterModules()
    return tuple(
        line for module in modules if not module.name.startswith(_OWN) for line in _register(module)
    )


def _register(module: PythonModule) -> list[str]:
    path = module.filePath.path
    try:
        objects = dict(vars(module.load()))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the other modules are loaded
        if not _isOurs(module):
            return []
        return [f"plugin {path} can't be imported: {_shown(error)}; correct or remove it"]
    wrong = []
    for name, plugin in objects.items():
        for registry in REGISTRIES:
            try:
                if _provides(registry, plugin) and not registry.has(plugin):
                    registry.register(plugin)
            except ModelError as error:
                wrong.append(f"plugin {path} ({name}): {error}")
            except Exception as error:  # noqa: BLE001 - the other plugins are registered
                wrong.append(f"plugin {path} ({name}) can't be used: {_shown(error)}")
    return wrong


def _provides(registry: Registry[Any], plugin: object) -> bool:
    """
    Return whether an object is a plugin for a registry. Modules of other programs may have
    objects that raise errors if they are asked, such as proxies of something that is not there.
    """
    try:
        return bool(registry.interface.providedBy(plugin))
    except Exception:  # noqa: BLE001 - it is no plugin
        return False


def _shown(error: BaseException) -> str:
    """
    Return an error as text of one line.
    """
    return " ".join(f"{type(error).__name__}: {error}".split())


def _isOurs(module: PythonModule) -> bool:
    """
    Return whether a module that can't be imported is meant for txlb.
    """
    try:
        source = module.filePath.getContent()
    except OSError:
        return False
    return any(name in source for name in _NAMES)


def listSchedulers() -> tuple[list[dict[str, object]], tuple[str, ...]]:
    """
    Return all schedulers as plain data, those of plugins included, and a line for each
    plugin that is wrong.
    """
    wrong = discoverPlugins()
    return [kind.asDict() for kind in schedulerKinds()], wrong
