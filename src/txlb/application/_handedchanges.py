"""
The live changes that are not saved, for the process that takes over: an upgrade keeps what
C{reload} keeps.

Everything here is pure, and may be called in a thread.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from txlb._facts import Facts
from txlb.application._ahead import lookAhead
from txlb.config import Configuration, parseConfiguration
from txlb.errors import ConfigurationError, ModelError, StateError, TxlbError
from txlb.model import ProxyHost, ProxyService, ownedByPeople


def handedChanges(loaded: Configuration, running: Sequence[ProxyService]) -> dict[str, object]:
    """
    Return the changes since a file was loaded, as plain values: the file as it was then, and as it
    would be saved now, and the hosts that sources have found. It is empty if nothing was changed.

    @param loaded: the file as it was loaded or saved last.
    @param running: the services that run.
    @raise TxlbError: a file can't say what was changed, such as a check that is a function.
    """
    peoples = ownedByPeople(running)
    found = list(_foundIn(running))
    if peoples == loaded.services and not found:
        return {}
    try:
        saved = loaded.render(peoples)
    except ConfigurationError as error:
        raise TxlbError(
            f"what was changed live can't be handed over, as a file can't say it: {error}; change "
            "that back, or start the balancer again instead"
        ) from None
    return {
        "loaded": b64encode(loaded.tostring()).decode("ascii"),
        "running": b64encode(saved).decode("ascii"),
        "found": found,
    }


def withChanges(
    configuration: Configuration, changes: Mapping[str, object]
) -> tuple[ProxyService, ...]:
    """
    Return the services of a file together with the changes that C{handedChanges} of another process
    has returned, as if this file were loaded there.

    @raise txlb.errors.ConfigurationConflict: they contradict each other.
    @raise StateError: the changes can't be right.
    """
    facts = Facts(changes, "the live changes")
    if "loaded" not in facts:
        return configuration.services
    before, mine = (_parsed(facts, key, configuration.path) for key in ("loaded", "running"))
    discovers = {
        (service.name, group.name)
        for service in configuration.services
        for group in service.groups
        if group.discover
    }
    rows = [Facts(row, "a host that was found") for row in facts.items("found")]
    # Without their source they would stay for ever.
    rows = [row for row in rows if (row.text("service"), row.text("group")) in discovers]
    running = [_withFound(service, rows) for service in mine.services]
    return lookAhead(before, running, configuration, discard=False).services


def _parsed(facts: Facts, key: str, path: str) -> Configuration:
    try:
        data = b64decode(str(facts.values.get(key, "")), validate=True)
        return parseConfiguration(data, path, files=False)
    except (NoBase64, ValueError, ConfigurationError) as error:
        raise StateError(f"{key} of {facts.where} is no configuration: {error}") from None


def _foundIn(services: Iterable[ProxyService]) -> Iterable[dict[str, object]]:
    for service in services:
        for group in service.groups:
            for place, host in enumerate(group.hosts):
                # What a source says of checks and TLS it says again.
                if group.discover and host.origin and host.check is None and host.tls is None:
                    yield {
                        "service": service.name,
                        "group": group.name,
                        "place": place,
                        "name": host.name,
                        "address": str(host.address),
                        "weight": host.weight,
                        "maxConnections": host.maxConnections,
                        "state": host.state,
                        "backup": host.backup,
                        "origin": host.origin,
                    }


def _withFound(service: ProxyService, rows: Sequence[Facts]) -> ProxyService:
    groups = []
    for group in service.groups:
        hosts = list(group.hosts)
        names = {host.name for host in hosts}
        for row in rows:
            here = (row.text("service"), row.text("group")) == (service.name, group.name)
            if here and row.text("name") not in names:
                hosts.insert(row.whole("place"), _foundHost(row))
        changed = len(hosts) != len(group.hosts)
        groups.append(replace(group, hosts=tuple(hosts)) if changed else group)
    return replace(service, groups=tuple(groups))


def _foundHost(row: Facts) -> ProxyHost:
    most = None if row.values.get("maxConnections") is None else row.whole("maxConnections", 1, 1)
    try:
        return ProxyHost.at(
            row.text("name"),
            row.text("address"),
            row.whole("weight", 1),
            most,
            state=row.text("state", "ready"),
            backup=row.flag("backup"),
            origin=row.text("origin"),
        )
    except ModelError as error:
        raise StateError(f"a host that was found: {error}") from None
