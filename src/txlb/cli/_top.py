"""
C{txlb top}: the status of a balancer, again and again.
"""

from __future__ import annotations

import argparse
import sys
import time

from txlb.cli._client import Client, environmentColours
from txlb.cli._command import COMPLETES, NO_ANSWER, NO_BALANCER, OK, WRONG, Command, Failed
from txlb.cli._duration import TIME, duration
from txlb.cli._frame import Frame
from txlb.cli._rates import Rates
from txlb.cli._screen import Screen
from txlb.cli._where import addSocketOptions, findSocket

#: Seconds between two looks at the size of the terminal.
LOOK = 0.25

#: Seconds that the balancer has for an answer here; meanwhile no key is read.
PATIENCE = 5.0


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--once", action="store_true", help="print it once, after one interval, and end"
    )
    interval = parser.add_argument(
        "-i",
        "--interval",
        metavar=TIME,
        type=_interval,
        default=1.0,
        help="how long from one look to the next; by default 1s",
    )
    setattr(interval, COMPLETES, ("time",))
    addSocketOptions(parser)


def _interval(text: str) -> float:
    return duration(text, 0.1, 3600, "interval")


class Top:
    """
    The balancer that is watched, and the part of its status that is shown.
    """

    def __init__(self, path: str, interval: float) -> None:
        self.path = path
        self.interval = interval
        self.rates = Rates()
        self.scroll = 0
        self.hold = False
        self.trouble = ""
        self._client: Client | None = None

    def look(self) -> None:
        """
        Ask the balancer. If it has gone, the next look connects again.

        @raise Failed: the balancer refuses to answer.
        """
        try:
            if self._client is None:
                self._client = Client(self.path, PATIENCE)
            self.rates.take(self._client.rows("Status"), time.monotonic())
        except Failed as error:
            self.close()
            if error.status not in {NO_BALANCER, NO_ANSWER}:
                raise
            self.trouble = str(error)
        else:
            self.trouble = ""

    def close(self) -> None:
        """
        Close the connection.
        """
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def lines(self, width: int, height: int, colours: bool) -> list[str]:
        """
        Return the lines of the screen.
        """
        frame = Frame(width, height, colours)
        most = max(frame.bodyLength(self.rates) - frame.room, 0)
        self.scroll = min(max(self.scroll, 0), most)
        held = "   held" if self.hold else ""
        title = f"{self.path}   every {self.interval:g} s{held}"
        clock = time.strftime("%H:%M:%S")
        return frame.lines(self.rates, self.scroll, title, clock, self.trouble)

    def pressed(self, key: str, page: int) -> None:
        """
        Act on a key.

        @param page: the number of lines of a page.
        """
        steps = {"up": -1, "down": 1, "page up": -page, "page down": page}
        self.scroll += steps.get(key, 0)
        if key == "hold":
            self.hold = not self.hold


def _run(arguments: argparse.Namespace) -> int:
    top = Top(findSocket(arguments), arguments.interval)
    top.look()
    try:
        if top.trouble:
            raise Failed(top.trouble, NO_BALANCER)
        if arguments.once:
            return _once(top)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise Failed("top needs a terminal; --once prints one screen", WRONG)
        with Screen() as screen:
            _watch(top, screen)
    finally:
        top.close()
    return OK


def _once(top: Top) -> int:
    time.sleep(top.interval)
    top.look()
    if top.trouble:
        raise Failed(top.trouble, NO_ANSWER)
    width, height = Screen.size()
    if not sys.stdout.isatty():
        height = len(top.rates.lines) + 4
    for line in top.lines(width, height, environmentColours(sys.stdout)):
        print(line)
    return OK


def _watch(top: Top, screen: Screen) -> None:
    colours = environmentColours(sys.stdout)
    due = time.monotonic() + top.interval
    shown: tuple[int, int] | None = None
    while True:
        size = screen.size()
        if size != shown:
            screen.show(top.lines(*size, colours))
            shown = size
        now = time.monotonic()
        key = screen.key(min(due - now, LOOK))
        if key == "quit":
            return
        if key:
            top.pressed(key, max(size[1] - 4, 1))
            shown = None
        if time.monotonic() >= due:
            due = max(due + top.interval, time.monotonic())
            if not top.hold:
                top.look()
                shown = None


TOP = Command(
    "top",
    "watch a balancer",
    "Shows the connections, rates and states of a balancer's hosts, again and again. The columns "
    "at the right are the new connections a second of the last intervals. Keys: q ends it, the "
    "arrows scroll, space holds.",
    _configure,
    _run,
)
