"""
C{explain('web')}: which host a client would get, and why not another, as a table.
"""

from __future__ import annotations

from txlb.pool import Explanation, HostExplanation

_HEAD = ("host", "state", "weight", "active", "score", "")
_LEFT = 2


def explainTable(explanation: Explanation) -> str:
    """
    Tell how a group would choose for a client now.

    @return: lines, without the end of the last one.
    """
    chosen = explanation.chosen
    client = explanation.client or "any client"
    if chosen is not None:
        verdict = f"{client} would get {chosen.name}"
    elif any(host.score is not None and not host.why for host in explanation.hosts):
        verdict = f"{client} would get one by chance"
    else:
        verdict = f"no host is ready for {client}"
    lines = [
        f"{explanation.service}/{explanation.group} ({explanation.scheduler}): {verdict}",
        f"  score: {explanation.scoreMeans or 'as the policy has it'}",
    ]
    rows = [_HEAD, *(_row(host) for host in explanation.hosts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    for row in rows:
        cells = [
            f"{cell:<{width}}" if column < _LEFT else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append(("  " + "  ".join([*cells, row[-1]])).rstrip())
    return "\n".join(lines)


def _row(host: HostExplanation) -> tuple[str, ...]:
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
