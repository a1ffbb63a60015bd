"""
From what a program has written down to a manager.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from random import Random as RandomSource

from txlb.errors import ModelError
from txlb.manager._manager import ProxyManager
from txlb.model import HostMapper, ProxyService, convertMapperToModel


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
    @raise ModelError: something of it breaks a rule.
    """
    given = list(services)
    mappers = [each for each in given if isinstance(each, HostMapper)]
    models = [each for each in given if isinstance(each, ProxyService)]
    if len(mappers) == len(given):
        models = convertMapperToModel(mappers)
    elif len(models) != len(given):
        raise ModelError(
            "a manager is made of HostMappers or of ProxyServices; this list has "
            + " and ".join(sorted({type(each).__name__ for each in given}))
        )
    return ProxyManager(models, seconds=seconds, random=random)
