"""
The service that a plugin returns to twistd.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any, Protocol, TextIO

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from txlb._reactor import pickedReactor
from txlb.process._owner import Owner
from txlb.process._pidfile import PidFile, PidFileError
from txlb.process._processlog import ProcessLog

_log = Logger()


class TwistdService(MultiService):
    """
    The service of a plugin, with the files that twistd's own options name: the log and
    the pid file.

    @param service: the service to run.
    @param log: L{None} if twistd writes its log itself.
    """

    def __init__(
        self, service: IService, pidFile: PidFile, log: ProcessLog | None, reactor: Any = None
    ) -> None:
        super().__init__()
        self._pidFile = pidFile
        self._log = log
        self._reactor = reactor
        service.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """
        Become a part of the application, and set its log observer.
        """
        if self._log is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """
        Write the pid file. The process is in the background by now, if it goes there.

        @raise SystemExit: the file can't be written; the log has the reason. That
            happens only after chroot, because the file was made before.
        """
        try:
            self._pidFile.write()
        except PidFileError as error:
            _log.critical("{error}", error=error)
            raise SystemExit(1) from None
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Start.
        """
        if self._log is not None:
            self._log.start(pickedReactor(self._reactor))
        super().startService()

    def stopService(self) -> Any:
        """
        Stop.

        @return: fires with what the service's stop fires with.
        """
        if self._log is not None:
            self._log.stop()
        return super().stopService()


class Discarded(Protocol):
    """
    A log whose file was opened for a service.
    """

    def discard(self) -> None:
        """
        Close the file, and remove it if it is new and empty.
        """


class TwistdFiles:
    """
    The files that twistd's own options name, opened in place of twistd.

    @param options: twistd's options; L{None} if another program calls the plugin, and
        then there is nothing to open.

    @ivar owner: the user that the process belongs to later.
    """

    def __init__(self, options: MutableMapping[str, Any] | None) -> None:
        self.owner = Owner.fromTwistd(options)
        self._options = options
        self._pidFile: PidFile | None = None
        self._log: ProcessLog | None = None
        self._logs: list[Discarded] = []

    @property
    def pidFile(self) -> PidFile | None:
        """
        The pid file; L{None} if another program calls the plugin.
        """
        return self._pidFile

    def open(self) -> None:
        """
        Open the files.

        @raise TxlbError: a file can't be opened. The message names it, and a remedy.
        """
        if self._options is not None:
            self._log = ProcessLog.fromTwistd(self._options, self.owner)
            pidFile = PidFile(self._options, self.owner)
            pidFile.make()
            self._pidFile = pidFile

    def serve(self, service: IService) -> IService:
        """
        Return the service for twistd.
        """
        if self._pidFile is None:
            return service
        return TwistdService(service, self._pidFile, self._log)

    def refuse(self, text: str) -> None:
        """
        Tell why no service starts, and remove the files that this start has made: the pid
        file, and logs that are empty.

        @param text: see L{say}.
        """
        if self._pidFile is not None:
            self._pidFile.discard()
        self.say(text)
        if self._log is not None:
            self._log.discard()
        for log in self._logs:
            log.discard()

    def alsoLog(self, log: Discarded) -> None:
        """
        Take a log that the service has of its own, for L{refuse}.
        """
        self._logs.append(log)

    def say(self, text: str) -> None:
        """
        Write a message to the terminal. If standard error is closed or full, log the
        message instead; an error of writing is ignored.
        """
        if not _write(sys.stderr, text) and self._log is not None:
            _write(self._log.output, text)


def _write(output: Any, text: str) -> bool:
    stream: TextIO | None = output
    if stream is None:
        return False
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except (OSError, ValueError):
        # ValueError: the stream was closed.
        return False
    return True
