"""
The groups of this process.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred

from txlb.cloning._group import CloneGroup
from txlb.cloning._identity import whoAmI
from txlb.cloning._logfacts import LogFacts
from txlb.cloning._rendezvous import CloningError
from txlb.cloning._settings import CloneSettings

#: Where the folder of an application is, if none is given.
RUN = "run"

#: Shows in the log which process this is.
_facts = LogFacts(whoAmI())

#: The groups of this process by the absolute paths of their folders.
_groups: dict[str, CloneGroup] = {}


def folderOf(service: Service, folder: str | None) -> str:
    """
    Find the folder of the application of a service.

    @param folder: the one that was asked for; L{None} for C{run/NAME}, after the name of the
        application.
    @return: its absolute path.
    """
    return os.path.abspath(folder if folder is not None else os.path.join(RUN, _nameOf(service)))


def groupAt(path: str, settings: CloneSettings) -> CloneGroup:
    """
    Get the group of a folder.

    @raise CloningError: the process has another one, or services that share one have
        different settings.
    """
    group = _groups.get(path)
    if group is None:
        if _groups:
            raise CloningError(
                f"this process is one of {', '.join(_groups)} already, and can't be one of {path} "
                "as well: give all services of an application the same folder"
            )
        group = _groups[path] = CloneGroup(path, settings)
    elif group.settings != settings:
        raise CloningError(
            f"services with the folder {path} have the same clones: give them the same "
            "processes, graceTime and standby"
        )
    return group


def knownGroup(path: str) -> CloneGroup | None:
    """
    Get the group of a folder, if there is one.
    """
    return _groups.get(path)


def onlyFolder() -> str | None:
    """
    Return the folder that this process has already, L{None} if there is none.
    """
    return next(iter(_groups), None)


def begin(group: CloneGroup) -> None:
    """
    Let a group begin, when the reactor runs. The log shows from now on which process a line
    is of.

    @raise SystemExit: its folder can't be used; the message tells why.
    """
    _facts.start()
    try:
        group.start()
    except CloningError as error:
        raise SystemExit(f"txlb: {error}") from None


def end(group: CloneGroup) -> Deferred[None]:
    """
    Let a group end.

    @return: see L{CloneGroup.stop}.
    """
    _groups.pop(group.folder, None)
    return group.stop().addCallback(lambda _: _facts.stop())


def _nameOf(service: Service) -> str:
    root: Any = service
    while getattr(root, "parent", None) is not None:
        root = root.parent
    name = IService(root).name
    return str(name) if name else "application"
