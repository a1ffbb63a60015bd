"""
How the loads of hosts are found out, as configured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from txlb.errors import ModelError
from txlb.model._checks import checkMapping, checkSeconds, checkWhole, shown
from txlb.model.kinds import textOf

DAY = 86400.0

#: The longest that one probe takes where nothing is said, in seconds.
LONGEST_TIMEOUT = 1.0

#: The least smoothing factor.
LEAST_SMOOTHING = 0.001

_KIND = re.compile(r"[a-z][a-zA-Z0-9_-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class ResourceProbe:
    """
    How it is found out what the hosts of a group have left, and how often. Where
    nothing is heard of a host for three intervals it weighs as configured.

    @ivar probe: the word for what is done: C{agent}, C{http} and so on. The
        known words are in L{txlb.model.registries.PROBES}.
    @ivar interval: seconds from the beginning of one probe to that of the next,
        0.1 to a day; a tenth more or less.
    @ivar timeout: seconds that one probe has, 0.01 to C{interval}; L{None} for
        as long as the interval, but at most 1.
    @ivar smoothing: the smoothing factor, 0.001 to 1: the share that the newest
        answer has in the average. 1 is for no smoothing.
    @ivar port: where to ask, 1 to 65535; L{None} for where the traffic goes.
    @ivar options: what this kind of probe has of its own, by name.
    """

    probe: str = "agent"
    interval: float = 2.0
    timeout: float | None = field(default=None, kw_only=True)
    smoothing: float = field(default=0.3, kw_only=True)
    port: int | None = field(default=None, kw_only=True)
    # Two that differ in nothing else may have one hash.
    options: Mapping[str, object] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        kind: object = self.probe
        if not isinstance(kind, str) or not _KIND.match(kind):
            raise ModelError(f"{shown(kind)} is no kind of probe; it is a word, such as 'agent'")
        whose = f"the {self.probe} probe"
        interval = checkSeconds(self.interval, f"interval of {whose}", 0.1, DAY)
        object.__setattr__(self, "interval", interval)
        if self.timeout is not None:
            timeout = checkSeconds(self.timeout, f"timeout of {whose}", 0.01, DAY)
            object.__setattr__(self, "timeout", timeout)
            if timeout > interval:
                raise ModelError(
                    f"timeout of {whose} is {timeout:g}, longer than its interval of "
                    f"{interval:g}; it is at most that, as a host's probes don't overlap"
                )
        object.__setattr__(self, "smoothing", _checkSmoothing(self.smoothing, whose))
        if self.port is not None:
            checkWhole(self.port, f"port of {whose}", 1, 65535)
        options = checkMapping(self.options, f"options of {whose}")
        object.__setattr__(self, "options", MappingProxyType(options))

    def __str__(self) -> str:
        usual = ResourceProbe(self.probe, self.interval)
        said = [
            f"{each.name}={getattr(self, each.name)}"
            for each in fields(self)
            if each.name != "options" and getattr(self, each.name) != getattr(usual, each.name)
        ]
        said += [f"{name}={textOf(value)}" for name, value in self.options.items()]
        return " ".join([f"{self.probe} every {self.interval:g} s", *said])

    @property
    def patience(self) -> float:
        """
        Seconds that one probe has.
        """
        return min(self.interval, LONGEST_TIMEOUT) if self.timeout is None else self.timeout


def _checkSmoothing(value: object, whose: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if LEAST_SMOOTHING <= value <= 1:
            return float(value)
    raise ModelError(
        f"smoothing of {whose} is {shown(value)}; it is a number from {LEAST_SMOOTHING} to 1"
    )


def checkResourceProbe(value: object, what: str) -> None:
    """
    @raise ModelError: where C{value} is neither a L{ResourceProbe} nor L{None}.
    """
    if value is not None and not isinstance(value, ResourceProbe):
        raise ModelError(f"resource of {what} is {shown(value)}, not a ResourceProbe or None")
