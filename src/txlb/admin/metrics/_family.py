"""
A family of metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """
    A kind of metrics, as both text formats name it.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """
    A family of metrics: samples of one name. The writer and the reference in the
    documentation are made of it.

    @ivar name: the name of its samples; that of a counter ends in C{_total}.
    @ivar doc: one sentence about it, with the unit, and without a full stop.
    @ivar labels: the names of its labels, in their order.
    @ivar value: given a thing of its list, returns the value: a number, or L{None} for
        no sample; of a histogram the L{txlb.pool.Histogram}; of a family with one label more than
        the thing has, a mapping from values of that label to numbers.
    @ivar always: whether each thing has a value, so that none is looked for.
    @ivar timed: whether C{value} gets the time by the pools' clock as well.
    """

    name: str
    kind: Kind
    doc: str
    labels: Sequence[str]
    value: Callable[..., object]
    always: bool = True
    timed: bool = False

    def heading(self, openMetrics: bool) -> str:
        """
        Return the lines before its samples. In OpenMetrics the name of a counter is without
        C{_total} there.
        """
        name = self.name.removesuffix("_total") if openMetrics else self.name
        doc = self.doc.replace("\\", "\\\\").replace("\n", "\\n")
        return f"# HELP {name} {doc}.\n# TYPE {name} {self.kind.value}\n"


def counter(
    name: str, doc: str, labels: Sequence[str], value: Callable[..., object], always: bool = True
) -> Family:
    """
    Make a family of numbers that only grow.
    """
    return Family(name, Kind.COUNTER, doc, labels, value, always)


def gauge(
    name: str, doc: str, labels: Sequence[str], value: Callable[..., object], always: bool = True
) -> Family:
    """
    Make a family of numbers that go up and down.
    """
    return Family(name, Kind.GAUGE, doc, labels, value, always)
