"""
Reading the services that a program wants.
"""

from __future__ import annotations

from collections.abc import Iterable

from txlb.errors import DuplicateName, ModelError
from txlb.model import HostMapper, ProxyService, convertMapperToModel, shown


def wantedServices(services: Iterable[HostMapper | ProxyService]) -> tuple[ProxyService, ...]:
    """
    Check the services that a program wants, and return them as models.

    @param services: L{HostMapper}s or L{ProxyService}s, not both.
    @raise ModelError: a service breaks a rule.
    """
    things: object = services
    if isinstance(things, (str, bytes)):
        raise ModelError(
            f"{shown(things)} is no list of HostMappers or ProxyServices; those of a configuration "
            "file are loadConfiguration(path).services, of txlb.config"
        )
    if not isinstance(things, Iterable):
        raise ModelError(f"{shown(things)} is no list of HostMappers or of ProxyServices")
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
    if not models:
        raise ModelError("there is no service; a balancer needs at least one")
    names: set[str] = set()
    for service in models:
        if service.name in names:
            raise DuplicateName(f"there are two services {service.name!r}; each needs its own name")
        names.add(service.name)
    return tuple(models)
