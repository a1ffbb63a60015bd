"""
What the members of a cluster share, for another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from txlb._facts import Facts
from txlb.errors import StateError
from txlb.interfaces import IKeptInParts

if TYPE_CHECKING:
    from txlb.cluster import ChangeLog, Item

#: The values of one piece, which takes about a millisecond with its JSON.
AT_ONCE = 300


@implementer(IKeptInParts)
class KeptShared:
    """
    Hands over the values that the members of a cluster share, as far as they were made here. They
    are among the live changes that the new process begins with; so it takes those back that are
    taken back while no process of this member looks.

    @param logOf: returns the shared changes; L{None} if the balancer is no member.
    @param before: takes the values in the new process.
    """

    name = "shared"

    def __init__(
        self,
        logOf: Callable[[], ChangeLog | None],
        before: Callable[[Sequence[Item]], object],
    ) -> None:
        self._logOf = logOf
        self._before = before
        # The number of the last change whose values were yielded.
        self._yielded: int | None = None
        self._taken: list[Item] = []

    def state(self) -> object:
        log = self._logOf()
        return {"anew": True, "items": [] if log is None else [each.plain for each in log.handed]}

    def ahead(self) -> Iterator[object]:
        log = self._logOf()
        self._yielded = None
        if log is None:
            return
        applied, items = log.applied, log.handed
        for begin in range(0, len(items), AT_ONCE):
            piece = [each.plain for each in items[begin : begin + AT_ONCE]]
            yield {"anew": not begin, "items": piece}
        self._yielded = applied

    def rest(self) -> object:
        log = self._logOf()
        known = log is not None and log.applied == self._yielded
        return {"items": []} if known else self.state()

    def restore(self, state: object) -> None:
        from txlb.cluster import Item  # noqa: PLC0415 - see ClusterService

        facts = Facts(state, self.name)
        try:
            items = [Item.of(each) for each in facts.items("items")]
        except (ValueError, TypeError) as error:
            raise StateError(f"a shared value can't be right: {error}") from None
        self._taken = items if facts.flag("anew") else [*self._taken, *items]
        self._before(self._taken)
