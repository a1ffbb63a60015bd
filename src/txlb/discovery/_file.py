"""
The source C{file}: hosts from a file that is watched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from zope.interface import implementer

from txlb.discovery._sourcekind import SourceKind, SourceTools
from txlb.discovery._watchedfile import WatchedFile
from txlb.interfaces import IFindings, IHostSource
from txlb.model.kinds import Path, Seconds
from txlb.model.options import Option


@implementer(IHostSource)
class FileSource:
    """
    The hosts of one group from a file. Groups that name the same file share it.

    @param path: the path of the file.
    @param interval: seconds from one look to the next.
    @param tools: the objects that sources are made with.
    """

    def __init__(self, path: str, interval: float, tools: SourceTools) -> None:
        self.origin = f"file:{path}"[-255:]
        self._path = os.path.join(tools.folder, path)
        self._interval = interval
        self._tools = tools
        self._findings: IFindings | None = None

    @property
    def _key(self) -> tuple[str, object]:
        return "file", (self._path, self._interval)

    def start(self, findings: IFindings) -> None:
        """
        Begin to watch the file.
        """
        tools = self._tools
        file = tools.shared.get(self._key)
        if file is None:
            file = WatchedFile(self._path, self._interval, tools.deadlines, tools.worker)
            tools.shared[self._key] = file
        self._findings = findings
        file.watch(findings, tools.place)

    def stop(self) -> None:
        """
        Watch it no more.
        """
        findings, self._findings = self._findings, None
        file = self._tools.shared.get(self._key)
        if findings is not None and file is not None:
            file.leave(findings)
            if not file:
                del self._tools.shared[self._key]


def _make(options: Mapping[str, Any], tools: SourceTools) -> FileSource:
    return FileSource(options["path"], options["interval"], tools)


FILE = SourceKind(
    "file",
    "The hosts of the group are in a file, as JSON or with one host a line. The file is read again "
    "when it has changed: as a whole, or not at all if it is wrong or being written. A file may "
    "have the hosts of several groups.",
    _make,
    (
        Option("path", Path(), "The path of the file.", required=True),
        Option(
            "interval",
            Seconds(0.1, 3600),
            "How often the file is looked at. It is read when two looks have found the same.",
            0.5,
        ),
    ),
)
