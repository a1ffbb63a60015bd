"""
Whether a balancer serves clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IKeptState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from txlb.application._listener import ProxyListener
    from txlb.application._runs import Runs

#: Why nothing is served.
STOPPED = "the balancer has stopped or is stopping"
TAKEN_OUT = "an administrator has taken it out; txlb set health ok brings it back"


@implementer(IKeptState)
class Serving:
    """
    Tells whether the balancer serves clients, for a program that gives it an address or takes
    the address away, such as keepalived. Owned by the balancer. A successor takes over whether
    an administrator has taken the balancer out.

    @param isRunning: tells whether the balancer has started and not begun to stop.
    @param whyNotLeader: tells why the balancer does not lead its cluster; empty if it does.
    @param listeners: returns its listeners.
    @ivar isTakenOut: whether an administrator has taken the balancer out. Clients that come are
        served all the same.
    """

    name = "serving"

    def __init__(
        self,
        balancer: Runs,
        isRunning: Callable[[], bool],
        whyNotLeader: Callable[[], str],
        listeners: Callable[[], Iterable[ProxyListener]],
    ) -> None:
        self._balancer = balancer
        self._isRunning = isRunning
        self._whyNotLeader = whyNotLeader
        self._listeners = listeners
        self.isTakenOut = False

    def whyNot(
        self, serviceName: str = "", *, hosts: bool = False, leader: bool = False
    ) -> list[str]:
        """
        Tell why clients are not served. They are if all listeners accept.

        @param serviceName: only this service; by default all.
        @param hosts: whether at least one host has to be up of the group that gets the clients.
        @param leader: whether the balancer has to be the leader of its cluster.
        @return: the reasons; none if clients are served.
        @raise UnknownName: there is no such service.
        """
        balancer = self._balancer
        manager = balancer.manager
        if serviceName:
            manager.getService(serviceName)
        if not self._isRunning():
            return [STOPPED]
        reasons = [TAKEN_OUT] if self.isTakenOut else []
        reasons += [
            f"{listener.name} does not listen"
            for listener in self._listeners()
            if serviceName in {"", listener.serviceName} and not listener.addresses
        ]
        for name in (serviceName,) if serviceName else tuple(manager.services):
            if why := balancer.engine.readiness.whyNot(name):
                reasons.append(f"{name} accepts no clients: {why}")
            if hosts and (why := manager.getPool(name).whyNoHost):
                reasons.append(why)
        if leader and (why := self._whyNotLeader()):
            reasons.append(why)
        return reasons

    # For another process

    def state(self) -> object:
        return {"isTakenOut": self.isTakenOut}

    def restore(self, state: object) -> None:
        self.isTakenOut = Facts(state, self.name).flag("isTakenOut")
