"""
One address on which a service is offered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.logger import Logger

from txlb.model import Address, InheritedAddress, ListenAddress, Listener, TCPAddress
from txlb.proxy import AnyListener

if TYPE_CHECKING:
    from txlb.application.service import LoadBalancedService

# The events of listeners are the service's, whichever file they come from.
_log = Logger(namespace="txlb.application.service")


class ProxyListener(Service):
    """
    One address on which a service is offered. Owned by its balancer.

    @ivar serviceName: the name of the service.
    @ivar index: which of the service's listeners it is, from 0.
    """

    def __init__(self, balancer: LoadBalancedService, serviceName: str, index: int) -> None:
        self.serviceName = serviceName
        self.index = index
        self._balancer = balancer
        self._listener: AnyListener | None = None

    @property
    def configured(self) -> Listener:
        """
        The listener as the manager has it.
        """
        service = self._balancer.manager.getService(self.serviceName)
        return service.listeners[self.index]

    @property
    def configuredAddress(self) -> ListenAddress:
        """
        The address as the manager has it.
        """
        return self.configured.address

    @property
    def addresses(self) -> tuple[Address, ...]:
        """
        Where it really listens: with the ports that the system chose, and both
        kinds of address where it listens on every interface; empty where it
        does not listen.
        """
        return () if self._listener is None else tuple(self._listener.addresses)

    def bind(self) -> None:
        """
        Listen, without accepting yet; does nothing where it does.

        @raise ListenError: the address can't be had.
        """
        if self._listener is None:
            engine = self._balancer.engine
            self._listener = engine.listen(self.serviceName, self.configured)

    def unbind(self) -> None:
        """
        Listen no more.
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
        _log.info(
            "{listener} listens on {addresses}",
            listener=self.name,
            addresses=", ".join(map(str, self.addresses)),
        )
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
        Begin or cease to accept clients, as the service's readiness says.
        """
        if self._listener is None:
            return
        if self.isAccepting:
            self._listener.start()
        else:
            self._listener.pause()

    def become(
        self, serviceName: str, index: int, name: str, listener: AnyListener | None
    ) -> AnyListener | None:
        """
        Offer this from now on, by this name, where the listener listens.

        @param listener: L{None} where nobody listens yet.
        @return: what is to be closed, as it is not used any more.
        """
        old, self._listener = self._listener, listener
        self.serviceName, self.index, self.name = serviceName, index, name
        if self.running and listener is not old:
            self._offer()
        return None if old is listener else old

    def release(self) -> AnyListener | None:
        """
        Give away what listens, be it to another, or to be closed.
        """
        listener, self._listener = self._listener, None
        return listener

    @property
    def listener(self) -> AnyListener | None:
        """
        What listens; L{None} where nobody does.
        """
        return self._listener

    def stopService(self) -> None:
        """
        Take those who wait in the backlog, and listen no more.
        """
        super().stopService()
        self.unbind()

    def moveTo(self, address: ListenAddress) -> tuple[Address, ...]:
        """
        Listen elsewhere. See L{LoadBalancedService.switchPort}.

        @raise ListenError: it can't be had. Then nothing has changed.
        """
        self._balancer.manager.refuseIfUnderWay()
        engine, before = self._balancer.engine, self.configured
        new = engine.listen(self.serviceName, replace(before, address=address))
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
            # Who waits at one that was inherited would wait for nobody.
            old.drain()
            old.close()
        return self.addresses
