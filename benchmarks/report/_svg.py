"""
Plots as SVG, drawn here: a few lines, dots and words need no library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

INK = "#1f2933"
FAINT = "#d5dbe1"
QUIET = "#52606d"
OURS = "#0b7285"
OTHERS = "#868e96"

#: One for each line of a plot of lines.
COLOURS = ("#868e96", "#e67700", "#5f3dc4", "#a61e4d", "#2b8a3e", "#0b7285")

#: Pixels: of a panel, of a row of dots, of the margins.
WIDTH = 440
ROW = 20
TOP = 44
BOTTOM = 40
RIGHT = 26

#: Pixels that a letter takes at most, about.
LETTER = 7.0

#: Ticks of an axis at most.
TICKS = 7


@dataclass(frozen=True)
class Dot:
    """
    A row of a plot of dots: a value with a line from one value to another.
    """

    label: str
    value: float
    low: float
    high: float
    ours: bool


class Axis:
    """
    Places values: by their logarithm, or linearly from 0.
    """

    def __init__(
        self, values: Sequence[float], begin: float, end: float, *, linear: bool = False
    ) -> None:
        self._linear = linear
        known = [value for value in values if value > 0] or [1.0]
        if linear:
            self._low, self._high = 0.0, max(known) * 1.08
        else:
            self._low = math.log10(min(known)) - 0.05
            self._high = math.log10(max(known)) + 0.05
        self._begin = begin
        self._end = end

    def place(self, value: float) -> float:
        """
        Where a value is, in pixels.
        """
        if self._linear:
            place = value
        else:
            place = math.log10(value) if value > 0 else self._low
        part = (place - self._low) / (self._high - self._low)
        return self._begin + min(max(part, 0.0), 1.0) * (self._end - self._begin)

    def ticks(self) -> list[float]:
        """
        Return a few round values on the axis.
        """
        return self._linearTicks() if self._linear else self._logarithmicTicks()

    def _linearTicks(self) -> list[float]:
        step = 10.0 ** math.floor(math.log10(self._high))
        for part in (0.1, 0.2, 0.5, 1.0, 2.0):
            if self._high / (step * part) <= TICKS:
                step *= part
                break
        return [step * number for number in range(int(self._high / step) + 1)]

    def _logarithmicTicks(self) -> list[float]:
        powers = range(math.floor(self._low), math.ceil(self._high) + 1)
        found: list[float] = []
        for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
            values = [step * 10.0**power for power in powers for step in steps]
            found = [value for value in values if self._low <= math.log10(value) <= self._high]
            if len(found) <= TICKS:
                break
        return found


def text(x: float, y: float, words: str, colour: str = INK, more: str = "") -> str:
    """
    Words.

    @param more: more attributes.
    """
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {more}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    """
    Draw a straight line.
    """
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"/>'
    )


def _labelled(scale: Axis, ticks: Sequence[float]) -> int:
    """
    Each which tick of a linear axis gets its value written, so that none touches
    the next.
    """
    if len(ticks) < 2:
        return 1
    apart = scale.place(ticks[1]) - scale.place(ticks[0])
    widest = LETTER * max(len(f"{tick:g} ") for tick in ticks)
    return math.ceil(widest / apart)


def dots(
    title: str,
    axis: str,
    rows: Sequence[Dot],
    reference: float | None = None,
    *,
    linear: bool = False,
) -> tuple[str, int]:
    """
    Draw a panel with a dot in each row.

    @param axis: what the values are; that they stand by logarithm is said here.
    @param reference: a value that gets a line of its own.
    @param linear: whether the axis is linear, and begins at 0.
    @return: the panel, and its height in pixels.
    """
    bottom = TOP + ROW * len(rows)
    values = [value for row in rows for value in (row.value, row.low, row.high)]
    if reference is not None:
        values.append(reference)
    left = 24 + LETTER * max(len(row.label) for row in rows)
    scale = Axis(values, left, WIDTH - RIGHT, linear=linear)
    parts = [text(8, 20, title, INK, 'font-weight="600"')]
    ticks = scale.ticks()
    every = _labelled(scale, ticks) if linear else 1
    for number, tick in enumerate(ticks):
        x = scale.place(tick)
        parts.append(line(x, TOP - 8, x, bottom, FAINT))
        if number % every == 0:
            parts.append(text(x, bottom + 14, f"{tick:g}", QUIET, 'text-anchor="middle"'))
    if reference is not None:
        x = scale.place(reference)
        parts.append(line(x, TOP - 8, x, bottom, QUIET))
    for index, row in enumerate(rows):
        y = TOP + ROW * index + ROW / 2
        colour = OURS if row.ours else OTHERS
        weight = 'font-weight="600" ' if row.ours else ""
        parts.append(text(left - 10, y + 4, row.label, INK, f'{weight}text-anchor="end"'))
        parts.append(line(scale.place(row.low), y, scale.place(row.high), y, colour, 2))
        parts.append(
            f'<circle cx="{scale.place(row.value):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        )
    words = axis if linear else f"{axis}, logarithmic"
    parts.append(text(WIDTH - RIGHT, bottom + 30, words, QUIET, 'text-anchor="end"'))
    return "\n".join(parts), bottom + BOTTOM


def lines(
    title: str, across: str, axis: str, series: Sequence[tuple[str, dict[int, float]]]
) -> tuple[str, int]:
    """
    Draw a panel with a line for each series: across by logarithm, up linearly from 0.

    @param series: for each its name, and its values by what stands across.

    @return: the panel, and its height in pixels.
    """
    height = 220
    left, bottom = 56, TOP + height
    right = WIDTH - RIGHT - 84
    xs = Axis([x for _, points in series for x in points], left, right)
    ys = Axis([y for _, points in series for y in points.values()], bottom, TOP, linear=True)
    parts = [text(8, 20, title, INK, 'font-weight="600"')]
    for tick in ys.ticks():
        y = ys.place(tick)
        parts.append(line(left, y, right, y, FAINT))
        parts.append(text(left - 6, y + 4, f"{tick:g}", QUIET, 'text-anchor="end"'))
    parts += [
        text(xs.place(tick), bottom + 14, f"{tick:g}", QUIET, 'text-anchor="middle"')
        for tick in sorted({x for _, points in series for x in points})
    ]
    names = [name for name, _ in series]
    ends: list[float] = []
    last = [(points[max(points)], name, points) for name, points in series if points]
    # From the top down, so that each name finds its place below the one before.
    for _, name, points in sorted(last, reverse=True, key=lambda end: end[0]):
        colour = COLOURS[names.index(name) % len(COLOURS)]
        path = " ".join(f"{xs.place(x):.1f},{ys.place(y):.1f}" for x, y in sorted(points.items()))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = ys.place(points[max(points)])
        if ends:
            # Names don't stand on each other.
            y = max(y, ends[-1] + 13)
        ends.append(y)
        parts.append(text(right + 6, y + 4, name, colour))
    parts.append(text(8, TOP - 8, axis, QUIET))
    parts.append(text(right, bottom + 30, across, QUIET, 'text-anchor="end"'))
    return "\n".join(parts), bottom + BOTTOM


def page(panels: Sequence[tuple[str, int]], columns: int = 2) -> str:
    """
    Draw a picture of panels.
    """
    columns = min(columns, len(panels))
    placed, y = [], 0
    for begin in range(0, len(panels), columns):
        row = panels[begin : begin + columns]
        for index, (panel, _) in enumerate(row):
            placed.append(f'<g transform="translate({index * WIDTH},{y})">\n{panel}\n</g>')
        y += max(height for _, height in row) + 8
    width = columns * WIDTH
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" '
        f'height="{y}" font-family="system-ui, sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{y}" fill="#ffffff"/>\n' + "\n".join(placed) + "\n</svg>\n"
    )
