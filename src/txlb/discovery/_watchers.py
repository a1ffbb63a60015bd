"""
The groups that watch one document.
"""

from __future__ import annotations

from collections.abc import Iterator

from txlb.discovery._entries import GroupedEntries, Place
from txlb.interfaces import IFindings


class Watchers:
    """
    The groups that watch one document of hosts, with what it says now. Owned by the document, such
    as a L{txlb.discovery._watchedfile.WatchedFile}.
    """

    def __init__(self) -> None:
        self._places: dict[IFindings, Place] = {}
        self._entries: GroupedEntries | None = None
        self._trouble = ""

    def __bool__(self) -> bool:
        """
        Return whether a group watches it.
        """
        return bool(self._places)

    @property
    def entries(self) -> GroupedEntries | None:
        """
        What the document has said last; L{None} if it was not read yet.
        """
        return self._entries

    def add(self, findings: IFindings, place: Place) -> None:
        """
        Add a group. What is known is reported to it before this returns.
        """
        self._places[findings] = place
        if self._trouble:
            findings.failed(self._trouble)
        elif self._entries is not None:
            self._report(findings, place, self._entries)

    def remove(self, findings: IFindings) -> None:
        """
        Remove a group.
        """
        self._places.pop(findings, None)

    def found(self, entries: GroupedEntries) -> Iterator[None]:
        """
        Report what the document says to each group, one in each step of the result. A group that
        is added meanwhile is told at once, and one that is removed is not told.
        """
        self._entries = entries
        self._trouble = ""
        for findings, place in list(self._places.items()):
            if findings in self._places:
                self._report(findings, place, entries)
                yield

    def _report(self, findings: IFindings, place: Place, entries: GroupedEntries) -> None:
        found = entries.of(place)
        findings.found(found.hosts, found.wrong)

    def failed(self, trouble: str) -> None:
        """
        Report that the document can't be had, and why.
        """
        self._trouble = trouble
        for findings in list(self._places):
            findings.failed(trouble)
