"""
A pool that becomes another one, by the smallest set of changes.
"""

from __future__ import annotations

import dataclasses

from txlb.model import ProxyGroup, ProxyHost
from txlb.pool._checkpoint import Checkpoint
from txlb.pool._work import Work

#: The settings of a host that it takes as they are where it has an attribute of
#: the same name. Where it is, its weight and its state take more than that.
_HOST_SETTINGS = tuple(
    field.name
    for field in dataclasses.fields(ProxyHost)
    if field.name not in {"name", "ipOrHost", "port", "weight", "state"}
)


class Configurable(Work):
    """
    The changes of a pool as a whole. L{txlb.pool.HostPool} adds the views.
    """

    def configure(self, group: ProxyGroup) -> None:
        """
        Be as a group says from now on, by the smallest set of changes. Hosts
        that stay, by their names, keep their leases, counters and marks; those
        that go get nothing new.

        A policy from elsewhere may raise in it, and then only some of it has
        been done: whoever calls this makes a L{checkpoint} before.
        """
        self.setSettings(group)
        wanted = {host.name: host for host in group.hosts}
        for name in [name for name in self._hosts if name not in wanted]:
            self.removeHost(name)
        # Now the pool has those hosts only that both policies can take.
        if group.scheduler != self.scheduler.name:
            self.setScheduler(group.scheduler)
        for name, configured in wanted.items():
            if name in self._hosts:
                self.changeHost(configured)
            else:
                self.addHost(configured)
        self._arrange(list(wanted))

    def _arrange(self, names: list[str]) -> None:
        """
        Put the hosts in this order.
        """
        self._hosts = {name: self._hosts[name] for name in names}
        orders = [host.order for host in self._hosts.values()]
        if orders == sorted(orders):
            return
        for number, host in enumerate(self._hosts.values(), 1):
            if host.order != number:
                host.order = number
                self._rotation.refresh(host)
        self._added = len(orders)

    def changeHost(self, configured: ProxyHost) -> None:
        """
        The host of this name is configured otherwise from now on. It stays the
        same host, with its leases and counters, also where it has moved: new
        work goes to the new address, and what was known of the old one's health
        is forgotten.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(configured.name)
        before = host.configured
        if configured == before:
            return
        self.setWeight(configured.name, configured.weight)
        self.setState(configured.name, configured.state)
        host.configured = configured
        for name in _HOST_SETTINGS:
            if hasattr(host, name):
                setattr(host, name, getattr(configured, name))
        host.limit()
        if configured.address != before.address:
            host.moved(self.seconds())
        host.standby = host.backup and not self._reserve.used
        self._rotation.refresh(host)
        self._settle(self.seconds())

    def checkpoint(self) -> Checkpoint:
        """
        Remember everything as it is, to go back to it where a change fails half
        way. Only until other work is done: those who wait are not served until
        that, or L{arrived}.
        """
        checkpoint = Checkpoint(
            self, self._rotation, self._weighing, self._reserve, self.hosts, self._made
        )
        self._changing = True
        return checkpoint

    def arrived(self) -> None:
        """
        The change for which there was a L{checkpoint} has been made.
        """
        self._changing = False
        self._settle(self.seconds())
