"""
Draw a terminal's screen as an SVG picture, colours included.

    tmux capture-pane -e -p -t SESSION | python tools/draw_screen.py 80 24 > top.svg

It knows the colours and attributes that C{txlb} uses: the sixteen colours, bold and
reverse.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

#: The size of a character, and the space around the screen, in pixels.
WIDTH, HEIGHT, MARGIN = 8.4, 18, 12

PAPER, INK = "#1b1f24", "#d5d9de"

COLOURS = {
    30: "#3b4148", 31: "#f47067", 32: "#6bc46d", 33: "#daaa3f",
    34: "#6cb6ff", 35: "#dcbdfb", 36: "#76d3e0", 37: INK, 90: "#8b949e",
}  # fmt: skip

_CODE = re.compile(r"\x1b\[([0-9;]*)m")


@dataclass(frozen=True)
class Style:
    """
    The style of a run of characters.
    """

    colour: str = INK
    bold: bool = False
    reverse: bool = False

    def after(self, code: int) -> Style:
        """
        Return the style after a code of SGR.
        """
        if code == 0:
            return Style()
        if code == 1:
            return replace(self, bold=True)
        if code == 7:
            return replace(self, reverse=True)
        if code == 27:
            return replace(self, reverse=False)
        if code == 39:
            return replace(self, colour=INK)
        return replace(self, colour=COLOURS.get(code, self.colour))


def runsOf(line: str, style: Style) -> Iterator[tuple[str, Style]]:
    """
    Split a line into runs of one style, with an empty run at the end that has the style at
    the beginning of the next line.
    """
    place = 0
    for found in _CODE.finditer(line):
        if found.start() > place:
            yield line[place : found.start()], style
        for code in (found[1] or "0").split(";"):
            style = style.after(int(code or 0))
        place = found.end()
    if place < len(line):
        yield line[place:], style
    yield "", style


def draw(text: str, columns: int, rows: int) -> str:
    """
    Return the picture of a screen.
    """
    width, height = columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" '
        'font-family="\'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="14">'
    )
    parts = [
        head,
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
    ]
    style = Style()
    for number, line in enumerate(text.split("\n")[:rows]):
        column = 0
        top = MARGIN + number * HEIGHT
        runs = list(runsOf(line, style))
        style = runs.pop()[1]
        if runs and runs[-1][1].reverse:
            # tmux leaves out spaces at the end, of any colour.
            runs[-1] = (
                runs[-1][0].ljust(columns - sum(len(run) for run, _ in runs[:-1])),
                runs[-1][1],
            )
        for run, look in runs:
            x, length = MARGIN + column * WIDTH, len(run) * WIDTH
            column += len(run)
            colour = look.colour
            if look.reverse:
                parts.append(
                    f'<rect x="{x:g}" y="{top:g}" width="{length:g}" height="{HEIGHT}" '
                    f'fill="{colour}"/>'
                )
                colour = PAPER
            if run.strip():
                weight = ' font-weight="bold"' if look.bold else ""
                parts.append(
                    f'<text x="{x:g}" y="{top + 13:g}" textLength="{length:g}" '
                    f'xml:space="preserve" fill="{colour}"{weight}>{escape(run)}</text>'
                )
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    sys.stdout.write(draw(sys.stdin.read(), int(sys.argv[1]), int(sys.argv[2])))
