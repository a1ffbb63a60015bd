"""
The last events of a door, for another process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from txlb._facts import Facts
from txlb.errors import DuplicateName
from txlb.interfaces import IKeptInParts

if TYPE_CHECKING:
    from txlb.admin._history import History

#: The events of one piece, which takes about 2 ms with its JSON.
AT_ONCE = 250


@implementer(IKeptInParts)
class KeptHistory:
    """
    Hands the events of a L{History} over, with their numbers and times, so that a client that
    waits for the next one goes on where it was.

    @param name: a word that no other part of the balancer's state has.
    """

    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self._history = history
        self._yielded = 0

    def state(self) -> object:
        return {"anew": True, "events": self._history.rows(0)}

    def ahead(self) -> Iterator[object]:
        rows = self._history.rows(0)
        self._yielded = self._history.last
        for begin in range(0, max(len(rows), 1), AT_ONCE):
            yield {"anew": not begin, "events": rows[begin : begin + AT_ONCE]}

    def rest(self) -> object:
        return {"events": self._history.rows(self._yielded)} if self._yielded else self.state()

    def restore(self, state: object) -> None:
        facts = Facts(state, self.name)
        self._history.restore(facts.items("events", 100_000), anew=facts.flag("anew"))


def keepHistory(balancer: Any, name: str, history: History) -> None:
    """
    Let a balancer hand the events of a door to its successor.

    @param balancer: the manager of clones hands nothing over, as its clones go on.
    @param name: what the door is called. Of several doors of one name the first one counts.
    """
    keep: Callable[[KeptHistory], object] | None = getattr(balancer, "keep", None)
    if keep is not None:
        with contextlib.suppress(DuplicateName):
            keep(KeptHistory(name, history))
