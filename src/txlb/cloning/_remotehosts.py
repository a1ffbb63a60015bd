"""
The hosts beside the clones of an application, whose connections its manager relays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from txlb.cloning._listener import SharedListener
from txlb.cloning._manager import CloneManager, remoteHosts
from txlb.cloning._pluginloading import PluginLoading
from txlb.errors import TxlbError
from txlb.interfaces import IHostRelay, IHostRelayPlugin

_log = Logger()


class RemoteHosts:
    """
    Relays the connections of the hosts beside the clones, as long as a process manages. An
    L{IHostRelayPlugin} makes the relay. It is looked for only if there are such hosts:
    otherwise a manager loads nothing for them. Until the relay runs, the clones get all
    connections. A L{CloneGroup} owns it.

    @param manager: chooses the host for each connection.
    @param reactor: runs the relay.
    @ivar isOver: whether no connection is relayed, and none will be.
    """

    def __init__(self, manager: CloneManager, reactor: Any) -> None:
        self.isOver = True
        self._manager = manager
        self._reactor = reactor
        self._relay: IHostRelay | None = None
        self._loading: PluginLoading | None = None
        self._stopping = False

    @property
    def active(self) -> int:
        """
        The connections that are relayed.
        """
        return 0 if self._relay is None else self._relay.connectionCount()

    def start(self) -> None:
        """
        Relay, if there are such hosts. A failure is logged: the clones go on.
        """
        if self._manager.remoteHosts:
            self._loading = PluginLoading(
                IHostRelayPlugin, self._reactor, self._loaded, self._failed
            )
            self._loading.start()

    def _loaded(self, plugin: IHostRelayPlugin | None) -> None:
        self._loading = None
        if plugin is None:
            _log.error("the hosts beside the clones get nothing: no plugin is an IHostRelayPlugin")
            return
        self._relay = relay = plugin.start(self._manager.pools, self._reactor)
        self.isOver = False
        self._manager.relayBy(relay.take)

    def _failed(self) -> None:
        self._loading = None
        problem = sys.exception()
        if isinstance(problem, TxlbError):
            _log.error("the hosts beside the clones get nothing: {problem}", problem=problem)
        else:
            _log.failure("the hosts beside the clones get nothing")

    def stop(self, graceTime: float) -> Deferred[None]:
        """
        Take nothing more. The manager grants nothing any more, or does not relay.

        @param graceTime: seconds after which the connections that are left are reset.
        @return: fires with L{None} when none is left, or at once if it was stopped before. It
            does not fail.
        """
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None
        if self._relay is None or self._stopping:
            return succeed(None)
        self._stopping = True
        return self._relay.stop(graceTime).addCallback(lambda _: self._ended())

    def _ended(self) -> None:
        self.isOver = True


def prepareRelay(listeners: Iterable[SharedListener], reactor: Any) -> None:
    """
    Import what the relay needs, if there are such hosts, in a process that is about to manage.
    """
    if remoteHosts(listeners):
        # An error is told when the process manages.
        PluginLoading(IHostRelayPlugin, reactor, _ignore, _nothing).start()


def _ignore(_plugin: object) -> None:
    pass


def _nothing() -> None:
    pass
