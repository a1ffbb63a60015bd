"""
The kinds of probes that C{<resource probe="...">} can ask for, as
L{txlb.application} tells them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from txlb.config._checkwords import CheckOption
from txlb.config._elements import REQUIRED, Attribute, Variant
from txlb.config._kinds import PlainKind
from txlb.errors import DuplicateName, ModelError, nearest

_variants: dict[str, Variant] = {}
_finders: list[Callable[[], object]] = []


def findProbeWordsBy(finder: Callable[[], object]) -> None:
    """
    Look for more kinds when a file asks for one that is unknown.

    @param finder: makes those that it finds known.
    """
    _finders[:] = [finder]


def registerProbeWord(word: str, doc: str, options: Iterable[CheckOption]) -> None:
    """
    Let files ask for a kind of probe.

    @param word: what stands in C{probe}.
    @param doc: what it does, in a sentence or two of reStructuredText.
    @param options: the attributes that it has of its own.
    @raise DuplicateName: the word is taken.
    """
    if word in _variants:
        raise DuplicateName(f"there is a probe {word!r} already; choose another word")
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


def probeVariants() -> dict[str, Variant]:
    """
    All kinds, by their words; a look for one that is not there finds it in a
    plugin.
    """
    return _Findable(_variants)


class _Findable(dict[str, Variant]):
    """
    Looks for what is not there.
    """

    def get(self, word: str, default: Any = None) -> Any:
        _find(word)
        return _variants.get(word, default)


def _find(word: str) -> None:
    if word not in _variants:
        for finder in _finders:
            finder()


@dataclass(frozen=True, slots=True)
class ProbeWord(PlainKind):
    """
    The word of a kind of probe.
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
        _find(text)
        if text not in _variants:
            wrong = self.wrong(text, what)
            hint = nearest(text, _variants) if len(text) <= 60 else None
            raise ModelError(f"{wrong}; did you mean {hint!r}?") if hint else wrong
        return text
