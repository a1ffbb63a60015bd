"""
The kinds of checks that C{<check type="...">} can ask for.

The checks themselves are on the same layer as this package and not known here:
L{txlb.application} tells their words and what each has of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from txlb.config._elements import REQUIRED, Attribute, Variant
from txlb.config._kinds import Kind, PlainKind
from txlb.errors import DuplicateName, ModelError, nearest


class CheckOption(Protocol):
    """
    What a kind of check says of an attribute of its own; that of
    L{txlb.health.Option}.
    """

    @property
    def name(self) -> str:
        """
        Its name.
        """

    @property
    def kind(self) -> Kind:
        """
        What its values are.
        """

    @property
    def doc(self) -> str:
        """
        What it is for.
        """

    @property
    def default(self) -> Any:
        """
        Its value where it isn't written.
        """

    @property
    def defaultDoc(self) -> str:
        """
        What to say of a default that isn't one fixed value.
        """

    @property
    def required(self) -> bool:
        """
        Whether it has to be written.
        """


_variants: dict[str, Variant] = {}


def registerCheckWord(word: str, doc: str, options: Iterable[CheckOption]) -> None:
    """
    Let files ask for a kind of check.

    @param word: what stands in C{type}.
    @param doc: what it does, in a sentence or two of reStructuredText.
    @param options: the attributes that it has of its own.
    @raise DuplicateName: the word is taken.
    """
    if word in _variants:
        raise DuplicateName(f"there is a check {word!r} already; choose another word")
    attributes = tuple(
        Attribute(
            option.name,
            option.kind,
            option.doc,
            REQUIRED if option.required else option.default,
            option.defaultDoc,
        )
        for option in options
    )
    _variants[word] = Variant(doc, attributes)


def checkVariants() -> dict[str, Variant]:
    """
    All kinds, by their words.
    """
    return dict(_variants)


@dataclass(frozen=True, slots=True)
class CheckWord(PlainKind):
    """
    The word of a kind of check.
    """

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        if not _variants:
            return "a word that is known once txlb.application was imported"
        return f"one of {', '.join(_variants)}"

    def parse(self, text: str, what: str) -> str:
        """
        See L{Kind.parse}.
        """
        if text not in _variants:
            wrong = self.wrong(text, what)
            hint = nearest(text, _variants) if len(text) <= 60 else None
            raise ModelError(f"{wrong}; did you mean {hint!r}?") if hint else wrong
        return text
