"""
The effect of a reload, computed without doing it.

Everything here is pure, and may be called in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from txlb.application._drift import Drift
from txlb.config import Configuration, loadConfiguration
from txlb.errors import ConfigurationConflict, ModelError, Remedy, firstLines
from txlb.model import (
    Plan,
    ProxyService,
    changesBetween,
    keptWhereEqual,
    mergeServices,
    ownedByPeople,
    withFound,
)

_SERVICES = frozenset({"service", "listener", "group", "host"})

_NOTHING_DONE = "nothing was done"

_DECIDE = (
    Remedy("let the file count alone", "reload", "discard"),
    Remedy("let what was changed live count alone", "save", "overwrite"),
)


@dataclass(frozen=True, slots=True)
class Ahead:
    """
    The effect of loading a configuration.

    @ivar loaded: the configuration. Its services are the very values that run if they
        are equal.
    @ivar services: the services that would run, with live changes and the hosts that
        sources have found.
    @ivar plan: the changes.
    """

    loaded: Configuration
    services: tuple[ProxyService, ...]
    plan: Plan


def lookAhead(
    loaded: Configuration,
    running: Sequence[ProxyService],
    new: Configuration,
    discard: bool,
) -> Ahead:
    """
    Compute the effect of loading a configuration.

    @param loaded: the configuration that was loaded before.
    @param running: the services that run.
    @param new: the configuration to load.
    @param discard: whether live changes that are not in it are undone.
    @raise ConfigurationConflict: it contradicts live changes.
    """
    kept = replace(new, services=keptWhereEqual(running, new.services))
    if discard:
        services = withFound(kept.services, running)
    else:
        services = _merged(loaded, running, kept)
    found = changesBetween(running, services).changes
    beside = [each for each in loaded.planTo(kept).changes if each.thing not in _SERVICES]
    return Ahead(kept, services, Plan((*found, *beside)))


def driftOf(path: str, loaded: Configuration, running: Sequence[ProxyService]) -> Drift:
    """
    Compare a file as it is now, and the running services, with the file as it was
    loaded.

    @raise ConfigurationError: the file has an error.
    """
    new = loadConfiguration(path)
    peoples = ownedByPeople(running)
    live, found = changesBetween(loaded.services, peoples), changesBetween(peoples, running)
    return Drift(loaded.planTo(new), live, found)


def _merged(
    loaded: Configuration, running: Sequence[ProxyService], new: Configuration
) -> tuple[ProxyService, ...]:
    try:
        merged = mergeServices(loaded.services, running, new.services)
    except ModelError as error:
        lines = [f"what was changed live and {new.path} contradict each other: {error}"]
        raise ConfigurationConflict([*lines, _NOTHING_DONE], _DECIDE) from None
    if merged.conflicts:
        lines = firstLines([f"  {conflict}" for conflict in merged.conflicts], "  ")
        raise ConfigurationConflict(
            [
                f"what was changed live and {new.path} contradict each other:",
                *lines,
                _NOTHING_DONE,
            ],
            _DECIDE,
        )
    return merged.services
