"""
Automatic actions on the configuration file: saving live changes, and following changes
of the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb._reactor import pickedReactor
from txlb.application._file import ConfigurationFile, dropLogged, forLog
from txlb.config import Configuration
from txlb.deadlines import Deadline, Deadlines
from txlb.errors import TxlbError
from txlb.manager import ProxyManager
from txlb.model import Plan
from txlb.process import Stamp, stampOf

#: Seconds from one look at the file to the next. A file that has changed is read when
#: it has not changed since the look before, so a file that is still being written is
#: not read: half a second to a second after the last write.
POLL = 0.5

_log = Logger()


class FileKeeper(Service):
    """
    The automatic saving and loading of a configuration file, as its C{<configCheck>}
    says.

    @param file: the file.
    @param manager: the manager that loading changes, and whose changes are saved.
    @param reactor: by default the global one, from when the service starts.
    @param seconds: a monotonic clock.
    """

    def __init__(
        self,
        file: ConfigurationFile,
        manager: ProxyManager,
        reactor: Any = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._file = file
        self._manager = manager
        self._reactor = reactor
        self._deadlines: Deadlines | None = None
        self._said = ""
        self._saving = False
        self._save: Deadline | None = None
        self._look: Deadline | None = None
        # The file when it was last handled, and at the last look.
        self._known: Stamp | None = None
        self._seen: Stamp | None = None
        file.follow(self._configured)

    def startService(self) -> None:
        """
        Begin.
        """
        super().startService()
        self._reactor = pickedReactor(self._reactor)
        self._deadlines = Deadlines(self._reactor, self._seconds)
        self._known = self._seen = stampOf(self._file.path)
        self._schedule()

    def stopService(self) -> None:
        """
        End. Changes that are not saved by now are not saved.
        """
        super().stopService()
        if self._deadlines is not None:
            self._deadlines.stop()
            self._deadlines = None
        self._save = self._look = None

    def _configured(self, configuration: Configuration) -> None:
        self._known = stampOf(self._file.path)
        self._schedule()

    def _schedule(self) -> None:
        """
        Follow the settings of the file from now on.
        """
        if self._deadlines is None:
            return
        for deadline in (self._save, self._look):
            if deadline is not None:
                deadline.cancel()
        self._save = self._look = None
        settings = self._file.settings
        if settings.enable:
            self._save = self._deadlines.after(settings.interval, self._saveNow)
        if settings.reload:
            self._look = self._deadlines.after(POLL, self._lookNow)

    def _saveNow(self) -> None:
        if self._deadlines is None:
            return
        self._save = self._deadlines.after(self._file.settings.interval, self._saveNow)
        if not self._saving and self._file.unsaved():
            self._saving = True
            self._file.trySave().addCallbacks(self._saved, self._notSaved).addErrback(_wentWrong)

    def _saved(self, kept: str | None) -> None:
        self._saving = False
        self._said = ""

    def _notSaved(self, reason: Failure) -> None:
        self._saving = False
        reason.trap(TxlbError, CancelledError)
        error = reason.value
        # Saving is tried again and again; the same error is logged once.
        if isinstance(error, TxlbError) and forLog(error) != self._said:
            self._said = forLog(error)
            _log.error("{path}: not saved: {error}", path=self._file.path, error=self._said)

    def _lookNow(self) -> None:
        if self._deadlines is None:
            return
        self._look = self._deadlines.after(POLL, self._lookNow)
        stamp, before = stampOf(self._file.path), self._seen
        self._seen = stamp
        if stamp is None or stamp == self._known or stamp != before or self._file.busy:
            return
        self._known = stamp
        self._file.differs().addCallback(self._compared).addErrback(dropLogged)

    def _compared(self, differs: bool) -> Deferred[Plan] | None:
        if not differs:
            return None
        _log.info("{path} has changed", path=self._file.path)
        with self._manager.by("file"):
            return self._file.reload()


def _wentWrong(reason: Failure) -> None:
    _log.failure("saving went wrong", reason)
