"""
The control socket as a Twisted service.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from txlb._reactor import pickedReactor
from txlb.admin._doors import joinDoors, socketsAt, whenServing
from txlb.admin._history import History
from txlb.admin._kepthistory import keepHistory
from txlb.admin._log import log
from txlb.admin._target import Target
from txlb.admin.control._clients import Clients
from txlb.admin.control._folder import prepareFolder
from txlb.admin.login import loginsOf
from txlb.deadlines import Deadlines
from txlb.errors import AddressError
from txlb.model import Listener, UNIXAddress, parseListenAddress, shown

if TYPE_CHECKING:
    from txlb.proxy import SocketListener


#: Seconds that clients have to take their answers if another process serves the socket.
PATIENCE = 1.0


def controlService(
    lbs: Any, path: str, *, config: Any = None, reactor: Any = None
) -> ControlService:
    """
    Make a control socket for a balancer.

    @param lbs: the L{txlb.application.LoadBalancedService}.
    @param path: its absolute path. The folder is made if there is none; only this user
        and root may be able to write to it.
    @param config: the L{txlb.config.Configuration} that the balancer was made from;
        L{None} if there is no file.
    @param reactor: by default the global one, from when the service starts.
    @raise AddressError: C{path} can't be a socket's.
    """
    given: object = path
    if not isinstance(given, str):
        raise AddressError(f"{shown(given)} is no path of a control socket; it is a text")
    parseListenAddress(UNIXAddress(path))
    return ControlService(lbs, path, config, reactor)


class ControlService(Service):
    """
    Listens for control clients, see L{controlService}. It can be stopped and started
    again.

    @ivar path: its path.
    @ivar history: the events of the balancer since this first listened.
    """

    def __init__(self, lbs: Any, path: str, config: Any, reactor: Any) -> None:
        self.path = path
        self.history = History()
        self.logins = loginsOf(lbs)
        self._lbs = lbs
        self._config = config
        self._reactor = reactor
        self._deadlines: Deadlines | None = None
        self._listener: SocketListener | None = None
        self._clients: Clients | None = None
        self._unsubscribe: Callable[[], None] | None = None
        keepHistory(lbs, "events-control", self.history)
        joinDoors(lbs, self)
        self._isLeft = False

    @property
    def clientCount(self) -> int:
        """
        The number of clients.
        """
        return 0 if self._clients is None else len(self._clients)

    def bind(self) -> None:
        """
        Listen, without accepting yet. The service does this when it starts, unless it is
        done. The socket of a process that has ended is replaced.

        @raise ListenError: the socket can't be had: another process listens there, the
            folder can be written to by others, or there is another file of that name.
        """
        if self._listener is not None:
            return
        # The manager of an application's clones uses this package, and has no data plane.
        from txlb.proxy import SocketListener  # noqa: PLC0415  (see above)

        prepareFolder(self.path)
        self._reactor = pickedReactor(self._reactor)
        deadlines = Deadlines(self._reactor, time.monotonic)
        target = Target(self._lbs, self._config, self.history, deadlines, logins=self.logins)
        clients = Clients(target, self._reactor, deadlines)
        address = UNIXAddress(self.path)
        self._listener = SocketListener(
            Listener(address),
            self._reactor,
            deadlines,
            clients.accepted,
            socketsAt(self._lbs, address),
        )
        self._deadlines, self._clients = deadlines, clients
        self._unsubscribe = self._lbs.manager.subscribe(self.history)

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise ListenError: see L{bind}.
        """
        self.bind()
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Accept clients.

        @raise ListenError: see L{bind}.
        """
        self.bind()
        super().startService()
        whenServing(self._lbs, self._serve)

    def _serve(self) -> None:
        if self._listener is not None:
            self.logins.start(self._reactor)
            self._listener.own()
            self._listener.start()
            log.info("the control socket is {path}", path=self.path)

    def listening(self) -> tuple[str, Sequence[socket.socket]]:
        """
        Return the address at which it listens, as it is configured, and the sockets.
        """
        sockets = () if self._listener is None else self._listener.sockets
        return str(UNIXAddress(self.path)), sockets

    @property
    def sessions(self) -> int:
        """
        The number of sessions that have to end in this process: none, as clients connect again.
        """
        return 0

    def letGo(self) -> None:
        """
        Accept no client here, as another process does. Clients that are connected stay.
        """
        if self._listener is not None:
            self._isLeft = True
            self._listener.letGo()

    def stopService(self) -> Deferred[None]:
        """
        Listen no more, and drop every client.

        @return: fires with L{None} when all are gone. It does not fail.
        """
        started = self.running
        super().stopService()
        listener, self._listener = self._listener, None
        clients, self._clients = self._clients, None
        deadlines, self._deadlines = self._deadlines, None
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if listener is None or clients is None or deadlines is None:
            return succeed(None)
        if started:
            self.logins.stop()
        clients.turnAway()
        listener.close()
        if unsubscribe is not None:
            unsubscribe()
        # The client that has asked for an upgrade gets its answer.
        gone = clients.finish(PATIENCE) if self._isLeft else clients.dropAll()
        return gone.addCallback(lambda _: deadlines.stop())
