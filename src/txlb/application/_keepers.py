"""
The parts of a balancer's state that its successor takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from txlb._facts import Facts
from txlb.errors import DuplicateName, StateError
from txlb.interfaces import IKeptInParts, IKeptState


class Keepers:
    """
    The keepers of the parts of a state, in the order in which they take it over. Owned by the
    balancer.
    """

    def __init__(self) -> None:
        self._keepers: dict[str, IKeptState] = {}
        self._late: set[str] = set()

    def keep(self, keeper: IKeptState, *, late: bool = False) -> Callable[[], None]:
        """
        Have one more part.

        @param late: whether it is taken over after all that are not late.
        @return: drops it again.
        @raise DuplicateName: another one has its name.
        """
        name = keeper.name
        if name in self._keepers:
            raise DuplicateName(f"the balancer keeps a state {name!r} already")
        self._keepers[name] = keeper
        if late:
            self._late.add(name)
        # Their order stays.
        ordered = sorted(self._keepers.items(), key=lambda item: item[0] in self._late)
        self._keepers = dict(ordered)

        def drop() -> None:
            if self._keepers.get(name) is keeper:
                del self._keepers[name]
                self._late.discard(name)

        return drop

    @property
    def names(self) -> list[str]:
        """
        The names of the parts.
        """
        return list(self._keepers)

    def state(self) -> dict[str, object]:
        """
        Return all parts as they are now, by name.
        """
        return {name: keeper.state() for name, keeper in self._keepers.items()}

    def ahead(self) -> Iterator[dict[str, object]]:
        """
        Begin anew, and yield the large parts in pieces.
        """
        for name, keeper in tuple(self._keepers.items()):
            parts: IKeptInParts | None = IKeptInParts(keeper, None)
            if parts is not None:
                for piece in parts.ahead():
                    yield {name: piece}

    def rest(self) -> dict[str, object]:
        """
        Return the parts that were not yielded by the last L{ahead}, and what has changed since of
        the others.
        """
        found: dict[str, object] = {}
        for name, keeper in self._keepers.items():
            parts: IKeptInParts | None = IKeptInParts(keeper, None)
            found[name] = keeper.state() if parts is None else parts.rest()
        return found

    def restore(self, states: object) -> None:
        """
        Take over the parts that are there, in the order of the keepers.

        @param states: parts by name. Unknown ones have no effect.
        @raise StateError: a part is refused. It has changed nothing, and neither have those after
            it.
        """
        found = Facts(states, "the balancer")
        for name, keeper in tuple(self._keepers.items()):
            if name not in found:
                continue
            try:
                keeper.restore(found.values[name])
            except StateError as error:
                raise StateError(f"{name}: {error}") from None
