"""
The certificates of a balancer, while it runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.tls import SOON, TLSStore

if TYPE_CHECKING:
    from txlb.application._engine import Engine
    from txlb.application._slices import Slices
    from txlb.deadlines import Deadline

#: Seconds between two looks at the files of certificates.
POLL = 5.0

#: Seconds between two warnings of one certificate that expires soon.
REMIND = 86400.0

_log = Logger()


class CertificateService(Service):
    """
    The certificates of a balancer, while it runs: files that change are read again, contexts
    are renewed in time, and the log warns of certificates that expire soon. Owned by the
    balancer, as its child C{certificates}.

    @param store: has the contexts.
    @param slices: does what takes long.
    @param engine: returns the parts of the present run.
    @param now: tells the seconds since 1970.
    """

    name = "certificates"

    def __init__(
        self,
        store: TLSStore,
        slices: Slices,
        engine: Callable[[], Engine],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._slices = slices
        self._engine = engine
        self._now = now
        self._next: Deadline | None = None
        self._busy = False
        self._waiting: list[tuple[bool, Deferred[tuple[list[str], list[str]]]]] = []
        # When each certificate was warned of, by its fingerprint.
        self._said: dict[str, float] = {}

    def startService(self) -> None:
        """
        Begin to look at the files.
        """
        super().startService()
        self._warn()
        self.follow()

    def follow(self) -> None:
        """
        Look at the files from now on, if there are certificates; the services may have
        changed.
        """
        if self.running and self._store and self._next is None:
            self._schedule()

    def stopService(self) -> None:
        """
        Look no more.
        """
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _schedule(self) -> None:
        self._next = self._engine().deadlines.after(POLL, self._look)

    def _look(self) -> None:
        self._next = None
        self.follow()
        if self.running and self._store and not self._busy:
            Deferred.fromCoroutine(self._follow()).addErrback(_wentWrong)

    async def _follow(self) -> None:
        """
        Read the files that have changed, if any.
        """
        if await self._slices.aside(self._store.isDue):
            await self.reload(changed=True)

    def reload(self, *, changed: bool = False) -> Deferred[tuple[list[str], list[str]]]:
        """
        Read the files again, in a thread. What is right in them is used for new handshakes,
        and open connections go on. If files are being read, they are read once more after
        that.

        @param changed: read only those that have changed.
        @return: fires with a line for each certificate that came or went, and a line for each
            fault; what has a fault is as it was. It does not fail.
        """
        if not self._store:
            return succeed(([], []))
        done: Deferred[tuple[list[str], list[str]]] = Deferred()
        self._waiting.append((not changed, done))
        if not self._busy:
            self._begin()
        return done

    def _begin(self) -> None:
        self._busy = True
        waiting, self._waiting = self._waiting, []
        everything = any(each for each, _ in waiting)
        reading = Deferred.fromCoroutine(self._read(everything))

        def ended(result: tuple[list[str], list[str]] | Failure) -> None:
            self._busy = False
            found = ([], [result.getErrorMessage()]) if isinstance(result, Failure) else result
            for _, done in waiting:
                done.callback(found)
            if self._waiting:
                self._begin()

        reading.addBoth(ended)

    async def _read(self, everything: bool) -> tuple[list[str], list[str]]:
        lines, faults = await self._slices.inThread(self._store.reload, everything)
        for line in lines:
            _log.info("{line}", line=line)
        for fault in faults:
            _log.error("{fault}", fault=fault)
        self._warn()
        return lines, faults

    def _warn(self) -> None:
        """
        Warn of certificates that expire soon, once a day.
        """
        now = self._now()
        for row in self.rows():
            key = f"{row['fingerprint']}"
            if row["state"] == "good" or now - self._said.get(key, -REMIND) < REMIND:
                continue
            if len(self._said) > 10_000:
                self._said.clear()
            self._said[key] = now
            _log.warn("{line}", line=warningOf(row, now))

    def warnings(self) -> list[str]:
        """
        Return a line for each certificate in use that expires soon or is not valid, and for each
        fault of the files.
        """
        now = self._now()
        lines = [warningOf(row, now) for row in self.rows() if row["state"] != "good"]
        # Several listeners may have the same files.
        return list(dict.fromkeys([*lines, *self.faults()]))

    def rows(self) -> Iterator[dict[str, object]]:
        """
        Return a row for each certificate that is in use, in values that any format can hold:
        its C{names}, the kind of its C{key}, when it C{expires} and C{since} when it is in use
        in seconds since 1970, its C{state}, its C{file} and its C{fingerprint}.
        """
        now = self._now()
        for store in self._store.listeners:
            for each in store.inUse:
                yield {**each.asDict(now), "fingerprint": each.certificate.fingerprint}

    def faults(self) -> list[str]:
        """
        Return the faults that the last look at the files has found, a line each.
        """
        return [f"{each}" for store in self._store.listeners for each in store.problems]


def warningOf(row: Mapping[str, object], now: float) -> str:
    """
    Say what is wrong with a certificate that is in use.

    @param row: its row, see L{CertificateService.rows}.
    @param now: seconds since 1970.
    """
    names, expires = row["names"], row["expires"]
    left = expires - now if isinstance(expires, float) else 0.0
    words = f"expires in {int(left // 86400)} days" if 0 < left < SOON else f"is {row['state']}"
    shown = ", ".join(map(str, names)) if isinstance(names, list) else names
    return f"{row['file']}: the certificate for {shown} {words}"


def _wentWrong(reason: Failure) -> None:
    _log.failure("the certificates were not looked at", reason)
