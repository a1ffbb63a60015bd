"""
Other services in the place of those that run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, succeed

from txlb.application._arrange import Arrangement
from txlb.errors import ChangeStopped
from txlb.manager import Applying, wantedServices
from txlb.model import HealthCheck, HostMapper, ProxyService, checkingPlaces
from txlb.pool import Event
from txlb.tls import settingsOf as tlsSettingsOf

if TYPE_CHECKING:
    from txlb.application._engine import Engine
    from txlb.application._listener import ProxyListener


class Applier:
    """
    Makes other services those that run: listeners, manager and engine, at once or in slices. Owned
    by the balancer.

    @param balancer: the L{txlb.application.service.LoadBalancedService}.
    @param engine: returns the parts of the run; L{None} before the balancer has started.
    @param listeners: yields the listeners that there are.
    """

    def __init__(
        self,
        balancer: Any,
        engine: Callable[[], Engine | None],
        listeners: Callable[[], Iterator[ProxyListener]],
    ) -> None:
        self._balancer = balancer
        self._engine = engine
        self._listeners = listeners
        self._applying: Applying | None = None
        self._change: Deferred[Any] = succeed(None)

    def apply(self, services: Iterable[HostMapper | ProxyService]) -> tuple[Event, ...]:
        """
        Make these the services at once; see C{LoadBalancedService.apply}.
        """
        balancer, engine = self._balancer, self._engine()
        balancer.manager.refuseIfUnderWay()
        wanted = wantedServices(services)
        _exhaust(self._verifying(wanted))
        arrangement = Arrangement(balancer, list(self._listeners()), wanted)
        try:
            if engine is not None:
                _exhaust(arrangement.opening(engine))
            events: tuple[Event, ...] = balancer.manager.apply(wanted)
        except BaseException:
            arrangement.undo()
            raise
        if engine is not None:
            engine.configure()
        _exhaust(arrangement.settling(engine))
        if engine is not None:
            engine.readiness.update()
        balancer.certificates.follow()
        return events

    def applyInSlices(
        self, services: Iterable[HostMapper | ProxyService]
    ) -> Deferred[tuple[Event, ...]]:
        """
        Make these the services in slices; see C{LoadBalancedService.applyInSlices}.
        """
        change = self._change = Deferred.fromCoroutine(self._applyInSlices(services))
        return change

    async def _applyInSlices(
        self, services: Iterable[HostMapper | ProxyService]
    ) -> tuple[Event, ...]:
        balancer, services = self._balancer, tuple(services)
        await balancer.cluster.share(services)
        with balancer.slices.working():
            applying = self._applying = balancer.manager.applying(services)
            try:
                await self._applied(applying)
            except CancelledError:
                raise ChangeStopped("the balancer was stopped while it was changed") from None
            finally:
                applying.stop()
                self._applying = None
        balancer.certificates.follow()
        return tuple(applying.events)

    async def _applied(self, applying: Applying) -> None:
        """
        Do a change in slices. All that can fail is done before the first of them.
        """
        balancer, engine = self._balancer, self._engine()
        slices, run = balancer.slices, balancer.slices.run
        await slices.rest()
        if any(tlsSettingsOf(applying.wanted)):
            # Reading certificates takes long.
            await slices.inThread(balancer.tls.prepare, applying.wanted)
        await run(self._verifying(applying.wanted))
        arrangement = Arrangement(balancer, list(self._listeners()), applying.wanted)
        try:
            if engine is not None:
                await run(arrangement.opening(engine))
            await run(iter(applying.goOn, False))
            # All services are there now. Listeners go before their services do.
            if engine is not None:
                await run(engine.configuring())
                engine.readiness.update()
                await slices.rest()
            await run(arrangement.settling(engine))
            await run(iter(applying.letGo, False))
            applying.finish()
            if engine is not None:
                engine.configure()
        except BaseException:
            arrangement.undo()
            raise

    def verify(self, services: Iterable[ProxyService]) -> None:
        """
        See that everything that services need can be had; see C{LoadBalancedService.verify}.
        """
        _exhaust(self._verifying(services))

    def _verifying(self, wanted: Iterable[ProxyService]) -> Iterator[None]:
        """
        See step by step that everything that services need can be had. What they have in
        common with the services that run was seen.

        @raise ModelError: something can't be had.
        """
        balancer, engine = self._balancer, self._engine()
        running = balancer.manager.services
        known = {id(check) for check in _checksOf(running.values())}
        for check in _checksOf(wanted):
            if id(check) not in known:
                balancer.health.verified(check)
                yield
        yield from checkingPlaces(wanted)
        if engine is not None:
            changed = [each for each in wanted if running.get(each.name) is not each]
            yield from engine.preparing(changed)
            for each in changed:
                balancer.discovery.verifyAll(each)
                yield

    def stop(self) -> Callable[[], None]:
        """
        Stop a change that is under way, as the balancer stops.

        @return: brings the listeners in line with the services that were made. They are those from
            before the change until then.
        """
        if self._applying is None:
            return _doNothing
        self._change.cancel()
        return self._settle

    def _settle(self) -> None:
        services = self._balancer.manager.services.values()
        arrangement = Arrangement(self._balancer, list(self._listeners()), services)
        _exhaust(arrangement.settling(None))


def _doNothing() -> None:
    """
    Do nothing.
    """


def _exhaust(steps: Iterable[object]) -> None:
    """
    Do all steps at once.
    """
    for _ in steps:
        pass


def _checksOf(services: Iterable[ProxyService]) -> Iterator[HealthCheck]:
    for service in services:
        for group in service.groups:
            for check in (group.check, *(host.check for host in group.hosts)):
                if check is not None:
                    yield check
