"""
The history of the last hour, for another process.
"""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from zope.interface import implementer

from txlb._facts import Facts
from txlb.application._ring import POINTS, Ring
from txlb.interfaces import IKeptInParts

if TYPE_CHECKING:
    from txlb.application._history import HistoryService, Key

#: The rings of one piece, which takes about a millisecond with its JSON.
AT_ONCE = 20

#: The most counts of a ring.
MOST_COUNTS = 16


@implementer(IKeptInParts)
class KeptHour:
    """
    Hands the points of a L{HistoryService} over. Those of the new process follow them, and the
    time without any is that of the upgrade.

    @param history: the owner.
    """

    name = "hour"

    def __init__(self, history: HistoryService) -> None:
        self._history = history
        # The number of the last point of each ring that was yielded.
        self._yielded: dict[Key, int] = {}

    def state(self) -> object:
        rows = [_row(key, ring, -1) for key, ring in self._history.rings.items()]
        return {"anew": True, "rings": rows, **self._clock()}

    def ahead(self) -> Iterator[object]:
        history = self._history
        self._yielded = {}
        keys = list(history.rings)
        for begin in range(0, max(len(keys), 1), AT_ONCE):
            rows = []
            for key in keys[begin : begin + AT_ONCE]:
                # It may be gone meanwhile.
                ring = history.rings.get(key)
                if ring is not None:
                    self._yielded[key] = ring.last
                    rows.append(_row(key, ring, -1))
            yield {"anew": not begin, "rings": rows, **self._clock()}

    def rest(self) -> object:
        found = []
        for key, ring in self._history.rings.items():
            known = self._yielded.get(key, -1)
            if ring.last > known:
                found.append(_row(key, ring, known))
        return {"rings": found, **self._clock()}

    def _clock(self) -> dict[str, object]:
        number, measuredAt, times = self._history.clock
        return {"number": number, "measuredAt": measuredAt, "times": _packed(times)}

    def restore(self, state: object) -> None:
        facts = Facts(state, self.name)
        rings = {} if facts.flag("anew") else dict(self._history.rings)
        number = facts.whole("number", -1, -1)
        for row in facts.items("rings"):
            _restore(rings, Facts(row, "a ring"), number)
        times = _unpacked(facts, "times", "d", POINTS)
        if len(times) != POINTS:
            raise facts.wrong("times", f"{POINTS} numbers")
        self._history.resume(number, facts.time("measuredAt"), times, rings)


def _row(key: Key, ring: Ring, after: int) -> dict[str, object]:
    """
    @param after: only the points after that of this number.
    """
    first, points = ring.kept(after)
    return {
        "key": list(key),
        "first": first,
        "points": _packed(points),
        "counts": list(ring.counts),
        "mostActive": ring.mostActive,
        "mostRate": ring.mostRate,
    }


def _restore(rings: dict[Key, Ring], row: Facts, number: int) -> None:
    """
    Take the ring of a row over, or what is new of one.
    """
    names = row.texts("key", 3)
    if len(names) != 3:
        raise row.wrong("key", "three names")
    key = (names[0], names[1], names[2])
    ring = Ring()
    if key in rings:
        ring.follow(rings[key])
    first = row.whole("first", -1, -1)
    points = _unpacked(row, "points", "f", POINTS * Ring.width)
    count, rest = divmod(len(points), Ring.width)
    if rest or first + count - 1 > number or (count and first <= ring.last):
        raise row.wrong("points", "points that follow each other")
    ring.take(first, points)
    ring.counts = _numbers(row, "counts")
    ring.mostActive = row.number("mostActive")
    ring.mostRate = row.number("mostRate")
    rings[key] = ring


def _numbers(row: Facts, key: str) -> tuple[float, ...]:
    found: Iterable[object] = row.items(key, MOST_COUNTS)
    numbers = [each for each in found if isinstance(each, (int, float))]
    if len(numbers) != len(row.items(key)):
        raise row.wrong(key, "a list of numbers")
    return tuple(numbers)


def _packed(values: array[float]) -> str:
    return b64encode(values.tobytes()).decode("ascii")


def _unpacked(facts: Facts, key: str, kind: str, most: int) -> array[float]:
    values: array[float] = array(kind)
    try:
        values.frombytes(b64decode(facts.text(key), validate=True))
    except (ValueError, NoBase64) as error:
        raise facts.wrong(key, f"numbers in base64 ({error})") from None
    if len(values) > most:
        raise facts.wrong(key, f"{most} numbers at most")
    return values
