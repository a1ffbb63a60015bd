"""
Plugins that a manager looks for when it needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from twisted.plugin import getPlugins


class PluginLoading:
    """
    Finds the plugin that provides an interface, and imports the modules that it needs, one in
    each turn of the reactor, so that connections are granted meanwhile.

    @param interface: has an attribute C{modules}, the names of the modules.
    @param reactor: has the turns.
    @param loaded: is called with the plugin when all is there; with L{None} if there is none.
    @param failed: is called while an error is handled: of a plugin, of a module, or of
        C{loaded}.
    """

    def __init__(
        self,
        interface: Any,
        reactor: Any,
        loaded: Callable[[Any], object],
        failed: Callable[[], object],
    ) -> None:
        self._interface = interface
        self._reactor = reactor
        self._loaded = loaded
        self._failed = failed
        self._plugin: Any = None
        self._modules: Iterator[str] = iter(())
        self._call: Any = None

    def start(self) -> None:
        """
        Begin in the next turn.
        """
        self._call = self._reactor.callLater(0.0, self._turn, self._find)

    def cancel(self) -> None:
        """
        Go no further. Nothing is called any more.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _turn(self, step: Callable[[], object]) -> None:
        self._call = None
        try:
            step()
        except Exception:  # noqa: BLE001 - a plugin wrote it, and the application goes on
            self._failed()

    def _find(self) -> None:
        self._plugin = next(iter(getPlugins(self._interface)), None)
        if self._plugin is None:
            self._loaded(None)
        else:
            self._modules = iter(self._plugin.modules)
            self._call = self._reactor.callLater(0.0, self._turn, self._load)

    def _load(self) -> None:
        module = next(self._modules, None)
        if module is None:
            self._loaded(self._plugin)
        else:
            import_module(module)
            self._call = self._reactor.callLater(0.0, self._turn, self._load)
