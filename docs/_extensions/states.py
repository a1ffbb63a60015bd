"""
Pictures and tables of the states of hosts, of the processes of a cloned application, and of
those of an upgrade, made from the tables that the code uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from html import escape
from pathlib import Path

from sphinx.application import Sphinx

from txlb.cloning._permits import PERMITS, TAKES_PERMITS, PermitState
from txlb.cloning._stages import SERVING, STAGES, Stage
from txlb.pool._health import HEALTHY, HealthEvent, HealthState
from txlb.pool._health import TRANSITIONS as HEALTH
from txlb.pool._passive import SCHEDULED, PassiveState
from txlb.pool._passive import TRANSITIONS as MARK
from txlb.upgrade._stages import (
    PREDECESSOR,
    PREDECESSOR_SERVES,
    SUCCESSOR,
    SUCCESSOR_SERVES,
    PredecessorStage,
    SuccessorStage,
)

#: The size of a picture and of a state in it.
WIDTH, HEIGHT = 720, 400
BOX_WIDTH, BOX_HEIGHT = 110, 40

Table = Mapping[tuple[Enum, Enum], Enum]


def picture(states: type[Enum], table: Table, takesClients: frozenset[Enum]) -> str:
    """
    Draw a table.

    @param states: in the order in which they are drawn in a circle.
    @param takesClients: the states in which a host or process gets clients; they are green.
    """
    places = {
        state: (
            WIDTH / 2 + 260 * math.cos(2 * math.pi * number / len(states) - math.pi / 2),
            HEIGHT / 2 + 150 * math.sin(2 * math.pi * number / len(states) - math.pi / 2),
        )
        for number, state in enumerate(states)
    }
    labels: dict[tuple[Enum, Enum], list[str]] = {}
    for (state, event), to in table.items():
        labels.setdefault((state, to), []).append(str(event.value))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        ' font-family="sans-serif" font-size="13">',
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8"',
        ' markerHeight="8" orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="#555"/>',
        "</marker></defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    parts += [
        _arrow(places[state], places[to], ", ".join(words)) for (state, to), words in labels.items()
    ]
    for state, (x, y) in places.items():
        fill = "#cfe8cf" if state in takesClients else "#f4e3d7"
        parts.append(
            f'<rect x="{x - BOX_WIDTH / 2:.1f}" y="{y - BOX_HEIGHT / 2:.1f}" width="{BOX_WIDTH}" '
            f'height="{BOX_HEIGHT}" rx="8" fill="{fill}" stroke="#333"/>'
            f'<text x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle" fill="black">'
            f"{escape(str(state.value))}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def _arrow(begin: tuple[float, float], end: tuple[float, float], label: str) -> str:
    """
    Draw an arc from one state to another, to the right of the straight line, so that
    the way back has its own arc.
    """
    dx, dy = end[0] - begin[0], end[1] - begin[1]
    length = math.hypot(dx, dy)
    bend = (
        (begin[0] + end[0]) / 2 - dy / length * 44,
        (begin[1] + end[1]) / 2 + dx / length * 44,
    )
    first, last = _edge(begin, bend), _edge(end, bend)
    # A quadratic curve passes half way between its chord and its control point.
    x = (first[0] + last[0]) / 4 + bend[0] / 2
    y = (first[1] + last[1]) / 4 + bend[1] / 2
    return (
        f'<path d="M{first[0]:.1f},{first[1]:.1f} Q{bend[0]:.1f},{bend[1]:.1f} '
        f'{last[0]:.1f},{last[1]:.1f}" fill="none" stroke="#555" marker-end="url(#head)"/>'
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="black" stroke="white" '
        f'stroke-width="4" paint-order="stroke">{escape(label)}</text>'
    )


def _edge(box: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """
    Return the point where the line from the middle of a box leaves the box.
    """
    dx, dy = towards[0] - box[0], towards[1] - box[1]
    scale = min(
        (BOX_WIDTH / 2 + 2) / abs(dx) if dx else math.inf,
        (BOX_HEIGHT / 2 + 2) / abs(dy) if dy else math.inf,
    )
    return box[0] + dx * scale, box[1] + dy * scale


def rows(table: Table) -> str:
    """
    Return a table in reStructuredText.
    """
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - state", "     - event"]
    lines.append("     - next")
    for (state, event), to in table.items():
        lines += [f"   * - {state.value}", f"     - {event.value}", f"     - {to.value}"]
    return "\n".join([*lines, ""])


def write(app: Sphinx) -> None:
    """
    Write the pictures and tables that have changed.
    """
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {key: to for key, to in HEALTH.items() if key[1] is not HealthEvent.UNWATCHED}
    for name, text in (
        ("health-states.svg", picture(HealthState, drawn, HEALTHY)),
        ("mark-states.svg", picture(PassiveState, MARK, SCHEDULED)),
        ("health-states.inc", rows(HEALTH)),
        ("mark-states.inc", rows(MARK)),
        ("permit-states.svg", picture(PermitState, PERMITS, TAKES_PERMITS)),
        ("permit-states.inc", rows(PERMITS)),
        ("clone-stages.svg", picture(Stage, STAGES, SERVING)),
        ("clone-stages.inc", rows(STAGES)),
        (
            "predecessor-stages.svg",
            picture(PredecessorStage, PREDECESSOR, PREDECESSOR_SERVES),
        ),
        ("predecessor-stages.inc", rows(PREDECESSOR)),
        ("successor-stages.svg", picture(SuccessorStage, SUCCESSOR, SUCCESSOR_SERVES)),
        ("successor-stages.inc", rows(SUCCESSOR)),
    ):
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """
    Connect to Sphinx.
    """
    app.connect("builder-inited", write, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
