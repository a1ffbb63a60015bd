"""
Looking up the name of one host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from txlb.deadlines import Deadline, Deadlines
from txlb.model import Address, TCPAddress

#: Seconds after which a look-up without an answer is reported.
SILENT = 5.0


class Lookup:
    """
    The look-ups of one host's name, at an interval. Owned by the
    L{NameService<txlb.resolve.NameService>}.

    @param ask: looks up a name.
    @param report: is called with whether the answer before was good (L{None} before
        the first), and with the addresses of this one.
    @param silent: is called once if there is no answer for L{SILENT} seconds, unless
        the last answer was that the name has no address.
    @param later: calls a function after the interval.
    @param deadlines: has the timeouts.
    @param address: the host's address, with the name.

    @ivar name: the name.
    @ivar good: whether the last answer was good; L{None} before the first.
    """

    def __init__(
        self,
        ask: Callable[[str], Deferred[Sequence[str]]],
        report: Callable[[bool | None, Sequence[Address]], None],
        silent: Callable[[], None],
        later: Callable[[Callable[[], None]], Deadline],
        deadlines: Deadlines,
        address: TCPAddress,
    ) -> None:
        self.name = address.host
        self.good: bool | None = None
        self._ask = ask
        self._report = report
        self._tellSilence = silent
        self._later = later
        self._deadlines = deadlines
        # Whether this look-up was reported to have no answer.
        self._silent = False
        self._patience: Deadline | None = None
        self._address = address
        self._next: Deadline | None = None
        self._stopped = False

    def look(self) -> None:
        """
        Look up now, and from then on at the interval.
        """
        self._silent = False
        self._patience = self._deadlines.patience(SILENT, self._patienceIsOver)
        self._ask(self.name).addCallback(self._finished)

    def stop(self) -> None:
        """
        Look up no more.
        """
        self._stopped = True
        self._stopWaiting()
        if self._next is not None:
            self._next.cancel()

    def _patienceIsOver(self) -> None:
        self._patience = None
        if self.good is not False:
            self._silent = True
            self._tellSilence()

    def _stopWaiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _finished(self, found: Sequence[str]) -> None:
        if self._stopped:
            return
        self._stopWaiting()
        addresses = [TCPAddress(host, self._address.port) for host in found]
        # If there was no answer, that was reported already.
        before = False if self._silent else self.good
        self.good = bool(addresses)
        self._report(before, addresses)
        # An observer of the report may have moved or removed the host.
        if not self._stopped:
            self._next = self._later(self.look)
