"""
A service that runs in some processes of a cloned application.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from txlb.cloning._group import CloneGroup
from txlb.cloning._groups import folderOf, knownGroup
from txlb.cloning._rendezvous import CloningError

_log = Logger()


class Only(Service):
    """
    Starts another service while this process has a certain role, and stops it when the
    process has it no more. A base class: L{isWanted} tells the role.

    @param service: the other service. It is given to no parent.
    @param folder: the folder of the application, if its L{CloningService} has one.
    """

    def __init__(self, service: Any, folder: str | None = None) -> None:
        self.service = service
        self._folder = folder
        self._group: CloneGroup | None = None
        self._runs = False

    def isWanted(self, group: CloneGroup) -> bool:
        """
        Tell whether the service is to run in this process now.
        """
        raise NotImplementedError

    def startService(self) -> None:
        """
        Start the service, now or when the process has the role.

        @raise CloningError: the application is not cloned.
        """
        super().startService()
        path = folderOf(self, self._folder)
        self._group = group = knownGroup(path)
        if group is None:
            raise CloningError(
                f"no CloningService has the folder {path}, so the role of this process is not known"
            )
        group.observe(self._changed)
        self._changed()

    def _changed(self) -> None:
        group = self._group
        wanted = group is not None and self.isWanted(group)
        if wanted and not self._runs:
            self._runs = True
            self.service.privilegedStartService()
            self.service.startService()
        elif self._runs and not wanted:
            self._stop().addErrback(
                lambda failure: _log.failure(
                    "{service} does not stop", failure, service=self.service
                )
            )

    def _stop(self) -> Deferred[Any]:
        self._runs = False
        return maybeDeferred(self.service.stopService)

    def stopService(self) -> Deferred[Any]:
        """
        Stop the service.

        @return: fires and fails as that of the service does.
        """
        super().stopService()
        group, self._group = self._group, None
        if group is not None:
            group.forget(self._changed)
        return self._stop() if self._runs else succeed(None)
