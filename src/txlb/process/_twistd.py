"""
What a plugin gives to twistd.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

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
    The service that a plugin makes, with the files that twistd's own options name: the log
    and the pid file.

    @param service: what runs.
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
        Become a part of the application, which tells twistd by what to log.
        """
        if self._log is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """
        Write the pid file: the process is in the background by now, if it goes there.

        @raise SystemExit: it can't be made; why is in the log. That can be so in a new root
            only, as everywhere else it has been made before.
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


class TwistdFiles:
    """
    The files that twistd's own options name, opened in twistd's place.

    @param options: twistd's options; L{None} if a program calls the plugin that is not
        twistd, and then there is nothing to open.

    @ivar owner: the user that the process will belong to.
    """

    def __init__(self, options: MutableMapping[str, Any] | None) -> None:
        self.owner = Owner.fromTwistd(options)
        self._options = options
        self._pidFile: PidFile | None = None
        self._log: ProcessLog | None = None

    def open(self) -> None:
        """
        Open them.

        @raise TxlbError: one can't be opened. The message names it, and a remedy.
        """
        if self._options is not None:
            self._log = ProcessLog.fromTwistd(self._options, self.owner)
            pidFile = PidFile(self._options, self.owner)
            pidFile.make()
            self._pidFile = pidFile

    def serve(self, service: IService) -> IService:
        """
        @return: what the plugin gives to twistd.
        """
        if self._pidFile is None:
            return service
        return TwistdService(service, self._pidFile, self._log)

    def discard(self) -> None:
        """
        Nothing is started: leave no pid file behind.
        """
        if self._pidFile is not None:
            self._pidFile.discard()

    def say(self, text: str) -> None:
        """
        Say something on the terminal. If standard error is closed, or takes nothing, it goes to
        the log; that it can't be said stops nothing.
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
        # ValueError: it was closed.
        return False
    return True
