"""
The table of all operations, and the way from a path to one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from txlb.admin.web._commandoperations import commandOperations
from txlb.admin.web._configuration import CONFIGURATION
from txlb.admin.web._metricsoperations import MetricsOperations
from txlb.admin.web._openapi import openapiDocument
from txlb.admin.web._operation import Operation
from txlb.admin.web._ownoperations import OWN
from txlb.admin.web._reply import encoded
from txlb.admin.web._tree import TREE


class Operations:
    """
    All operations. Owned by a L{txlb.admin.web._console.Console}.

    @param more: further ones.
    """

    def __init__(self, more: Iterable[Operation] = ()) -> None:
        self.all: Sequence[Operation] = (
            *OWN,
            *TREE,
            *CONFIGURATION,
            *commandOperations(),
            *MetricsOperations(),
            *more,
        )
        self._root: _Branch = _Branch()
        for each in self.all:
            self._root.add(each.path.strip("/").split("/"), each)

    @cached_property
    def document(self) -> bytes:
        """
        The OpenAPI document, as JSON.
        """
        return encoded(openapiDocument(self.all))

    def find(self, segments: Sequence[str]) -> tuple[Mapping[str, Operation], dict[str, str]]:
        """
        Find the operations of a path by their methods.

        @param segments: of the path.
        @return: the operations, none if there is no such path, and the arguments in the path.
        """
        places: dict[str, str] = {}
        branch: _Branch | None = self._root
        for each in segments:
            assert branch is not None  # noqa: S101 - the loop ends without one
            branch = branch.next(each, places)
            if branch is None:
                return {}, {}
        return (branch.methods if branch is not None else {}), places


class _Branch:
    """
    A part of the tree of paths.
    """

    def __init__(self) -> None:
        self.methods: dict[str, Operation] = {}
        self._named: dict[str, _Branch] = {}
        self._place: tuple[str, _Branch] | None = None

    def add(self, segments: Sequence[str], operation: Operation) -> None:
        if not segments:
            self.methods[operation.method] = operation
            return
        first, rest = segments[0], segments[1:]
        if not first.startswith("{"):
            self._named.setdefault(first, _Branch()).add(rest, operation)
            return
        if self._place is None:
            self._place = first.strip("{}"), _Branch()
        self._place[1].add(rest, operation)

    def next(self, segment: str, places: dict[str, str]) -> _Branch | None:
        found = self._named.get(segment)
        if found is not None or self._place is None or not segment:
            return found
        name, branch = self._place
        places[name] = segment
        return branch
