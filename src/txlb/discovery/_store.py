"""
The last known hosts of groups, kept in files over a restart.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import urllib.parse
from collections.abc import Mapping
from typing import Any

from txlb.discovery._entries import MAX_DOCUMENT, GroupedEntries, Place
from txlb.discovery._foundhost import FoundHost

#: The version of the files.
VERSION = 1


class Store:
    """
    A folder with a file for each group. Files are written whole or not at all. A file that can't
    be read counts as none.

    @param folder: the path of the folder; it is made, with mode 0700, when it is first needed.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def _path(self, place: Place) -> str:
        # Names may be longer than those of files, and have characters that files can't have.
        digest = hashlib.sha256("/".join(place).encode()).hexdigest()[:16]
        name = urllib.parse.quote("+".join(place), safe="+")[:100]
        return os.path.join(self._folder, f"{name}-{digest}.json")

    def write(self, place: Place, kept: Mapping[str, Any]) -> None:
        """
        Write the file of a group. It may be called in a thread.

        @param kept: plain values.
        @raise OSError: it can't be written. The former file stays.
        """
        os.makedirs(self._folder, 0o700, exist_ok=True)
        path = self._path(place)
        beside = f"{path}.{os.getpid()}.new"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump({"version": VERSION, **kept}, file)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise

    def read(self, place: Place) -> tuple[dict[str, Any], tuple[FoundHost, ...]] | None:
        """
        Read the file of a group.

        @return: what was kept, and the hosts in it, which were checked; L{None} if there is
            nothing that can be used.
        """
        try:
            with open(self._path(place), "rb") as file:
                data = file.read(MAX_DOCUMENT + 1)
            kept = json.loads(data)
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(kept, dict) or kept.get("version") != VERSION:
            return None
        hosts = kept.get("hosts")
        if len(data) > MAX_DOCUMENT or not isinstance(hosts, list):
            return None
        return kept, GroupedEntries(hosts).of(place).hosts

    def forget(self, place: Place) -> None:
        """
        Remove the file of a group, if there is one.
        """
        with contextlib.suppress(OSError):
            os.unlink(self._path(place))
