"""
The hosts of one group as they are now, and who has a claim on them.
"""

from __future__ import annotations

from collections.abc import Iterator

from txlb.pool._configure import Configurable
from txlb.pool._explain import Explainer, Explanation
from txlb.pool._snapshots import GroupSnapshot, HostSnapshot, hostSnapshot
from txlb.schedulers import Key


class HostPool(Configurable):
    """
    The hosts of one group. It is called from one thread and does no I/O; in a
    balancer L{txlb.manager.ProxyManager} owns it, elsewhere whoever made it.

    Membership, what is told of the hosts, and their work are in a class each.

    @param scheduler: the word for a policy, or a policy.
    @param hosts: what to begin with.
    @param service: the name of the service that the group belongs to.
    @param group: the name of the group.
    @param settings: a group whose settings count; by default those that a group
        has where nothing is said.
    @param seconds: a monotonic clock.
    @param random: the source of chance; by default one that the system seeds.
    @param publish: is called with each L{Event} after it has happened.
    @param more: settings of a L{txlb.model.ProxyGroup}, by name.
    @raise ModelError: a setting breaks a rule.
    """

    def explain(
        self, clientAddr: object = None, excluded: frozenset[Key] = frozenset()
    ) -> Explanation:
        """
        Say which host a client would get now, and for each of the others why it
        would not. It changes nothing.

        @param clientAddr: for whom; policies with affinity look at it.
        @param excluded: keys of hosts that will not do.
        """
        hosts = [*self._hosts.values(), *self._leaving.values()]
        explainer = Explainer(self.scheduler, self._rotation.held, excluded)
        return explainer.explain(self.service, self.group, hosts, clientAddr)

    def hostSnapshots(self) -> Iterator[HostSnapshot]:
        """
        How each host stands at the moment at which it is asked for: those that are
        configured, then those that are leaving.
        """
        for host in (*self._hosts.values(), *self._leaving.values()):
            yield hostSnapshot(host, self.seconds())

    def snapshot(self, enabled: bool = True, hosts: bool = True) -> GroupSnapshot:
        """
        How things stand.

        @param enabled: whether the group gets its service's connections.
        @param hosts: whether its hosts are wanted; with thousands of them that takes
            its time.
        """
        return GroupSnapshot(
            self.group,
            self.scheduler.name,
            enabled,
            self.readyCount,
            tuple(self.hostSnapshots()) if hosts else (),
            up=self._rotation.upCount,
            backup=self.settings.backup,
            backupUsed=self._reserve.used,
            allDown=self.settings.whenAllDown if self._reserve.allDown else "",
            waiting=len(self._waiting),
            maxQueue=self.settings.maxQueue,
        )
