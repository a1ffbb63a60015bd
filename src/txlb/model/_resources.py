"""
Probes of the loads of hosts, as configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from txlb.errors import ModelError
from txlb.model._checks import shown
from txlb.model._polling import Polling
from txlb.model.kinds import DAY, Number, Seconds, Text, Whole
from txlb.model.settings import settingField

#: The kind of the words for probes.
_WORD = Text(r"[a-z][a-zA-Z0-9_-]{0,62}", "a word, such as 'agent'")


@dataclass(frozen=True, slots=True)
class ResourceProbe(Polling):
    """
    How the loads of a group's hosts are found out, and how often. A host of which nothing
    is heard for three intervals has its configured weight. Its settings are described where
    they are declared, and in the reference of the configuration file.

    @ivar probe: the word for the kind of probe: C{agent}, C{http} and so on.
        L{txlb.model.registries.PROBES} has the words.
    @ivar timeout: L{None} for as long as the interval, but at most 1 second.
    @ivar port: L{None} for the port of the traffic.
    @ivar options: the settings of this kind of probe, by name.
    """

    noun = "probe"
    longest = 1.0
    wordKind = _WORD

    probe: str = settingField(
        "agent", _WORD, "The kind of the probe. Each kind has attributes of its own; see below."
    )
    interval: float = settingField(
        2.0, Seconds(0.1, DAY), "Seconds from one probe to the next; a tenth more or less."
    )
    _: KW_ONLY
    timeout: float | None = settingField(
        None,
        Seconds(0.01, DAY),
        "Seconds that one probe has, at most the interval.",
        defaultDoc="the interval, at most 1 s",
    )
    smoothing: float = settingField(
        0.3,
        Number(0.001, 1.0),
        "The share that the newest answer has in the average; 1 is for no smoothing.",
    )
    port: int | None = settingField(
        None,
        Whole(1, 65535),
        "The port to ask. A host that is a UNIX socket is asked on 127.0.0.1.",
        defaultDoc="the port of the traffic",
    )
    # Two that differ in nothing else may have one hash.
    options: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        self._verify()


def checkResourceProbe(value: object, what: str) -> None:
    """
    Check that a value is a probe or L{None}.

    @param what: its owner, for the message.
    @raise ModelError: C{value} is neither a L{ResourceProbe} nor L{None}.
    """
    if value is not None and not isinstance(value, ResourceProbe):
        raise ModelError(f"resource of {what} is {shown(value)}, not a ResourceProbe or None")
