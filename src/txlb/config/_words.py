"""
The kinds of checks, of probes and of sources of hosts that a file can ask for by a word, as
in C{<check type="...">}, C{<resource probe="...">} and C{<discover from="...">}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from txlb.config._attribute import REQUIRED, Attribute
from txlb.config._variant import Variant
from txlb.errors import UnknownName
from txlb.model import registries
from txlb.model.looks import mayLook
from txlb.registry import Registry


class Words(Mapping[str, Variant]):
    """
    The variants of an element by their words, made of the kinds of a registry. Looking up
    an unknown word looks for plugins.

    @param registry: has the kinds.
    @param isIncluded: tells whether files can ask for a kind.
    """

    def __init__(
        self, registry: Registry[Any], isIncluded: Callable[[Any], bool] = lambda _: True
    ) -> None:
        self._registry = registry
        self._isIncluded = isIncluded
        # The variant of each kind that was asked for. A reload asks for those of every host.
        self._made: dict[str, tuple[object, Variant]] = {}

    def __getitem__(self, word: str) -> Variant:
        if self.missing(word) is not None:
            raise KeyError(word)
        kind = self._registry.get(word)
        made = self._made.get(word)
        if made is None or made[0] is not kind:
            made = self._made[word] = kind, _variantOf(kind)
        return made[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known())

    def __len__(self) -> int:
        return len(self.known())

    # A mapping is compared by what it has, but this one stands for its registry.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def missing(self, word: str) -> str | None:
        """
        Return L{None} if files can ask for a word, and otherwise what is wrong with plugins:
        an empty text for nothing.
        """
        try:
            kind = self._registry.get(word, mayLook)
        except UnknownName as error:
            return error.more
        return None if self._isIncluded(kind) else ""

    def known(self) -> list[str]:
        """
        Return all words that are known now.
        """
        return [kind.word for kind in self._registry.kinds() if self._isIncluded(kind)]

    def variants(self) -> Mapping[str, Variant]:
        """
        Return the variants by their words.
        """
        return self


def _variantOf(kind: Any) -> Variant:
    attributes = tuple(
        Attribute(
            option.name,
            option.kind,
            option.doc,
            REQUIRED if option.required else option.default,
            option.defaultDoc,
        )
        for option in kind.options
    )
    return Variant(kind.doc, attributes)


CHECKS = Words(registries.CHECKS, lambda kind: kind.inFiles)
PROBES = Words(registries.PROBES)
SOURCES = Words(registries.SOURCES)
