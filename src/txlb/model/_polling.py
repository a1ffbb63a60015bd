"""
The base class of checks and of probes, as configured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar

from txlb.errors import ModelError
from txlb.model._checks import checkMapping
from txlb.model.kinds import Text, textOf
from txlb.model.options import Option, completedOptions
from txlb.model.settings import checkSettings


class Polling:
    """
    How hosts are asked again and again. A subclass is a frozen dataclass with the fields of
    this class. Its first field is the word for the kind of asking, and its second one is
    C{interval}.

    @cvar noun: what it is, for messages: a check or a probe.
    @cvar longest: how long one takes at most if it has no timeout, in seconds.
    @cvar wordKind: the kind of the words.
    @ivar interval: the seconds from one to the next.
    @ivar timeout: the seconds that one has; L{None} for as long as the interval, but at most
        C{longest}.
    @ivar options: the settings of this kind of asking, by name.
    """

    __slots__ = ()

    noun: ClassVar[str]
    longest: ClassVar[float]
    wordKind: ClassVar[Text]

    interval: float
    timeout: float | None
    options: Mapping[str, object]

    @property
    def word(self) -> str:
        """
        The word for the kind of asking.
        """
        word: str = getattr(self, fields(self)[0].name)  # type: ignore[arg-type]  # a dataclass
        return word

    @property
    def whose(self) -> str:
        """
        Its name, for messages.
        """
        return f"the {self.word} {self.noun}"

    def _verify(self) -> None:
        """
        Check the settings of a value that is being made.

        @raise ModelError: a setting breaks a rule.
        """
        self.wordKind.check(self.word, f"kind of a {self.noun}")
        checkSettings(self, self.whose)
        if self.timeout is not None and self.timeout > self.interval:
            raise ModelError(
                f"timeout of {self.whose} is {self.timeout:g}, longer than its interval of "
                f"{self.interval:g}; it is at most that, as a host's {self.noun}s don't overlap"
            )
        options = checkMapping(self.options, f"options of {self.whose}")
        object.__setattr__(self, "options", MappingProxyType(options))

    def __str__(self) -> str:
        make: Callable[..., Polling] = type(self)
        usual = make(self.word, self.interval)
        said = [
            f"{each.name}={getattr(self, each.name)}"
            for each in fields(self)  # type: ignore[arg-type]  # a dataclass
            if each.name != "options" and getattr(self, each.name) != getattr(usual, each.name)
        ]
        said += [
            f"{name}={getattr(value, '__qualname__', textOf(value))}"
            for name, value in self.options.items()
        ]
        return " ".join([f"{self.word} every {self.interval:g} s", *said])

    @property
    def patience(self) -> float:
        """
        The seconds that one has.
        """
        return min(self.interval, self.longest) if self.timeout is None else self.timeout

    def completed(self, options: Sequence[Option]) -> dict[str, Any]:
        """
        Return the values of all options of its kind.

        @param options: those that the kind has.
        @raise UnknownName: it has an option that the kind does not have.
        @raise ModelError: a value is wrong, or one is missing.
        """
        return completedOptions(options, self.options, self.whose)
