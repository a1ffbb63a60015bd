"""
Sources of hosts, as configured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any

from txlb.errors import ModelError
from txlb.model._checks import checkMapping, shown
from txlb.model.kinds import Number, Text, textOf
from txlb.model.options import Option, completedOptions
from txlb.model.settings import checkSettings, setting, settingField

#: The kind of the words for sources.
_WORD = Text(r"[a-z][a-zA-Z0-9_-]{0,62}", "a word, such as 'file'")


@dataclass(frozen=True, slots=True)
class Discovery:
    """
    The source of the hosts of a group. Its settings are described where they are declared,
    and in the reference of the configuration file.

    @ivar source: the word for the kind of source: C{file}, C{dns} and so on.
        L{txlb.model.registries.SOURCES} has the words.
    @ivar options: the settings of this kind of source, by name.
    """

    source: str = field(
        metadata=setting(
            _WORD,
            "The kind of the source. Each kind has attributes of its own; see below.",
            word="from",
        )
    )
    _: KW_ONLY
    maxRemove: float = settingField(
        0.5,
        Number(0.0, 1.0),
        "The share of its hosts that an answer of the source may leave out. If more are "
        "missing, none is removed before an administrator accepts the answer.",
    )
    # Two that differ in nothing else may have one hash.
    options: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        checkSettings(self, self.whose)
        options = checkMapping(self.options, f"options of {self.whose}")
        object.__setattr__(self, "options", MappingProxyType(options))

    @property
    def whose(self) -> str:
        """
        Its name, for messages.
        """
        return f"the {self.source} source"

    def __str__(self) -> str:
        return " ".join([self.source, *(f"{k}={textOf(v)}" for k, v in self.options.items())])

    def completed(self, options: Sequence[Option]) -> dict[str, Any]:
        """
        Return the values of all options of its kind.

        @param options: those that the kind has.
        @raise UnknownName: it has an option that the kind does not have.
        @raise ModelError: a value is wrong, or one is missing.
        """
        return completedOptions(options, self.options, self.whose)


def checkDiscovery(value: object, what: str) -> None:
    """
    Check that a value is a L{Discovery} or L{None}.

    @param what: its owner, for the message.
    @raise ModelError: it is neither.
    """
    if value is not None and not isinstance(value, Discovery):
        raise ModelError(f"discover of {what} is {shown(value)}, not a Discovery or None")


def discoveryFrom(
    source: Discovery | str | None, options: Mapping[str, object]
) -> Discovery | None:
    """
    Make a source, as configured, of a short form.

    @param source: a L{Discovery}, or the word for a kind; L{None} for none.
    @param options: C{maxRemove}, and the settings of the kind.
    @raise ModelError: a setting breaks a rule.
    """
    if not isinstance(source, str):
        checkDiscovery(source, "the group")
        if options:
            raise ModelError(f"{', '.join(options)}: only the word for a kind goes with settings")
        return source
    own = dict(options)
    if "maxRemove" in own:
        most: Any = own.pop("maxRemove")
        return Discovery(source, maxRemove=most, options=own)
    return Discovery(source, options=own)
