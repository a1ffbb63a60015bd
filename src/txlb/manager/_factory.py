"""
Build a manager from services.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from random import Random as RandomSource

from txlb.errors import ModelError
from txlb.manager._manager import ProxyManager
from txlb.manager._wanted import wantedServices
from txlb.model import HostMapper, ProxyService, checkClock, shown


def proxyManagerFactory(
    services: Iterable[HostMapper | ProxyService],
    *,
    seconds: Callable[[], float] = time.monotonic,
    random: RandomSource | None = None,
) -> ProxyManager:
    """
    Make a manager.

    @param services: L{HostMapper}s or L{ProxyService}s, not both.
    @param seconds: a monotonic clock.
    @param random: the source of chance for the schedulers.
    @raise ModelError: a service breaks a rule.
    """
    checkClock(seconds)
    if not (random is None or isinstance(random, RandomSource)):
        raise ModelError(f"random is {shown(random)}; it is a random.Random or None")
    return ProxyManager(wantedServices(services), seconds=seconds, random=random)
