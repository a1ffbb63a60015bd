"""
The problems of a file, collected with a bound.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from txlb.errors import MOST_TOLD, ConfigurationError, Problem
from txlb.model.kinds import HASH, HIDDEN

__all__ = ["MOST_PROBLEMS", "Message", "Problems", "Report"]

#: How many problems of one file are kept. The others are counted.
MOST_PROBLEMS = MOST_TOLD

#: A message, or a function that makes it. Some messages take long to make, as those that
#: look for the name that was meant, and a file can have very many of them.
Message = str | Callable[[], str]

#: Takes a line and a message.
Report = Callable[[int, Message], None]


class Problems:
    """
    The first problems of a file, by their lines, and the number of the others. Owned by
    the call that reads the file.

    @param name: the file's name, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # A heap with the last line on top: it is the first to go.
        self._kept: list[tuple[int, int, str]] = []
        self._numbers = count()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def report(self, line: int, message: Message) -> None:
        """
        Count a problem, and keep it if it is one of the first. The hash of a password is taken
        out of it, as it may stand in a wrong attribute.

        @param message: a function is called only if the problem is kept.
        """
        self._count += 1
        full = len(self._kept) == MOST_PROBLEMS
        if full and line >= -self._kept[0][0]:
            return
        text = HASH.sub(HIDDEN, message if isinstance(message, str) else message())
        entry = (-line, -next(self._numbers), text)
        if full:
            heapq.heapreplace(self._kept, entry)
        else:
            heapq.heappush(self._kept, entry)

    def first(self) -> list[Problem]:
        """
        Return the problems that are kept, in the order of their lines, and of the reports for
        one line.
        """
        kept = sorted(self._kept, key=lambda entry: (-entry[0], -entry[1]))
        return [Problem(self._name, -line, text) for line, _, text in kept]

    def all(self) -> list[Problem]:
        """
        Return the problems that are kept, and one that tells the number of the others.
        """
        found = self.first()
        if self._count > len(found):
            found.append(Problem(self._name, 0, f"and {self._count - len(found)} more"))
        return found

    def check(self) -> None:
        """
        Raise the problems, if there are any.

        @raise ConfigurationError: there is a problem.
        """
        found = self.first()
        if found:
            raise ConfigurationError(found, self._count - len(found))
