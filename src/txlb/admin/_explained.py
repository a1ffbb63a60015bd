"""
The answer of C{explain}: which host a client would get, and why no other one.
"""

from __future__ import annotations

from collections.abc import Iterator

from txlb.admin._rows import Row, rowOf
from txlb.pool import Explanation, HostExplanation

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
