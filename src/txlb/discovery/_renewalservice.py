"""
Following files, for a program that is no balancer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from txlb._reactor import pickedReactor
from txlb.deadlines import Deadlines
from txlb.discovery._followedfiles import FollowedFiles


class RenewalService(Service):
    """
    Follows the files of certificates and secrets while it runs, such as those of an
    L{txlb.discovery.AnnounceService}.

    @param whose: see L{FollowedFiles}.
    @param known: what the files had at the start.
    @param read: reads them; it is called in a thread of the reactor, and raises L{ModelError}.
    @param changed: see L{FollowedFiles}.
    @param reactor: by default the global one, from when the service starts.
    @param seconds: a monotonic clock.
    """

    def __init__(
        self,
        whose: str,
        known: Mapping[str, bytes],
        read: Callable[[], Mapping[str, bytes]],
        changed: Callable[[Mapping[str, bytes]], object],
        reactor: Any = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._reactor = reactor
        self._seconds = seconds
        self._deadlines: Deadlines | None = None
        self._followed = FollowedFiles(whose, known, self._inThread, changed)

    def startService(self) -> None:
        """
        Look at the files from now on.
        """
        super().startService()
        self._reactor = pickedReactor(self._reactor)
        self._deadlines = Deadlines(self._reactor, self._seconds)
        self._followed.start(self._deadlines)

    def stopService(self) -> None:
        """
        Look no more.
        """
        super().stopService()
        self._followed.stop()
        if self._deadlines is not None:
            self._deadlines.stop()
            self._deadlines = None

    def _inThread(self) -> Deferred[Mapping[str, bytes]]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._read)
