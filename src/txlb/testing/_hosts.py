"""
Fake hosts, for tests of policies.
"""

from __future__ import annotations

from zope.interface import implementer

from txlb.interfaces import IHost


@implementer(IHost)
class FakeHost:
    """
    A host whose every attribute can be set, for passing to a scheduler in place of a
    pool's own. After setting an attribute, a test calls the scheduler's C{hostChanged},
    as a pool would.

    @ivar key: the names of service, group and host.
    @ivar weight: the configured weight, 0 to 65535.
    @ivar effectiveWeight: the weight to schedule by; at first the configured one.
    @ivar active: connections that are open now.
    @ivar maxConnections: the most connections that it takes; L{None} for no limit.
    @ivar connectTime: seconds that the last connect took; L{None} before one.
    @ivar order: its place in the configuration; among equals the order of their making.
    """

    def __init__(
        self,
        name: str = "host",
        weight: int = 1,
        *,
        service: str = "service",
        group: str = "group",
        active: int = 0,
        maxConnections: int | None = None,
        connectTime: float | None = None,
        order: int = 0,
    ) -> None:
        self.key = (service, group, name)
        self.weight = weight
        self.effectiveWeight = float(weight)
        self.active = active
        self.maxConnections = maxConnections
        self.connectTime = connectTime
        self.order = order

    @property
    def name(self) -> str:
        """
        Its name in its group.
        """
        return self.key[2]

    def __repr__(self) -> str:
        return (
            f"<FakeHost {'/'.join(self.key)} weight={self.effectiveWeight:g} active={self.active}>"
        )
