"""
A response that is the claim on its host.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IProtocol
from twisted.python.components import proxyForInterface
from twisted.web.iweb import IResponse

from txlb.endpoints import PoolUpkeep
from txlb.pool import Lease, Outcome
from txlb.web._leasedbody import LeasedBody


class LeasedResponse(proxyForInterface(IResponse)):  # type: ignore[misc] # made at run time
    """
    A response whose host counts as busy until the body was read or lost.

    @param ending: the outcome of a body that is complete.
    @param upkeep: returns the upkeep of the pool, for one user more.

    @ivar host: the name of the host that answered.
    """

    def __init__(
        self,
        original: IResponse,
        lease: Lease,
        ending: Outcome,
        upkeep: Callable[[], PoolUpkeep],
    ) -> None:
        super().__init__(original)
        self._lease = lease
        self._ending = ending
        self._upkeep = upkeep
        self.host = lease.host.name
        if original.length == 0:
            # The caller need not ask for an empty body.
            lease.release(ending)

    def deliverBody(self, protocol: IProtocol) -> None:
        """
        Deliver the body, and release the lease at its end.
        """
        if self._lease.outcome is None:
            protocol = LeasedBody(protocol, self._lease, self._ending, self._upkeep())
        self.original.deliverBody(protocol)
