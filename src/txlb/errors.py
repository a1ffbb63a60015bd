"""
The exceptions of txlb, in one tree: C{except TxlbError} catches them all.

Every message names the thing that is wrong, and the rule or the remedy if there is one, so that
it can be shown to a person as it is.
"""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import eq

__all__ = [
    "AccessDenied",
    "AddressError",
    "CertificateError",
    "ChangeStopped",
    "ChangeUnderWay",
    "ConfigurationConflict",
    "ConfigurationError",
    "DuplicateName",
    "LeaseReleased",
    "ListenError",
    "ModelError",
    "NoHostAvailable",
    "Problem",
    "Remedy",
    "SeveralListeners",
    "StateDirectoryError",
    "StateError",
    "TxlbError",
    "UnknownConnection",
    "UnknownName",
    "firstLines",
    "listed",
    "nearest",
    "remedyLines",
    "shortened",
]

#: How many names a message lists.
MOST_LISTED = 20

#: How much of a name or value a message shows, and how long the message about a problem
#: of a file is, in characters.
MOST_SHOWN = 60
MOST_SAID = 1000

#: How many lines of a list without a bound are told, and how many characters they have in
#: all: as many as an answer of the control socket holds with its remedies.
MOST_TOLD = 50
MOST_TOLD_CHARACTERS = 24_000

#: How many known names L{nearest} looks at, and how many of those that look most like
#: the wanted one it compares letter by letter.
MOST_LOOKED_AT = 10_000
MOST_COMPARED = 30


class TxlbError(Exception):
    """
    The base of all errors that txlb raises on purpose.
    """


class ModelError(TxlbError, ValueError):
    """
    A name, weight, port or setting that breaks a rule of the model.
    """


class CertificateError(ModelError):
    """
    A certificate, a key or a list of authorities that can't be used.
    """


class AddressError(ModelError):
    """
    A text that is not an address of the kind that is wanted.
    """


class DuplicateName(ModelError):
    """
    A name that is taken already.
    """


