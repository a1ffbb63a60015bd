"""
The answer of C{explain}: which host a client would get, and why no other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from txlb.admin._rows import Row, rowOf
from txlb.errors import ModelError
from txlb.model import Listener, Routes, shown
from txlb.pool import Explanation, HostExplanation

if TYPE_CHECKING:
    from txlb.manager import ProxyManager

_HEAD = ("host", "state", "weight", "active", "score", "")
_LEFT = 2


def explanationRows(explanation: Explanation) -> Iterator[Row]:
    """
    Yield a row for a group's choice, and one for each host. The texts of all rows are the
    lines of a table.
    """
    cells = [_HEAD, *(_cells(host) for host in explanation.hosts)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD) - 1)]
    head, *lines = (_line(row, widths) for row in cells)
    meaning = explanation.scoreMeans or "as the policy has it"
    text = (
        f"{explanation.service}/{explanation.group} ({explanation.scheduler}): "
        f"{_verdict(explanation)}\n  score: {meaning}\n{head}"
    )
    chosen = None if explanation.chosen is None else explanation.chosen.name
    yield rowOf("explanation", explanation, "hosts", text=text, chosen=chosen)
    for host, line in zip(explanation.hosts, lines, strict=True):
        yield rowOf("choice", host, text=line)


def namedRows(
    manager: ProxyManager, service: str, group: str, clientAddr: str, serverName: str
) -> Iterator[Row]:
    """
    Yield for each address of a service a row for the service that gets a client of TLS there,
    then the choice of each such service.

    @param group: a group of the first service; C{""} for the enabled one.
    @param serverName: the name for which the client asks.
    @raise ModelError: it is no name.
    """
    names = Listener(":0", serverNames=serverName).serverNames
    if len(names) != 1:
        raise ModelError(f"{shown(serverName)} is not the name of one server")
    name = names[0]
    found: dict[str, None] = {}
    for listener in manager.getService(service).listeners:
        sharers = [
            (each.name, other)
            for each in manager.services.values()
            for other in each.listeners
            if other is listener or (other.isFixed and other.place == listener.place)
        ]
        gets = Routes(sharers).find(name)
        if gets is not None:
            found[gets] = None
        text = "is closed" if gets is None else f"goes to {gets}"
        yield {
            "row": "route",
            "address": str(listener.place),
            "serverName": name,
            "service": gets,
            "text": f"{listener.place}: a client of TLS that asks for {name} {text}",
        }
    for each in found:
        named = group if each == service and group else None
        yield from explanationRows(manager.getPool(each, named).explain(clientAddr or None))


def _verdict(explanation: Explanation) -> str:
    client = explanation.client or "any client"
    if explanation.chosen is not None:
        return f"{client} would get {explanation.chosen.name}"
    if any(host.score is not None and not host.why for host in explanation.hosts):
        return f"{client} would get one by chance"
    return f"no host is ready for {client}"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        f"{cell:<{width}}" if column < _LEFT else f"{cell:>{width}}"
        for column, (cell, width) in enumerate(zip(row, widths, strict=False))
    ]
    return ("  " + "  ".join([*cells, row[-1]])).rstrip()


def _cells(host: HostExplanation) -> tuple[str, ...]:
    weight = str(host.weight)
    if host.weight and host.effectiveWeight != host.weight:
        weight = f"{host.effectiveWeight:.3g} of {host.weight}"
    return (
        host.name,
        host.state,
        weight,
        str(host.active),
        "-" if host.score is None else f"{host.score + 0.0:.4g}",
        "chosen" if host.chosen else host.why,
    )
