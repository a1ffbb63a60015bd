"""
One host that a probe asks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline, Deadlines
from txlb.interfaces import IResourceProbe
from txlb.model import Address, ResourceProbe, TCPAddress
from txlb.pool import Host, HostPool
from txlb.resources._connecting import ProbeFailed
from txlb.resources._target import ProbeTarget

_log = Logger()


class ProbeOwner(Protocol):
    """
    The owner of the hosts that are asked: a L{txlb.resources.ResourceMonitor}.

    @ivar deadlines: has the times of probes.
    @ivar semaphore: bounds the probes under way.
    """

    deadlines: Deadlines
    semaphore: DeferredSemaphore

    def stretch(self) -> float:
        """
        Return a random factor for an interval.
        """


class ProbedHost:
    """
    One host that is asked. Owned by the monitor.

    @param monitor: has the deadlines, and the bound on probes under way.
    @param pool: the host's pool.
    @param host: the host.
    @param probe: asks the host.
    @param settings: the configured probe.
    """

    def __init__(
        self,
        monitor: ProbeOwner,
        pool: HostPool,
        host: Host,
        probe: IResourceProbe,
        settings: ResourceProbe,
    ) -> None:
        self.settings = settings
        self._monitor = monitor
        self._pool = pool
        self._host = host
        self._probe = probe
        self._next: Deadline | None = None
        self._patience: Deadline | None = None
        self._asking: Deferred[Any] | None = None
        self._began = 0.0
        self._stopped = False
        self._timedOut = False
        # The last error, as text. Only the first one in a row is logged.
        self._trouble = ""

    def isOf(self, pool: HostPool) -> bool:
        """
        Return whether this is a host of a pool.
        """
        return pool is self._pool

    def later(self, seconds: float) -> None:
        """
        Ask in so many seconds.
        """
        self._next = self._monitor.deadlines.after(seconds, self._ask)

    def stop(self) -> None:
        """
        Ask no more.
        """
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
        if self._asking is not None:
            self._asking.cancel()

    def _ask(self) -> None:
        self._began = self._monitor.deadlines.seconds()
        self._asking = self._monitor.semaphore.run(self._start)
        self._asking.addCallback(self._answered)
        self._asking.addErrback(self._failed)
        self._asking.addErrback(lambda reason: _log.failure("a probe went wrong", reason))
        self._asking.addCallback(self._again)

    def _start(self) -> Deferred[float | None]:
        if self._stopped:
            raise ProbeFailed("the host is not asked any more")
        address, *others = addressesOf(self._host, self.settings.port)
        weight = max(self._host.weight, 1)
        timeout = self.settings.patience
        self._timedOut = False
        # An address that was reached at the probe's own port may not accept clients.
        reached = self._reached if self.settings.port is None else None
        asked = self._probe.probe(
            ProbeTarget(self._host.key, address, weight, timeout, tuple(others), reached)
        )
        patience = self._monitor.deadlines.patience(timeout, lambda: self._late(asked))

        def over(result: Any) -> Any:
            patience.cancel()
            return result

        return asked.addBoth(over)

    def _reached(self, address: Address) -> None:
        if not self._stopped:
            self._pool.reportReached(self._host.name, address)

    def _late(self, asked: Deferred[float | None]) -> None:
        self._timedOut = True
        asked.cancel()

    def _answered(self, available: float | None) -> None:
        if self._stopped:
            return
        if available is None:
            raise ProbeFailed("the answer does not say what is left")
        self._pool.reportLoad(self._host.name, available)
        if self._trouble:
            self._trouble = ""
            _log.info("{host} says again what it has left", host="/".join(self._host.key))

    def _failed(self, reason: Failure) -> None:
        if self._stopped:
            return
        if self._timedOut:
            trouble = f"no answer in {self.settings.patience:g} s"
        elif reason.check(ProbeFailed, OSError) or _isOfConnecting(reason):
            trouble = reason.getErrorMessage()
        else:
            _log.failure("the probe of {host} is broken", reason, host="/".join(self._host.key))
            trouble = "the probe is broken"
        if not self._trouble:
            _log.warn(
                "{host} does not say what it has left: {trouble}",
                host="/".join(self._host.key),
                trouble=trouble,
            )
        self._trouble = trouble

    def _again(self, ignored: object) -> None:
        self._asking = None
        if not self._stopped:
            due = self._began + self.settings.interval * self._monitor.stretch()
            self.later(max(due - self._monitor.deadlines.seconds(), 0.0))


def addressesOf(host: Host, port: int | None) -> tuple[Address, ...]:
    """
    Return the addresses at which a host is asked, the preferred one first. With a port of its
    own, a probe asks a host on a UNIX socket at 127.0.0.1.

    @param port: the probe's own port; L{None} for the host's own addresses.
    @raise ProbeFailed: the host's name has no address yet.
    """
    if not host.addresses:
        raise ProbeFailed(f"{host.configured.ipOrHost} has no address yet")
    addresses = host.addressesFrom(host.address)
    if port is None:
        return addresses
    return tuple(
        replace(each, port=port) if isinstance(each, TCPAddress) else TCPAddress("127.0.0.1", port)
        for each in addresses
    )


def _isOfConnecting(reason: Failure) -> bool:
    module: str = type(reason.value).__module__
    return module.startswith(("twisted.internet", "twisted.web"))
