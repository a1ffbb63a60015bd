"""
The time in which a policy gets its hosts beside the one that is in use.
"""

from __future__ import annotations

from collections.abc import Iterable

from txlb.interfaces import IHost, IScheduler
from txlb.schedulers import Key


class Handover:
    """
    Two policies that are told of every change of a host: the present one, which chooses,
    and one that is to come. Owned by the rotation, which tells this object instead of the
    present policy.

    The hosts that are held already come to the second policy one by one, by L{give}. If it
    raises it is told nothing more, and L{error} has the exception.

    @ivar present: the policy that chooses. If it is replaced the rotation sets this.
    @ivar coming: the policy that is to come.
    @ivar error: what C{coming} raised; L{None} if it did not.
    """

    def __init__(self, present: IScheduler, coming: IScheduler) -> None:
        self.present = present
        self.coming = coming
        self.error: Exception | None = None
        self._given: dict[Key, IHost] = {}

    def give(self, hosts: Iterable[IHost]) -> None:
        """
        Give hosts that are held to the policy that is to come. Those that it has already are
        left out.
        """
        if self.error is None:
            given, add = self._given, self.coming.hostAdded
            try:
                for host in hosts:
                    if host.key not in given:
                        add(host)
                        given[host.key] = host
            except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                self.error = error

    def hostAdded(self, host: IHost) -> None:
        """
        Tell both of a host that is held from now on.
        """
        self.give((host,))
        self.present.hostAdded(host)

    def hostRemoved(self, host: IHost) -> None:
        """
        Tell both of a host that is held no more.
        """
        if self._given.pop(host.key, None) is not None and self.error is None:
            try:
                self.coming.hostRemoved(host)
            except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                self.error = error
        self.present.hostRemoved(host)

    def hostChanged(self, host: IHost) -> None:
        """
        Tell both of a held host that has changed.
        """
        if host.key in self._given and self.error is None:
            try:
                self.coming.hostChanged(host)
            except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                self.error = error
        self.present.hostChanged(host)