class UnknownName(TxlbError, LookupError):
    """
    A service, group, host, listener or scheduler that does not exist.

    @ivar name: the name that was asked for.
    @ivar known: the names that do exist.
    @ivar more: a text that the message has as well, such as the plugins that are wrong.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], more: str = "") -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        self.more = more
        hint = nearest(str(name), self.known)
        if hint is not None:
            remedy = f"did you mean {hint!r}?"
        elif self.known:
            remedy = "there are: " + listed(sorted(self.known))
        else:
            remedy = "there is none yet"
        if more:
            remedy = f"{remedy} ({more})"
        # A call at a prompt may give any object.
        asked: object = name
        shown = shortened(asked) if isinstance(asked, str) else asked
        super().__init__(f"no {kind} is called {shown!r}; {remedy}")


class SeveralListeners(UnknownName):
    """
    The name of a service that has several listeners, in the place of the name of one of them.
    """

    def __init__(self, service: str, listeners: Iterable[str]) -> None:
        names = list(listeners)
        super().__init__("listener", service, names)
        self.args = (f"service {service!r} has several listeners; name one: {listed(names)}",)


class AccessDenied(TxlbError):
    """
    A command that the caller may not give.
    """


class ChangeStopped(TxlbError):
    """
    A change in slices of which only a part was made, as the balancer was stopped.
    """


class ChangeUnderWay(TxlbError):
    """
    Another change, which takes a while, is under way.
    """


class UnknownConnection(TxlbError, LookupError):
    """
    The name of a connection that does not exist.
    """


class ListenError(TxlbError):
    """
    An address on which txlb can't listen: taken, not this machine's, or not
    permitted.

    @ivar address: the address as it was given.
    @ivar reason: why txlb can't listen on it.
    """

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"can't listen on {address}: {reason}")


class NoHostAvailable(TxlbError):
    """
    No host of a pool can take work now.
    """


class LeaseReleased(TxlbError, RuntimeError):
    """
    The use of a lease after its release: an error in the program that held it.
    """


class StateError(TxlbError, ValueError):
    """
    What another process has written of its state, and what can't be taken over.
    """


class StateDirectoryError(TxlbError):
    """
    The directory for what txlb keeps between runs can't be used.
    """


@dataclass(frozen=True, slots=True)
class Remedy:
    """
    A command of L{txlb.admin.COMMANDS} that resolves an error. Each way to give
    commands has its own spelling of it.

    @ivar purpose: what the command achieves, to follow the word "to".
    @ivar command: the command's name in the list.
    @ivar option: the flag that the command is given; empty for none.
    """

    purpose: str
    command: str
    option: str = ""

    @property
    def python(self) -> str:
        """
        The command at the manhole's prompt and in a program.
        """
        return f"{self.command}({self.option}=True)" if self.option else f"{self.command}()"

    @property
    def shell(self) -> str:
        """
        The command in a shell.
        """
        return f"txlb {self.command} --{self.option}" if self.option else f"txlb {self.command}"

    @property
    def wire(self) -> str:
        """
        The command in AMP, on the control socket.
        """
        name = self.command[0].upper() + self.command[1:]
        return f"{name} {self.option}=True" if self.option else name


def remedyLines(remedies: Iterable[Remedy], spell: Callable[[Remedy], str]) -> list[str]:
    """
    Return remedies for people, a line each.

    @param spell: gives the command of a remedy as the reader can use it.
    """
    return [f"to {each.purpose}: {spell(each)}" for each in remedies]


class ConfigurationConflict(TxlbError):
    """
    A live change and a change of the file that contradict each other. Nothing was done.

    As text it names the remedies as the manhole and a program spell them;
    L{explained} spells them otherwise.

    @ivar lines: the contradictions, for people.
    @ivar remedies: the commands that resolve it.
    """

    def __init__(self, lines: Sequence[str], remedies: Sequence[Remedy] = ()) -> None:
        self.lines = tuple(lines)
        self.remedies = tuple(remedies)
        super().__init__(self.explained(lambda remedy: remedy.python))

    def explained(self, spell: Callable[[Remedy], str]) -> str:
        """
        Return the error as text.

        @param spell: gives the command of a remedy as the reader can use it.
        """
        return "\n".join((*self.lines, *remedyLines(self.remedies, spell)))


class Problem:
    """
    One mistake in a configuration file.

    @ivar file: the file's path as it was given.
    @ivar line: the line of the element, from 1; 0 if it is unknown.
    @ivar message: the mistake and its remedy, in at most 1000 characters.
    """

    __slots__ = ("file", "line", "message")

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file = file
        self.line = line
        self.message = shortened(message, MOST_SAID)

    def __str__(self) -> str:
        if self.line:
            return f"{self.file}:{self.line}: {self.message}"
        return f"{self.file}: {self.message}"

    def __repr__(self) -> str:
        return f"<Problem {self}>"


class ConfigurationError(TxlbError):
    """
    A configuration file that can't be used.

    @ivar problems: the mistakes in the order of the file, at least one.
    @ivar more: how many further mistakes there are, after these in the file.
    """

    def __init__(self, problems: Sequence[Problem], more: int = 0) -> None:
        lines = [str(problem) for problem in problems]
        told = _toldOf(lines)
        self.problems = tuple(problems[:told])
        self.more = more + len(problems) - told
        if self.more:
            what = "problem" if self.more == 1 else "problems"
            lines[told:] = [f"{problems[0].file}: and {self.more} more {what}"]
        super().__init__("\n".join(lines))


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """
    Return a text as a message shows it: cut if it is long.

    @param most: how many characters are shown.
    """
    return text if len(text) <= most else text[:most] + "…"


def firstLines(
    lines: Sequence[str],
    prefix: str = "",
    most: int = MOST_TOLD,
    characters: int = MOST_TOLD_CHARACTERS,
) -> list[str]:
    """
    Tell a list of lines that has no bound by its first lines, and the number of the others.

    @param prefix: begins the line that has the number.
    @param most: how many lines are told.
    @param characters: how many characters they have in all, except the first, which is told
        in any case.
    """
    told = _toldOf(lines, most, characters)
    more = len(lines) - told
    if not more:
        return list(lines)
    return [*lines[:told], f"{prefix}and {more} more {'line' if more == 1 else 'lines'}"]


def _toldOf(
    lines: Sequence[str], most: int = MOST_TOLD, characters: int = MOST_TOLD_CHARACTERS
) -> int:
    """
    Count the first lines that fit into a message: one at least.
    """
    for number, line in enumerate(lines[:most]):
        characters -= len(line) + 1
        if number and characters < 0:
            return number
    return min(len(lines), most)


def listed(names: Iterable[str], separator: str = ", ") -> str:
    """
    Return the first of some names, and how many more there are.
    """
    every = list(names)
    shown = [shortened(name) for name in every[:MOST_LISTED]]
    if len(every) > len(shown):
        shown[-1] += f" and {len(every) - len(shown)} more"
    return separator.join(shown)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """
    Return the known name that is the most similar to C{name}, for a hint.

    It takes at most a few milliseconds, also with thousands of names, as clients of the
    control socket can ask for any name.

    @return: L{None} if none is similar, or if C{name} is longer than 60 characters.
    """
    if len(name) > MOST_SHOWN:
        return None
    # The ratio of difflib is 2 * M / T: M is the number of equal letters, at most the length of
    # the shorter name, T the length of both. It is 0.6 or more, the cutoff below, only if
    # the lengths are as 3 to 7 at most.
    least, most = 3 * len(name) / 7, 7 * len(name) / 3
    found = [each for each in islice(known, MOST_LOOKED_AT) if least <= len(each) <= most]
    if len(found) > MOST_COMPARED:
        found = heapq.nlargest(MOST_COMPARED, found, key=partial(_likeness, name, name[::-1]))
    close = difflib.get_close_matches(name, found, n=1, cutoff=0.6)
    return close[0] if close else None


def _likeness(name: str, backwards: str, other: str) -> int:
    """
    Return how many letters two names have at the same places, counted from both ends.
    """
    same = [*map(eq, name, other), *map(eq, backwards, other[::-1])]
    return same.count(True)
