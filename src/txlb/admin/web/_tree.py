"""
The services, groups, hosts and listeners of a balancer as resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any

from txlb.admin._access import READONLY
from txlb.admin._arguments import GROUP, HOST, LISTENER, SERVICE, Argument
from txlb.admin._rows import plain, rowOf, servedRow
from txlb.admin.web._call import Call
from txlb.admin.web._commandoperations import API
from txlb.admin.web._operation import Operation
from txlb.admin.web._reply import Reply, encoded
from txlb.admin.web._versions import Key
from txlb.model import ProxyService
from txlb.model.kinds import SecretKind
from txlb.model.settings import settingsOf

_SERVICE = Argument("service", SERVICE, "the name of a service")
_GROUP = Argument("group", GROUP, "the name of one of its groups")
_HOST = Argument("host", HOST, "the name of one of its hosts")
_LISTENER = Argument("listener", LISTENER, "the name of a listener")


def versionOf(call: Call, tagged: str) -> tuple[Key, object, ProxyService | None]:
    """
    Return the resource of a request for its version: its key, its present value, and its
    service.

    @param tagged: see L{Operation}.
    @raise UnknownName: there is no such resource.
    """
    balancer = call.console.target.balancer
    if tagged == "listener":
        name = call.path["listener"]
        addresses = tuple(map(str, balancer.getProxyService(name).addresses))
        return ("listener", name), addresses, None
    manager = balancer.manager
    names = tuple(call.path[each] for each in ("service", "group", "host") if each in call.path)
    service = manager.getService(names[0])
    value: object = service
    if len(names) == 2:
        value = manager.getGroup(*names)
    elif len(names) == 3:
        value = manager.getHost(*names)
    return (tagged, *names), value, service


def tagOf(call: Call, tagged: str) -> str:
    """
    Return the version of the resource of a request.
    """
    return call.console.versions.tag(*versionOf(call, tagged))


def settingsText(value: Any) -> dict[str, object]:
    """
    Return the settings of a value by their names, as a configuration file spells them; those
    that are secrets are left out.
    """
    found: dict[str, object] = {}
    for name, setting in settingsOf(type(value)).items():
        if name != "name" and not isinstance(setting.kind, SecretKind):
            found[name] = plain(getattr(value, name))
    return found


def originsOf(value: Any, inFile: Any) -> dict[str, str]:
    """
    Tell where the settings of a value come from: C{default}, C{file}, or C{live} if the file says
    something else.

    @param inFile: the same thing as the file has it; L{None} if it has none.
    """
    found: dict[str, str] = {}
    shown = settingsText(value)
    for field in fields(value):
        if field.name not in shown:
            continue
        now = getattr(value, field.name)
        if inFile is not None and getattr(inFile, field.name) != now:
            found[field.name] = "live"
        elif now == field.default:
            found[field.name] = "default"
        else:
            found[field.name] = "live" if inFile is None else "file"
    return found


def _described(call: Call, value: Any, *names: str) -> dict[str, object]:
    """
    Return the settings of a service, a group or a host, and where each comes from.
    """
    config = call.console.target.config
    found = None if config is None else _named(config.services, names[0])
    for parts, name in zip(("groups", "hosts"), names[1:], strict=False):
        found = None if found is None else _named(getattr(found, parts), name)
    return {"settings": settingsText(value), "origins": originsOf(value, found)}


def _named(values: Iterable[Any], name: str) -> Any:
    return next((each for each in values if each.name == name), None)


# Pieces of JSON


def _servicePieces(call: Call, name: str) -> Iterator[bytes]:
    manager = call.console.target.balancer.manager
    service = manager.serviceSnapshot(name, hosts=False)
    configured = manager.getService(name)
    pools = [manager.getPool(name, group.name) for group in service.groups]
    described = _described(call, configured, name)
    yield _open(rowOf("service", service, "groups"), "groups", **described)
    for number, (group, pool) in enumerate(zip(service.groups, pools, strict=True)):
        yield b"," if number else b""
        yield from _groupPieces(call, name, group, pool)
    yield b"]}"


def _groupPieces(call: Call, service: str, group: Any, pool: Any) -> Iterator[bytes]:
    described = _described(call, pool.settings, service, group.name)
    yield _open(rowOf("group", group, "hosts"), "hosts", **described)
    for number, host in enumerate(pool.hostSnapshots()):
        yield (b"," if number else b"") + encoded(_bare(rowOf("host", host)))
    yield b"]}"


def _open(row: Any, inner: str, **more: object) -> bytes:
    return encoded({**_bare(row), **more})[:-1] + f',"{inner}":['.encode("ascii")


def _bare(row: Any) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "row"}


def _services(call: Call) -> Reply:
    def pieces() -> Iterator[bytes]:
        before = b'{"services":['
        manager = call.console.target.balancer.manager
        for name in tuple(manager.services):
            if name in manager.services:
                yield before
                yield from _servicePieces(call, name)
                before = b","
        yield b"]}" if before == b"," else before + b"]}"

    return Reply(pieces())


def _service(call: Call) -> Reply:
    tag = tagOf(call, "service")
    return Reply(_servicePieces(call, call.path["service"]), tag=tag)


def _groups(call: Call) -> Reply:
    manager = call.console.target.balancer.manager
    name = call.path["service"]
    snapshot = manager.serviceSnapshot(name, hosts=False)
    pools = [manager.getPool(name, group.name) for group in snapshot.groups]

    def pieces() -> Iterator[bytes]:
        yield b'{"groups":['
        for number, (group, pool) in enumerate(zip(snapshot.groups, pools, strict=True)):
            yield b"," if number else b""
            yield from _groupPieces(call, name, group, pool)
        yield b"]}"

    return Reply(pieces(), tag=tagOf(call, "service"))


def _group(call: Call) -> Reply:
    manager = call.console.target.balancer.manager
    tag = tagOf(call, "group")
    name = call.path["group"]
    service = manager.serviceSnapshot(call.path["service"], hosts=False)
    group = next(each for each in service.groups if each.name == name)
    pool = manager.getPool(call.path["service"], name)
    return Reply(_groupPieces(call, call.path["service"], group, pool), tag=tag)


def _hosts(call: Call) -> Reply:
    pool = call.console.target.balancer.manager.getPool(call.path["service"], call.path["group"])

    def pieces() -> Iterator[bytes]:
        yield b'{"hosts":['
        for number, host in enumerate(pool.hostSnapshots()):
            yield (b"," if number else b"") + encoded(_bare(rowOf("host", host)))
        yield b"]}"

    return Reply(pieces(), tag=tagOf(call, "group"))


def _host(call: Call) -> Reply:
    manager = call.console.target.balancer.manager
    tag = tagOf(call, "host")
    path = call.path
    configured = manager.getHost(path["service"], path["group"], path["host"])
    pool = manager.getPool(path["service"], path["group"])
    row = _bare(rowOf("host", pool.hostSnapshot(path["host"])))
    described = _described(call, configured, path["service"], path["group"], path["host"])
    return Reply((encoded({**row, **described}),), tag=tag)


def _listenerRow(call: Call, name: str) -> dict[str, object]:
    listener = call.console.target.balancer.getProxyService(name)
    return {
        "name": name,
        "service": listener.serviceName,
        "addresses": [str(each) for each in listener.addresses],
        **servedRow(listener.whyPassed),
    }


def _listeners(call: Call) -> Reply:
    names = call.console.target.balancer.getProxyNames()
    return Reply((encoded({"listeners": [_listenerRow(call, name) for name in names]}),))


def _listener(call: Call) -> Reply:
    row = _listenerRow(call, call.path["listener"])
    return Reply((encoded(row),), tag=tagOf(call, "listener"))


def _operation(
    name: str,
    path: str,
    summary: str,
    run: Callable[[Call], Reply],
    places: tuple[Argument, ...],
    tagged: str = "",
) -> Operation:
    answer = name.removeprefix("get")
    return Operation(
        name, "GET", API + path, READONLY, summary, run, places=places, answer=answer, tagged=tagged
    )


_S = "/services/{service}"
_G = f"{_S}/groups/{{group}}"
_PATH = (_SERVICE, _GROUP, _HOST)

#: The resources of the tree.
TREE = (
    _operation("getServices", "/services", "List the services with all inside", _services, ()),
    _operation("getService", _S, "Show a service", _service, _PATH[:1], "service"),
    _operation(
        "getGroups", f"{_S}/groups", "List the groups of a service", _groups, _PATH[:1], "service"
    ),
    _operation("getGroup", _G, "Show a group", _group, _PATH[:2], "group"),
    _operation("getHosts", f"{_G}/hosts", "List the hosts of a group", _hosts, _PATH[:2], "group"),
    _operation("getHost", f"{_G}/hosts/{{host}}", "Show a host", _host, _PATH, "host"),
    _operation("getListeners", "/listeners", "List the listeners", _listeners, ()),
    _operation(
        "getListener",
        "/listeners/{listener}",
        "Show a listener",
        _listener,
        (_LISTENER,),
        "listener",
    ),
)
