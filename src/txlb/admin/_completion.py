"""
Completion at the prompt: of names, attributes, and the arguments of commands.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

#: A name, or names with dots between them, at the end of the typed text.
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\.?$")

#: The call of a function in whose arguments the cursor is, in a text that is not closed.
_CALL = re.compile(
    r"""(?P<function>[^\W\d]\w*)\(
        (?P<before>(?:[^()'"]|'[^']*'|"[^"]*")*)
        (?P<quote>['"])(?P<text>[^'"]*)$""",
    re.VERBOSE,
)

#: Returns the names that an argument can be: it is called with the argument's name and
#: with the arguments before it.
Choices = Callable[[str, Mapping[str, object]], Iterable[str]]

#: The attribute of a function that has its L{Choices}.
CHOICES = "__choices__"


class Completer:
    """
    The completion of lines at a prompt.

    @param names: those that are bound.
    """

    def __init__(self, names: Mapping[str, object]) -> None:
        self._names = names

    def complete(self, line: str) -> tuple[str, list[str]]:
        """
        Complete a line.

        @param line: up to the cursor.
        @return: the part of it that is completed, and the words that may stand in its place,
            in order.
        """
        call = _CALL.search(line)
        if call is not None:
            found = self._arguments(call["function"], call["before"], call["text"])
            return call["text"], [f"{each}{call['quote']}" for each in found]
        name = _NAME.search(line)
        if name is None:
            return "", []
        start, dot, part = name[0].rpartition(".")
        found = self._attributes(start, part) if dot else self._words(part)
        before = start + dot
        return name[0], [before + each for each in found]

    def _words(self, part: str) -> list[str]:
        words = {*self._names, *vars(builtins), *keyword.kwlist}
        found = sorted(word for word in words if _begins(word, part))
        return [self._called(word, self._value(word)) for word in found]

    def _attributes(self, path: str, part: str) -> list[str]:
        """
        Return the attributes of a value that begin with a text.

        @param path: how the value is reached.
        """
        first, *rest = path.split(".")
        value = self._value(first)
        try:
            for name in rest:
                value = getattr(value, name)
            found = sorted(each for each in dir(value) if _begins(each, part))
        except Exception:  # noqa: BLE001 - of a value that raises nothing is completed
            return []
        # Without asking properties, which may take their time.
        return [self._called(each, inspect.getattr_static(value, each, None)) for each in found]

    def _value(self, name: str) -> object:
        return self._names.get(name, getattr(builtins, name, None))

    def _called(self, name: str, value: object) -> str:
        return f"{name}(" if callable(value) and not isinstance(value, type) else name

    def _arguments(self, name: str, before: str, text: str) -> list[str]:
        """
        Return the texts that an argument of a command may be.

        @param before: the arguments before it.
        """
        function = self._names.get(name)
        choices: Choices | None = getattr(function, CHOICES, None)
        if choices is None or not callable(function):
            return []
        parameters = list(inspect.signature(function).parameters)
        given: dict[str, object] = {}
        *values, last = _split(before)
        for number, value in enumerate(values):
            key, equals, word = value.rpartition("=")
            place = key.strip() if equals else "".join(parameters[number : number + 1])
            given[place] = _literal(word)
        key, equals, _ = last.partition("=")
        position = "".join(parameters[len(values) : len(values) + 1])
        wanted = key.strip() if equals else position
        return sorted(each for each in choices(wanted, given) if each.startswith(text))


def beginning(words: Sequence[str]) -> str:
    """
    Return the characters with which all of some words begin.
    """
    if not words:
        return ""
    # The words between the least and the greatest begin with them too.
    least, most = min(words), max(words)
    size = next(
        (n for n, pair in enumerate(zip(least, most, strict=False)) if len(set(pair)) > 1), None
    )
    return least[:size] if size is not None else least


def _begins(word: str, part: str) -> bool:
    """
    Whether a name may stand for its beginning. A name with an underscore before it is
    offered only if the underscore is typed.
    """
    return word.startswith(part) and (part.startswith("_") or not word.startswith("_"))


def _split(arguments: str) -> list[str]:
    """
    Split arguments at their commas, but not at those in texts.
    """
    return re.findall(r"""(?:[^,'"]|'[^']*'|"[^"]*")+|(?<=,)$|^$""", arguments) or [""]


def _literal(word: str) -> object:
    try:
        return ast.literal_eval(word.strip())
    except (ValueError, SyntaxError):
        return None
