"""
How hosts are checked, as configured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from txlb.errors import ModelError
from txlb.model._checks import checkBoolean, checkMapping, checkSeconds, checkWhole, shown
from txlb.model.kinds import textOf

WEEK = 7 * 86400.0

#: The longest that one check takes where nothing is said, in seconds.
LONGEST_TIMEOUT = 5.0

#: The kind of a check that is a function, and the option that has the function.
FUNCTION_KIND = "python"
FUNCTION_OPTION = "call"

_KIND = re.compile(r"[a-z][a-zA-Z0-9_-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """
    How a host is checked, and how often.

    @ivar kind: the word for what is done: C{tcp}, C{http} and so on. The words
        that are known are in L{txlb.model.registries.CHECKS}. If a function is given
        in its place, the kind is C{python}, and the function is what is done: it is
        called with a L{txlb.health.Target}.
    @ivar interval: seconds from the beginning of one check to that of the next,
        0.01 to a week; a little less now and then, never more.
    @ivar timeout: seconds that one check has, 0.01 to C{interval}; L{None} for
        as long as the interval, but at most 5.
    @ivar rise: successes in a row that put a host in that was down, 1 to 100.
    @ivar fall: failures in a row that put a host out that was up, 1 to 100.
    @ivar fastInterval: the interval while a host goes up or down, or has not
        been checked yet; L{None} for C{interval}.
    @ivar downInterval: the interval while a host is down; L{None} for
        C{interval}.
    @ivar port: where to check, 1 to 65535; L{None} for where the traffic goes.
    @ivar onlyDown: whether hosts that are up are left alone.
    @ivar options: what this kind of check has of its own, by name.
    """

    kind: str = "tcp"
    interval: float = 2.0
    timeout: float | None = field(default=None, kw_only=True)
    rise: int = field(default=2, kw_only=True)
    fall: int = field(default=3, kw_only=True)
    fastInterval: float | None = field(default=None, kw_only=True)
    downInterval: float | None = field(default=None, kw_only=True)
    port: int | None = field(default=None, kw_only=True)
    onlyDown: bool = field(default=False, kw_only=True)
    # Two that differ in nothing else may have one hash.
    options: Mapping[str, object] = field(default_factory=dict, kw_only=True, hash=False)

    if TYPE_CHECKING:
        # What it is made from is wider than what it holds.
        def __init__(
            self,
            kind: str | Callable[[Any], object] = ...,
            interval: float = ...,
            *,
            timeout: float | None = ...,
            rise: int = ...,
            fall: int = ...,
            fastInterval: float | None = ...,
            downInterval: float | None = ...,
            port: int | None = ...,
            onlyDown: bool = ...,
            options: Mapping[str, object] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        kind: object = self.kind
        if callable(kind) and not isinstance(kind, type):
            object.__setattr__(self, "options", {**self.options, FUNCTION_OPTION: kind})
            object.__setattr__(self, "kind", FUNCTION_KIND)
        elif not isinstance(kind, str) or not _KIND.match(kind):
            raise ModelError(
                f"{shown(kind)} is no kind of check; it is a word, such as 'tcp', or a function"
            )
        whose = f"the {self.kind} check"
        for setting in ("interval", "timeout", "fastInterval", "downInterval"):
            value = getattr(self, setting)
            if value is not None or setting == "interval":
                value = checkSeconds(value, f"{setting} of {whose}", 0.01, WEEK)
                object.__setattr__(self, setting, value)
        if self.timeout is not None and self.timeout > self.interval:
            raise ModelError(
                f"timeout of {whose} is {self.timeout:g}, longer than its interval of "
                f"{self.interval:g}; it is at most that, as a host's checks don't overlap"
            )
        checkWhole(self.rise, f"rise of {whose}", 1, 100)
        checkWhole(self.fall, f"fall of {whose}", 1, 100)
        if self.port is not None:
            checkWhole(self.port, f"port of {whose}", 1, 65535)
        checkBoolean(self.onlyDown, f"onlyDown of {whose}")
        options = checkMapping(self.options, f"options of {whose}")
        object.__setattr__(self, "options", MappingProxyType(options))

    def __str__(self) -> str:
        usual = HealthCheck(self.kind, self.interval)
        said = [
            f"{each.name}={getattr(self, each.name)}"
            for each in fields(self)
            if each.name != "options" and getattr(self, each.name) != getattr(usual, each.name)
        ]
        said += [
            f"{name}={getattr(value, '__qualname__', textOf(value))}"
            for name, value in self.options.items()
        ]
        return " ".join([f"{self.kind} every {self.interval:g} s", *said])

    @property
    def patience(self) -> float:
        """
        Seconds that one check has.
        """
        return min(self.interval, LONGEST_TIMEOUT) if self.timeout is None else self.timeout


#: What a check can be given as: see L{healthCheckOf}.
CheckLike = HealthCheck | str | Callable[[Any], object] | None


def healthCheckOf(value: object, what: str) -> HealthCheck | None:
    """
    Make a check of what is short to write.

    @param value: a check; the word for a kind of check, or a function, for a check
        with the defaults; L{None} for none.
    @param what: what is checked, for the message.
    @raise ModelError: it is something else.
    """
    if value is None or isinstance(value, HealthCheck):
        return value
    if isinstance(value, str) or (callable(value) and not isinstance(value, type)):
        return HealthCheck(value)
    raise ModelError(
        f"check of {what} is {shown(value)}; it is a HealthCheck, a word such as 'tcp', a "
        "function or None"
    )
