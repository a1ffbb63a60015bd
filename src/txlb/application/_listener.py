"""
One listener of a service.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.logger import Logger

from txlb.model import (
    Address,
    InheritedAddress,
    ListenAddress,
    Listener,
    TCPAddress,
    checkSharing,
)
from txlb.proxy import ListenerShare

if TYPE_CHECKING:
    from txlb.application._runs import Runs

# The events of listeners have the namespace of the service, which users know.
_log = Logger(namespace="txlb.application.service")


class ProxyListener(Service):
    """
    One listener of a service. Owned by its balancer.

    @ivar serviceName: the name of the service.
    @ivar index: its index in the service's listeners, from 0.
    """

    def __init__(self, balancer: Runs, serviceName: str, index: int) -> None:
        self.serviceName = serviceName
        self.index = index
        self._balancer = balancer
        self._listener: ListenerShare | None = None

    @property
    def configured(self) -> Listener:
        """
        The configured listener, from the manager.
        """
        service = self._balancer.manager.getService(self.serviceName)
        return service.listeners[self.index]

    @property
    def configuredAddress(self) -> ListenAddress:
        """
        The configured address, from the manager.
        """
        return self.configured.address

    @property
    def addresses(self) -> tuple[Address, ...]:
        """
        The addresses on which it listens, with the ports that the system chose; both
        kinds of address if it listens on every interface; empty if it does not listen.
        """
        return () if self._listener is None else tuple(self._listener.addresses)

    @property
    def whyPassed(self) -> str | None:
        """
        The reason why this process accepts the connections of clones and passes them; empty
        if clones accept them by permits; L{None} if no clones serve here.
        """
        return self._balancer.clones.whyPassed(self.serviceName)

    def bind(self) -> None:
        """
        Listen, without accepting yet. If it listens, do nothing.

        @raise ListenError: it can't listen on the address.
        """
        if self._listener is None:
            engine = self._balancer.engine
            self._listener = engine.listen(self.serviceName, self.configured)

    def unbind(self) -> None:
        """
        Stop listening.
        """
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def startService(self) -> None:
        """
        Accept.
        """
        super().startService()
        self.bind()
        self._offer()

    def _offer(self) -> None:
        """
        Log where it listens, and accept if the service accepts clients.
        """
        if self._listener is not None:
            self._listener.own()
        _log.info(
            "{listener} listens on {addresses}",
            listener=self.name,
            addresses=", ".join(map(str, self.addresses)),
        )
        for risk in self.configured.risks:
            _log.warn("{listener}: {risk}", listener=self.name, risk=risk)
        self.acceptOrNot()

    @property
    def isAccepting(self) -> bool:
        """
        Whether it accepts clients now. Clients that connect while it listens and does not
        accept wait in its backlog.
        """
        if not self.running or self._listener is None:
            return False
        return self._balancer.engine.readiness.accepts(self.serviceName)

    def acceptOrNot(self) -> None:
        """
        Start or stop accepting clients, according to the service's readiness.
        """
        if self._listener is None:
            return
        self._balancer.clones.changed()
        if self.isAccepting:
            self._listener.start()
        else:
            self._listener.pause()

    def become(
        self, serviceName: str, index: int, name: str, listener: ListenerShare | None
    ) -> ListenerShare | None:
        """
        Serve this listener from now on, by this name, at a place that is listened on.

        @param listener: L{None} if the place is not listened on yet.
        @return: the former listener to close, if there is one.
        """
        old, self._listener = self._listener, listener
        self.serviceName, self.index, self.name = serviceName, index, name
        if self.running and listener is not old:
            self._offer()
        return None if old is listener else old

    def letGo(self) -> None:
        """
        Stop listening here, as another process accepts from the same sockets.
        """
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.letGo()

    def release(self) -> ListenerShare | None:
        """
        Give the listening sockets away, to another listener or to be closed.
        """
        listener, self._listener = self._listener, None
        return listener

    @property
    def listener(self) -> ListenerShare | None:
        """
        The listening sockets; L{None} if it does not listen.
        """
        return self._listener

    def stopService(self) -> None:
        """
        Accept the clients in the backlog, and stop listening.
        """
        super().stopService()
        self.unbind()

    def _checkPlace(self, moved: Listener) -> None:
        """
        Check that another service that listens at an address shares it.

        @raise ModelError: it does not.
        """
        if moved.isFixed:
            services = self._balancer.manager.services.values()
            others = [
                (service.name, each)
                for service in services
                for index, each in enumerate(service.listeners)
                if each.place == moved.place and (service.name, index) != self._key
            ]
            checkSharing([*others, (self.serviceName, moved)])

    @property
    def _key(self) -> tuple[str, int]:
        return self.serviceName, self.index

    def moveTo(self, address: ListenAddress) -> tuple[Address, ...]:
        """
        Listen on another address. See L{LoadBalancedService.switchPort}.

        @raise ListenError: it can't listen on the address. Then nothing has changed.
        @raise ModelError: another service has the address and does not share it.
        """
        self._balancer.manager.refuseIfUnderWay()
        engine, before = self._balancer.engine, self.configured
        moved = replace(before, address=address)
        self._checkPlace(moved)
        new = engine.listen(self.serviceName, moved)
        actual = new.addresses[0]
        if isinstance(address, TCPAddress) and isinstance(actual, TCPAddress):
            address = TCPAddress(address.host, actual.port)
        try:
            self._balancer.manager.listenerMoved(self.serviceName, self.index, address)
        except BaseException:
            new.close()
            raise
        # The system may have chosen the port.
        engine.give(new, self.serviceName, self.configured)
        old, self._listener = self._listener, new
        if isinstance(before.address, InheritedAddress):
            _log.warn(
                "{listener} does not accept on {address} any more, but systemd listens there until "
                "its socket unit is stopped",
                listener=self.name,
                address=before.address,
            )
        self.acceptOrNot()
        if old is not None:
            # Clients in the backlog of an inherited socket would wait in vain.
            old.drain()
            old.close()
        return self.addresses
