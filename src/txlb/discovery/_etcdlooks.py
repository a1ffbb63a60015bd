"""
Looks at the members of etcd that sources watch.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txlb.clients import EtcdDenied
from txlb.deadlines import Deadline, Deadlines

#: Seconds from one look to the next at whether a watched member still has the cluster with it. A
#: network that is cut leaves a watch open and silent.
LOOK = 1.0


class Watching(Protocol):
    """
    The parts of a source that its looks use.
    """

    @property
    def member(self) -> str:
        """
        The URL of the member that it watches; empty while it watches none.
        """

    async def look(self) -> None:
        """
        Ask this member for something that its leader has to confirm.

        @raise EtcdError: it has not done it.
        """

    def looked(self, trouble: Failure | None) -> None:
        """
        Take note of what became of a look at this member.
        """


class EtcdLooks:
    """
    Looks at the members of one etcd, which the sources of many groups may watch: one request for
    each member, not for each group.

    @param deadlines: has the times.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._sources: list[Watching] = []
        self._next: Deadline | None = None
        # By the URLs of members: the looks that are under way.
        self._looking: dict[str, Deferred[None]] = {}

    def __bool__(self) -> bool:
        """
        Return whether a source has these looks.
        """
        return bool(self._sources)

    def add(self, source: Watching) -> None:
        """
        Look for a source as well.
        """
        self._sources.append(source)
        if self._next is None:
            self._next = self._deadlines.after(LOOK, self._look)

    def remove(self, source: Watching) -> None:
        """
        Look for a source no more.
        """
        self._sources.remove(source)
        if not self._sources:
            if self._next is not None:
                self._next.cancel()
                self._next = None
            for each in list(self._looking.values()):
                each.cancel()

    def _look(self) -> None:
        self._next = self._deadlines.after(LOOK, self._look)
        # One source asks for all that watch its member.
        asking = {each.member: each for each in reversed(self._sources)}
        for member, source in asking.items():
            if member and member not in self._looking:
                looking = self._looking[member] = Deferred.fromCoroutine(source.look())
                looking.addBoth(self._looked, member, source)

    def _looked(self, result: Failure | None, member: str, asked: Watching) -> None:
        del self._looking[member]
        trouble = result if isinstance(result, Failure) else None
        if trouble is not None and trouble.check(CancelledError):
            return
        # Rights are those of one source.
        isOwn = trouble is not None and trouble.check(EtcdDenied)
        for each in list(self._sources):
            if each.member == member and (each is asked or not isOwn):
                each.looked(trouble)
