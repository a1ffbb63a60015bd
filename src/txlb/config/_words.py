"""
The kinds of checks and of probes that a file can ask for by a word, as in
C{<check type="...">} and C{<resource probe="...">}.

The checks and probes themselves are on the same layer as this package and not
known here: L{txlb.application} tells their words and what each has of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from txlb.config._elements import REQUIRED, Attribute, Variant
from txlb.config._kinds import PlainKind
from txlb.config._looks import mayLook
from txlb.errors import DuplicateName, ModelError, nearest
from txlb.model.options import Option


class Words:
    """
    The words of one sort of thing.

    @param sort: what they are words of, for messages.
    """

    def __init__(self, sort: str) -> None:
        self._sort = sort
        self._variants: dict[str, Variant] = {}
        self._finder: Callable[[], object] | None = None

    def findBy(self, finder: Callable[[], object]) -> None:
        """
        Look for more when a file asks for one that is unknown.

        @param finder: registers those that it finds.
        """
        self._finder = finder

    def register(self, word: str, doc: str, options: Iterable[Option]) -> None:
        """
        Let files ask for one.

        @param word: what stands in the file.
        @param doc: what it does, in a sentence or two of reStructuredText.
        @param options: the attributes that it has of its own.
        @raise DuplicateName: the word is taken.
        """
        if word in self._variants:
            raise DuplicateName(f"there is a {self._sort} {word!r} already; choose another word")
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
        self._variants[word] = Variant(doc, attributes)

    def known(self) -> list[str]:
        """
        All that are known now.
        """
        return list(self._variants)

    def find(self, word: str) -> Variant | None:
        """
        What a word stands for; L{None} for nothing, as far as can be found.
        """
        if word not in self._variants and self._finder is not None and mayLook():
            self._finder()
        return self._variants.get(word)

    def variants(self) -> dict[str, Variant]:
        """
        All, by their words; C{get} finds those of plugins too.
        """
        return _Finding(self)


class _Finding(dict[str, Variant]):
    """
    What is known, and looks for what is not.
    """

    def __init__(self, words: Words) -> None:
        super().__init__({word: variant for word in words.known() if (variant := words.find(word))})
        self._words = words

    def get(self, word: str, default: Any = None) -> Any:
        found = self._words.find(word)
        return default if found is None else found


@dataclass(frozen=True, slots=True)
class Word(PlainKind):
    """
    One of such words.

    @ivar words: of which.
    """

    words: Words

    def describe(self) -> str:
        known = self.words.known()
        if not known:
            return "a word that is known once txlb.application was imported"
        return f"one of {', '.join(known)}"

    def parse(self, text: str, what: str) -> str:
        if self.words.find(text) is None:
            wrong = self.wrong(text, what)
            hint = nearest(text, self.words.known())
            raise ModelError(f"{wrong}; did you mean {hint!r}?") if hint else wrong
        return text


CHECKS = Words("check")
PROBES = Words("probe")

registerCheckWord = CHECKS.register
registerProbeWord = PROBES.register
findProbeWordsBy = PROBES.findBy
