"""
The registry of kinds: one class for schedulers, health checks and resource probes.

A configuration file or a program names a kind by a word, such as C{leastc} or C{http}.
A registry maps the words to the kinds. It knows nothing of plugins: a finder, which
L{txlb.application} sets, registers the kinds that plugins provide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from txlb.errors import DuplicateName, ModelError, UnknownName, shortened

__all__ = ["Finder", "Named", "Registry"]

#: A function that registers the kinds of plugins. It returns a line for each plugin that
#: is wrong.
Finder = Callable[[], Sequence[str]]


class Named(Protocol):
    """
    A kind, as far as a registry uses it.
    """

    @property
    def word(self) -> str:
        """
        The word for the kind in configuration files and programs.
        """


Kind = TypeVar("Kind", bound=Named)


def _always() -> bool:
    return True


class Registry(Generic[Kind]):
    """
    The kinds of one sort by their words.

    @param sort: the sort of the kinds, for messages: C{scheduler}.
    @param interface: the interface that the plugins of this sort provide.
    @param accept: checks what is registered and returns the kind to keep, in most cases
        the same object. It raises an error if the kind can't be used.
    @param aliases: other words, each with the word that it stands for.

    @ivar sort: the sort of the kinds.
    @ivar interface: the interface that the plugins of this sort provide.
    """

    def __init__(
        self,
        sort: str,
        interface: Any,
        accept: Callable[[Any], Kind],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.sort = sort
        self.interface = interface
        self._accept = accept
        self._aliases = {} if aliases is None else aliases
        # Each kind, and the object that was registered for it.
        self._entries: dict[str, tuple[Kind, object]] = {}
        self._finder: Finder | None = None

    def register(self, kind: object) -> None:
        """
        Make a kind known by its word. If it is refused the registry is as before.

        @param kind: a kind or another provider of L{interface}.
        @raise DuplicateName: the word is taken.
        @raise ModelError: the kind can't be used, and why.
        """
        word = getattr(kind, "word", None)
        if not isinstance(word, str) or not word.replace("-", "_").isidentifier():
            raise ModelError(
                f"{shortened(repr(word))} is no word for a {self.sort}; choose one of letters, "
                "digits, - and _"
            )
        if word in self._entries or word in self._aliases:
            raise DuplicateName(f"there is a {self.sort} {word!r} already; choose another word")
        self._entries[word] = self._accept(kind), kind

    def findBy(self, finder: Finder) -> None:
        """
        Set the function that is called if a word is unknown.
        """
        self._finder = finder

    def has(self, kind: object) -> bool:
        """
        Return whether this very object was registered.
        """
        return any(registered is kind for _, registered in self._entries.values())

    def words(self) -> list[str]:
        """
        Return the words of all kinds, in the order of their registration.
        """
        return list(self._entries)

    def kinds(self) -> list[Kind]:
        """
        Return all kinds, in the order of their registration.
        """
        return [kind for kind, _ in self._entries.values()]

    def get(self, word: str, mayLook: Callable[[], bool] = _always) -> Kind:
        """
        Return the kind of a word. Look for it in plugins if it is unknown.

        @param word: its word, or an alias of it.
        @param mayLook: is called if the word is unknown, and tells whether the registry may
            look for plugins.
        @raise UnknownName: there is no such kind. The error names the plugins that are
            wrong as well.
        """
        word = self._aliases.get(word, word)
        wrong: Sequence[str] = ()
        if word not in self._entries and self._finder is not None and mayLook():
            wrong = self._finder()
        if word not in self._entries:
            raise UnknownName(self.sort, word, self._entries, "; ".join(wrong))
        return self._entries[word][0]
