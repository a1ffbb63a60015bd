"""
Health checks of hosts, as configured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from txlb.errors import ModelError
from txlb.model._checks import shown
from txlb.model._made import Made, given
from txlb.model._polling import Polling
from txlb.model.kinds import WEEK, Boolean, Seconds, Text, Whole
from txlb.model.settings import settingField

#: The kind of a check that is a function, and the option that has the function.
FUNCTION_KIND = "python"
FUNCTION_OPTION = "call"

#: The kind of the words for checks.
_WORD = Text(r"[a-z][a-zA-Z0-9_-]{0,62}", "a word, such as 'tcp', or a function")


@dataclass(frozen=True, slots=True)
class HealthCheck(Polling):
    """
    How a host is checked, and how often. Its settings are described where they are
    declared, and in the reference of the configuration file.

    @ivar kind: the word for the kind of check: C{tcp}, C{http} and so on.
        L{txlb.model.registries.CHECKS} has the words. If a function is given, the kind is
        C{python}, and the check calls the function with a L{txlb.health.Target}.
    @ivar timeout: L{None} for as long as the interval, but at most 5 seconds.
    @ivar fastInterval: L{None} for C{interval}.
    @ivar downInterval: L{None} for C{interval}.
    @ivar port: L{None} for the port of the traffic.
    @ivar options: the settings of this kind of check, by name.
    """

    noun = "check"
    longest = 5.0
    wordKind = _WORD

    kind: Made[str, str | Callable[[Any], object]] = settingField(
        given("tcp"),
        _WORD,
        "The kind of the check. Each kind has attributes of its own; see below.",
        word="type",
    )
    interval: float = settingField(
        2.0,
        Seconds(0.01, WEEK),
        "Seconds from one check to the next at most; about a twentieth less on average.",
    )
    _: KW_ONLY
    timeout: float | None = settingField(
        None,
        Seconds(0.01, WEEK),
        "Seconds that one check has, at most the interval.",
        defaultDoc="the interval, at most 5 s",
    )
    rise: int = settingField(
        2, Whole(1, 100), "Successes in a row that put a host in that was down."
    )
    fall: int = settingField(3, Whole(1, 100), "Failures in a row that put a host out that was up.")
    fastInterval: float | None = settingField(
        None,
        Seconds(0.01, WEEK),
        "The interval while a host goes up or down, or was not checked yet.",
        defaultDoc="the interval",
    )
    downInterval: float | None = settingField(
        None, Seconds(0.01, WEEK), "The interval while a host is down.", defaultDoc="the interval"
    )
    port: int | None = settingField(
        None,
        Whole(1, 65535),
        "The port to check. No PROXY header is sent to it. A host that is a UNIX socket has no "
        "ports, and is checked at its socket.",
        defaultDoc="the port of the traffic",
    )
    onlyDown: bool = settingField(
        False, Boolean(), "Whether hosts that are up are left alone, until traffic puts one out."
    )
    # Two that differ in nothing else may have one hash.
    options: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        kind: object = self.kind
        if callable(kind) and not isinstance(kind, type):
            object.__setattr__(self, "options", {**self.options, FUNCTION_OPTION: kind})
            object.__setattr__(self, "kind", FUNCTION_KIND)
        self._verify()


#: The values that stand for a check: see L{healthCheckOf}.
CheckLike = HealthCheck | str | Callable[[Any], object] | None


def healthCheckOf(value: object, what: str) -> HealthCheck | None:
    """
    Make a check of a value that is short to write.

    @param value: a check; the word for a kind of check, or a function, for a check
        with the defaults; L{None} for none.
    @param what: the owner of the check, for the message.
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
