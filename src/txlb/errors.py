"""
The exceptions of txlb, in one tree: C{except TxlbError} catches them all.

Every message names the thing that is wrong and, where there is one, the rule
or the remedy, so that it can be shown to a person as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "AccessDenied",
    "AddressError",
    "ConfigurationConflict",
    "ConfigurationError",
    "DuplicateName",
    "LeaseReleased",
    "ListenError",
    "ModelError",
    "NoHostAvailable",
    "Problem",
    "StateDirectoryError",
    "TxlbError",
    "UnknownConnection",
    "UnknownName",
    "nearest",
]


class TxlbError(Exception):
    """
    The root of everything that txlb raises on purpose.
    """


class ModelError(TxlbError, ValueError):
    """
    A name, weight, port or setting that breaks a rule of the model.
    """


class AddressError(ModelError):
    """
    A text that is not an address of the kind that is wanted.
    """


class DuplicateName(ModelError):
    """
    A name that is taken already where it has to be the only one.
    """


class UnknownName(TxlbError, LookupError):
    """
    A service, group, host, listener or scheduler that does not exist.

    @ivar name: what was asked for.
    @ivar known: the names that do exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], more: str = "") -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        hint = nearest(str(name), self.known)
        if hint is not None:
            remedy = f"did you mean {hint!r}?"
        elif self.known:
            remedy = "there are: " + ", ".join(sorted(self.known))
        else:
            remedy = "there is none yet"
        if more:
            remedy = f"{remedy} ({more})"
        super().__init__(f"no {kind} is called {name!r}; {remedy}")


class AccessDenied(TxlbError):
    """
    Somebody asked for what they may not do.
    """


class UnknownConnection(TxlbError, LookupError):
    """
    There is no connection to a host of the name that was given.
    """


class ListenError(TxlbError):
    """
    An address on which txlb can't listen: taken, not this machine's, or not
    permitted.

    @ivar address: the address as it was given.
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
    A lease was used or released after it had been released: an error in the
    program that held it.
    """


class StateDirectoryError(TxlbError):
    """
    The directory for what txlb keeps between runs can't be used.
    """


class ConfigurationConflict(TxlbError):
    """
    What was changed live and what somebody else has changed in the file
    contradict each other. Nothing was done.

    @ivar lines: where, and how to get out of it, for people.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


class Problem:
    """
    One thing that is wrong in a configuration file.

    @ivar file: the file's path as it was given.
    @ivar line: the line of the element, from 1; 0 where no line can be told.
    @ivar message: what is wrong and what would be right.
    """

    __slots__ = ("file", "line", "message")

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file = file
        self.line = line
        self.message = message

    def __str__(self) -> str:
        if self.line:
            return f"{self.file}:{self.line}: {self.message}"
        return f"{self.file}: {self.message}"

    def __repr__(self) -> str:
        return f"<Problem {self}>"


class ConfigurationError(TxlbError):
    """
    A configuration file that can't be used.

    @ivar problems: everything that is wrong with it, in the order of the file,
        at least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """
    The known name that a person who wrote C{name} most likely meant.

    @return: L{None} where none is near.
    """
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None
