"""
The plots of a simulation.

Nothing is told by colour alone: the two percentiles have markers of different shapes as
well, and where policies are compared over time each has a panel of its own, with the others
in grey behind it. The colours are Okabe's and Ito's, which colour-blind people can tell
apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import FAINT, INK, QUIET, Axis, line, text
from benchmarks.simulation._run import Findings, Sample, Spread, spreadOf
from benchmarks.simulation._tables import isOverloaded

BLUE = "#0072b2"
VERMILION = "#d55e00"
OTHERS = "#c5ccd3"

#: What is less stands here, in milliseconds: a logarithm has no 0.
LEAST = 1.0

NAMES = 76
PANEL = 236
GAP = 40
ROW = 24
TOP = 70


def picturesOf(findings: Findings) -> dict[str, str]:
    """
    All of them, by name of the file.
    """
    pictures = {
        f"{key}.svg": _waiting(findings.titles[key], byLoad)
        for key, byLoad in findings.samples.items()
    }
    lates = {
        policy: [max(late * 1000, LEAST) for late in lost.late]
        for policy, lost in findings.losses.items()
    }
    crowds = {policy: lost.crowding for policy, lost in findings.losses.items()}
    pictures["loss-waiting.svg"] = _overTime(
        findings,
        "90th percentile of waiting, when a host is lost and comes back",
        "ms, logarithmic",
        lates,
        linear=False,
    )
    pictures["loss-crowding.svg"] = _overTime(
        findings,
        "Jobs of the most crowded host, when a host is lost and comes back",
        "1 = the share of its weight among the hosts that are up, logarithmic",
        {policy: [max(each, 1.0) for each in values] for policy, values in crowds.items()},
        linear=False,
    )
    return pictures


def _picture(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="system-ui, sans-serif" '
        f'font-size="12">\n<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


# Percentiles


def _waiting(title: str, byLoad: dict[float, dict[str, list[Sample]]]) -> str:
    loads = list(byLoad)
    middle = byLoad[loads[len(loads) // 2]]
    # The best stand on top.
    order = sorted(middle, key=lambda policy: _late(middle[policy]).median)
    everything = [
        max(_late(samples).high * 1000, LEAST)
        for byPolicy in byLoad.values()
        for samples in byPolicy.values()
    ]
    width = NAMES + len(loads) * (PANEL + GAP) + 8
    bottom = TOP + ROW * len(order)
    parts = [text(8, 20, f"Waiting by policy: {title}", INK, 'font-weight="600"')]
    parts += _legend(bottom + 46)
    for index, policy in enumerate(order):
        y = TOP + ROW * index + ROW / 2
        if index % 2 == 0:
            parts.append(
                f'<rect x="8" y="{y - ROW / 2:.0f}" width="{width - 24}" height="{ROW}" '
                f'fill="#f4f6f8"/>'
            )
        parts.append(text(NAMES - 12, y + 4, policy, INK, 'text-anchor="end"'))
    for number, load in enumerate(loads):
        left = NAMES + number * (PANEL + GAP)
        axis = Axis([LEAST, *everything], left, left + PANEL)
        parts.append(text(left, TOP - 22, f"{load:.0%} load", INK, 'font-weight="600"'))
        for tick in axis.ticks():
            x = axis.place(tick)
            parts.append(line(x, TOP - 6, x, bottom, FAINT))
            words = _ticks(tick)
            parts.append(text(x, bottom + 15, words, QUIET, 'text-anchor="middle"'))
        for index, policy in enumerate(order):
            samples = byLoad[load][policy]
            y = TOP + ROW * index + ROW / 2
            hollow = isOverloaded(samples)
            median = spreadOf([sample.median for sample in samples])
            # Not on one line, so that both are seen where they are equal.
            parts += _mark(axis, y - 3, median, BLUE, round_=True, hollow=hollow)
            parts += _mark(axis, y + 3, _late(samples), VERMILION, round_=False, hollow=hollow)
    return _picture(width, bottom + 84, parts)


def _ticks(milliseconds: float) -> str:
    if milliseconds <= LEAST:
        return "≤1 ms"
    if milliseconds < 1000:
        return f"{milliseconds:g}"
    return f"{milliseconds / 1000:g} s"


def _late(samples: Sequence[Sample]) -> Spread:
    return spreadOf([sample.late for sample in samples])


def _mark(
    axis: Axis, y: float, spread: Spread, colour: str, *, round_: bool, hollow: bool
) -> list[str]:
    low, middle, high = (
        axis.place(max(value * 1000, LEAST)) for value in (spread.low, spread.median, spread.high)
    )
    return [line(low, y, high, y, colour, 2), _shape(middle, y, colour, round_, hollow)]


def _shape(x: float, y: float, colour: str, round_: bool, hollow: bool) -> str:
    fill = "#ffffff" if hollow else colour
    style = f'fill="{fill}" stroke="{colour}" stroke-width="1.5"'
    if round_:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {style}/>'
    points = f"{x:.1f},{y - 5:.1f} {x + 5:.1f},{y:.1f} {x:.1f},{y + 5:.1f} {x - 5:.1f},{y:.1f}"
    return f'<polygon points="{points}" {style}/>'


def _legend(y: float) -> list[str]:
    words = (
        (BLUE, True, False, "median"),
        (VERMILION, False, False, "99th percentile"),
        (QUIET, True, True, "hollow: a host gets more than it can do, and it grows on"),
    )
    parts, x = [], float(NAMES)
    for colour, round_, hollow, what in words:
        parts.append(_shape(x + 6, y - 4, colour, round_, hollow))
        parts.append(text(x + 18, y, what, INK))
        x += 44 + 6.2 * len(what)
    parts.append(
        text(
            NAMES,
            y + 20,
            "lines: the lowest and highest of the runs; the axis is logarithmic",
            QUIET,
        )
    )
    return parts


# Over time

COLUMNS = 3
CELL = 264
CELL_HEIGHT = 132
LEFT = 44


def _overTime(
    findings: Findings, title: str, unit: str, series: dict[str, list[float]], *, linear: bool
) -> str:
    loss = findings.loss
    rows = -(-len(series) // COLUMNS)
    width, height = COLUMNS * CELL + 16, 64 + rows * (CELL_HEIGHT + 34) + 10
    everything = [value for values in series.values() for value in values]
    parts = [
        text(8, 20, title, INK, 'font-weight="600"'),
        text(8, 40, f"{unit}; blue: the policy above the panel, grey: the others", QUIET),
    ]
    for number, policy in enumerate(series):
        x0 = 8 + (number % COLUMNS) * CELL + LEFT
        y0 = 74 + (number // COLUMNS) * (CELL_HEIGHT + 34)
        right, bottom = x0 + CELL - LEFT - 14, y0 + CELL_HEIGHT - 22
        ys = Axis(everything, bottom, y0, linear=linear)

        def place(when: float, x0: float = x0, right: float = right) -> float:
            return x0 + (when + loss.before) / (loss.before + loss.until) * (right - x0)

        parts.append(text(x0, y0 - 6, policy, INK, 'font-weight="600"'))
        for tick in ys.ticks():
            y = ys.place(tick)
            parts.append(line(x0, y, right, y, FAINT))
            parts.append(text(x0 - 5, y + 4, f"{tick:g}", QUIET, 'text-anchor="end"'))
        for when, word in ((0.0, "lost"), (loss.back, "back")):
            x = place(when)
            parts.append(
                f'<line x1="{x:.1f}" y1="{y0}" x2="{x:.1f}" y2="{bottom}" stroke="{QUIET}" '
                f'stroke-dasharray="3 3"/>'
            )
            parts.append(text(x, bottom + 14, f"{word} {when:g} s", QUIET, 'text-anchor="middle"'))
        end = f"{loss.until:g} s"
        parts.append(text(right, bottom + 14, end, QUIET, 'text-anchor="end"'))
        # Its own comes last, so that it lies on top.
        for name in sorted(series, key=lambda each: each == policy):
            points = " ".join(
                f"{place(when):.1f},{ys.place(value):.1f}"
                for when, value in zip(loss.middles, series[name], strict=True)
            )
            own = name == policy
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{BLUE if own else OTHERS}" '
                f'stroke-width="{2 if own else 0.8}"/>'
            )
    return _picture(width, height, parts)
