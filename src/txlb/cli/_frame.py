"""
The lines of one screen of C{txlb top}.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from txlb.admin._status import bytesText, fitted
from txlb.cli._rates import Line, Rates
from txlb.cli._status import colourOf

#: Heights of a column, from nothing upwards.
BARS = "▁▂▃▄▅▆▇█"

#: The narrowest and the lowest screen that is drawn.
LEAST_WIDTH, LEAST_HEIGHT = 40, 4

BOLD, REVERSE = "1", "7"

_HELP = " q quit   ↑ ↓ scroll   space hold"


def rateText(rate: float | None) -> str:
    """
    Show a number a second, in at most six characters.
    """
    if rate is None:
        return "-"
    if rate < 999.5:
        return f"{rate:.3g}" if rate >= 1 or not rate else f"{rate:.2f}"
    thousands = rate / 1000
    return f"{thousands:.3g}k" if thousands < 999.5 else f"{thousands / 1000:.3g}M"


def sparkline(past: Sequence[float], width: int) -> str:
    """
    Show the last values as columns, the highest of them full.

    @return: exactly C{width} characters.
    """
    shown = past[-width:] if width > 0 else ()
    most = max(shown, default=0.0)
    bars = "".join(BARS[round(value / most * 7) if most else 0] for value in shown)
    return bars.rjust(max(width, 0))


class Frame:
    """
    One screen.

    @param colours: whether lines may have colours.
    """

    def __init__(self, width: int, height: int, colours: bool) -> None:
        self.width = max(width, LEAST_WIDTH)
        self.height = max(height, LEAST_HEIGHT)
        self._colours = colours

    @property
    def room(self) -> int:
        """
        The number of lines between the head and the foot.
        """
        return self.height - 4

    def lines(
        self, rates: Rates, scroll: int, title: str, clock: str, trouble: str = ""
    ) -> list[str]:
        """
        Return the lines of the screen.

        @param scroll: the number of lines in the middle that are above it.
        @param title: names the balancer.
        @param trouble: an error; empty for none.
        """
        body = self._body(rates)
        shown = body[scroll : scroll + self.room]
        below = len(body) - scroll - len(shown)
        foot = _HELP + (f"   {below} more below" if below > 0 else "")
        return [
            self._ends(f" txlb top   {title}", f"{clock} ", REVERSE),
            self._paint("31;1", self._cut(f" {trouble}")) if trouble else self._totals(rates),
            self._paint(BOLD, self._columns()),
            *shown,
            *[""] * (self.room - len(shown)),
            self._ends(foot, "", REVERSE),
        ]

    def bodyLength(self, rates: Rates) -> int:
        """
        Return the number of lines that the middle would have with room for all.
        """
        return len(rates.lines)

    # Parts

    def _totals(self, rates: Rates) -> str:
        services, hosts = rates.services, rates.hosts
        states = [line.row["state"] for line in hosts]
        unchecked = states.count("unchecked")
        text = (
            f" {_sum(services, 'active')} active  {rateText(_rate(services, 'connections'))} new/s"
            f"  {rateText(_rate(services, 'refused'))} refused/s"
            f"  {_bytesRate(_rate(hosts, 'bytesIn'))}/s in"
            f"  {_bytesRate(_rate(hosts, 'bytesOut'))}/s out"
            f"  {states.count('up')}/{len(hosts)} hosts up"
        )
        more = f", {unchecked} unchecked"
        # Half a word would be misread.
        return self._cut(text + more if unchecked and len(text + more) <= self.width else text)

    def _columns(self) -> str:
        return self._row("service and hosts", "state", "active", "new/s", "in/s", "out/s", "")

    def _body(self, rates: Rates) -> list[str]:
        return [
            self._service(line) if len(line.key) == 1 else self._host(line) for line in rates.lines
        ]

    def _service(self, line: Line) -> str:
        row = line.row
        refused = line.rates.get("refused")
        note = f"{rateText(refused)} refused/s" if refused else ""
        text = self._row(
            line.key[0], "", str(row["active"]), rateText(line.rates.get("connections")), "", "",
            note or sparkline(line.past, self._sparkWidth),
        )  # fmt: skip
        return self._paint(BOLD, text)

    def _host(self, line: Line) -> str:
        row, rates = line.row, line.rates
        text = self._row(
            f"  {line.key[1]}/{line.key[2]}",
            row["state"],
            str(row["active"]),
            rateText(rates.get("connections")),
            _bytesRate(rates.get("bytesIn")),
            _bytesRate(rates.get("bytesOut")),
            sparkline(line.past, self._sparkWidth),
        )
        begin = self._nameWidth + 1
        end = begin + len(row["state"][:11])
        state = self._paint(colourOf(row["state"]), text[begin:end])
        tail = text[end:]
        cut = len(tail) - len(tail.lstrip()) if not tail.strip() else self._sparkFrom - end
        return text[:begin] + state + tail[:cut] + self._paint("36", tail[cut:])

    @property
    def _nameWidth(self) -> int:
        return min(max(self.width - 58, 14), 40)

    @property
    def _sparkFrom(self) -> int:
        return self._nameWidth + 1 + 11 + 1 + 6 + 1 + 6 + 1 + 8 + 1 + 8 + 1

    @property
    def _sparkWidth(self) -> int:
        return max(self.width - self._sparkFrom - 1, 0)

    def _row(
        self, name: str, state: str, active: str, new: str, into: str, out: str, rest: str
    ) -> str:
        text = (
            f"{fitted(name, self._nameWidth):<{self._nameWidth}} {state[:11]:<11} {active:>6} "
            f"{new:>6} {into:>8} {out:>8} {rest}"
        )
        return self._cut(text)

    def _ends(self, left: str, right: str, code: str) -> str:
        left = fitted(left, self.width - len(right))
        return self._paint(code, left.ljust(self.width - len(right)) + right)

    def _cut(self, text: str) -> str:
        return text[: self.width].rstrip()

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours and text else text


def _sum(lines: Iterable[Line], what: str) -> int:
    return sum(line.row[what] for line in lines)


def _rate(lines: Sequence[Line], what: str) -> float | None:
    known = [line.rates[what] for line in lines if what in line.rates]
    return sum(known) if known else None


def _bytesRate(rate: float | None) -> str:
    return "-" if rate is None else bytesText(round(rate))
