"""
One listening address, and the services that share it.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from txlb.model import Address, Listener
from txlb.proxy._entrance import Entrance
from txlb.proxy._frontend import Frontend
from txlb.proxy._reactorlistener import ReactorListener
from txlb.proxy._socketlistener import SocketListener


class SharedListener:
    """
    The listener of an address at which one service listens, or several share the clients by
    the names of servers. It has the socket. Each service has a L{ListenerShare} of it.

    @param listener: listens at the address.

    @ivar shares: the shares that are not closed.
    """

    def __init__(self, listener: SocketListener | ReactorListener) -> None:
        self.listener = listener
        self.shares: list[ListenerShare] = []

    def share(self, configured: Listener) -> ListenerShare:
        """
        Make a share for a service. It gets no connection before L{ListenerShare.giveTo}.

        @param configured: the listener as the service has it.
        """
        share = ListenerShare(self, configured)
        self.shares.append(share)
        return share

    def arrange(self) -> None:
        """
        Let the connections come to the services that have a share now, without those that
        go; but if all go the clients in the backlog are still theirs.
        """
        given = [share for share in self.shares if share.frontend is not None]
        given = [share for share in given if not share.goes] or given
        if not given:
            return
        first = given[0]
        assert first.frontend is not None  # noqa: S101 - they were chosen by this
        accepted = first.frontend.accepted
        if len(given) > 1 or first.configured.hasPreface:
            # The service that comes first has the prefaces read, and counts those that fail.
            listeners = {
                share.frontend.serviceName: share.configured
                for share in given
                if share.frontend is not None
            }
            accepted = partial(first.frontend.acceptedAt, Entrance(listeners))
        self.listener.handTo(first.watcher, accepted, first.configured)

    def acceptOrNot(self) -> None:
        """
        Accept if one of the services accepts.
        """
        if any(share.isStarted for share in self.shares):
            self.listener.start()
        else:
            self.listener.pause()

    def closed(self, share: ListenerShare) -> None:
        """
        Take note that a share is closed. The address is free when the last one is.
        """
        self.shares.remove(share)
        if not self.shares:
            self.listener.close()
        elif not all(each.goes for each in self.shares):
            self.arrange()
            self.acceptOrNot()

    def going(self) -> None:
        """
        Take note that a share goes. If all go no new client gets into the backlog.
        """
        self.arrange()
        if all(each.goes for each in self.shares):
            self.listener.turnAway()


class ListenerShare:
    """
    The share that one service has of a listener. Owned by its
    L{txlb.application.service.ProxyListener}.

    @ivar configured: the listener as the service has it now.
    @ivar frontend: gets the connections; L{None} before L{giveTo}.
    @ivar watcher: watches the socket.
    @ivar isStarted: whether the service accepts clients.
    @ivar goes: whether L{close} comes next.
    """

    def __init__(self, shared: SharedListener, configured: Listener) -> None:
        self.shared = shared
        self.configured = configured
        self.frontend: Frontend | None = None
        self.watcher: Any = None
        self.isStarted = self.goes = False
        self._isOpen = True

    @property
    def addresses(self) -> list[Address]:
        """
        The addresses at which it listens, with the ports that the system chose.
        """
        return self.shared.listener.addresses

    @property
    def hasFile(self) -> bool:
        """
        Whether a UNIX socket of it is a file. One of a reactor's in memory is none.
        """
        return not isinstance(self.shared.listener, ReactorListener)

    def giveTo(self, frontend: Frontend, watcher: Any, configured: Listener) -> None:
        """
        Give the connections to a service from now on.

        @param watcher: watches the socket from now on.
        @param configured: the listener as the service has it.
        """
        self.frontend, self.watcher, self.configured = frontend, watcher, configured
        self.shared.arrange()

    def start(self) -> None:
        """
        Accept from now on.
        """
        self.isStarted = True
        self.shared.acceptOrNot()

    def pause(self) -> None:
        """
        Accept no connection until L{start}, unless another service accepts here.
        """
        self.isStarted = False
        self.shared.acceptOrNot()

    @property
    def sockets(self) -> list[socket.socket]:
        """
        The listening sockets, which stay the listener's; none if the reactor has them.
        """
        listener = self.shared.listener
        return listener.sockets if isinstance(listener, SocketListener) else []

    def letGo(self) -> None:
        """
        Take no more connections here, as another process does. See L{SocketListener.letGo}.
        """
        if self._isOpen and isinstance(self.shared.listener, SocketListener):
            self._isOpen = False
            self.shared.listener.letGo()

    def own(self) -> None:
        """
        Take note that this process serves here. See L{SocketListener.own}.
        """
        if isinstance(self.shared.listener, SocketListener):
            self.shared.listener.own()

    def drain(self) -> None:
        """
        Accept the connections that are in the backlog now.
        """
        self.shared.listener.drain()

    def turnAway(self) -> None:
        """
        Let no new client come from now on, as L{close} comes next. If all that share the
        listener go, see L{txlb.proxy.SocketListener.turnAway}.
        """
        if not self.goes:
            self.goes = True
            self.shared.going()

    def close(self) -> None:
        """
        Take no more connections. The address is free if no other service has a share.
        """
        if self._isOpen:
            self._isOpen = False
            self.shared.closed(self)
