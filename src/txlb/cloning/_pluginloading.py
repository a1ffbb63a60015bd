"""
Plugins that a manager looks for when it needs them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from threading import Thread
from typing import Any

from twisted.plugin import getPlugins


class PluginLoading:
    """
    Finds the plugin that provides an interface, and imports the modules that it needs, in a
    thread, so that connections are granted meanwhile: some take more than 50 ms. The
    interpreter lets the thread of the reactor go on every 5 ms.

    @param interface: has an attribute C{modules}, the names of the modules.
    @param reactor: waits for the thread.
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
        self._isOver = False

    def start(self) -> None:
        """
        Begin in the next turn.
        """
        self._call = self._reactor.callLater(0.0, self._turn, self._find)

    def cancel(self) -> None:
        """
        Go no further. Nothing is called any more.
        """
        self._isOver = True
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
        for module in self._modules:
            if module not in sys.modules:
                Thread(target=self._import, args=(module,), daemon=True).start()
                return
        self._loaded(self._plugin)

    def _import(self, module: str) -> None:
        """
        Import a module, in the thread.
        """
        problem: Exception | None = None
        try:
            import_module(module)
        except Exception as error:  # noqa: BLE001 - a plugin wrote it, and the application goes on
            problem = error
        self._reactor.callFromThread(self._imported, problem)

    def _imported(self, problem: Exception | None) -> None:
        if not self._isOver:
            self._turn(partial(self._goOn, problem))

    def _goOn(self, problem: Exception | None) -> None:
        if problem is not None:
            raise problem
        self._load()
