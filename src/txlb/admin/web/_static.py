"""
The files of the pages.

They are read once, when the first request comes, from the package alone: a path of a request is a
key and never a path of the file system. Browsers ask each time whether a file has changed, and its
hash is its version.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable

#: Media types by the ends of names. Other files are not served.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """
    A file.

    @ivar data: its content.
    @ivar media: its type.
    @ivar tag: its C{ETag}.
    """

    data: bytes
    media: str
    tag: str


class StaticFiles:
    """
    The files of the pages, by their paths below C{static}.
    """

    @cached_property
    def files(self) -> dict[str, StaticFile]:
        """
        All of them.
        """
        found: dict[str, StaticFile] = {}
        _collect(resources.files("txlb.admin.web") / "static", "", found)
        return found

    def find(self, path: str) -> StaticFile | None:
        """
        Return the file of a path; L{None} if there is none. C{index.html} is the file of a
        path that is empty, and C{.html} can be left out.
        """
        files = self.files
        return files.get(path or "index.html") or files.get(f"{path}.html")


def _collect(folder: Traversable, prefix: str, found: dict[str, StaticFile]) -> None:
    for each in folder.iterdir():
        if each.is_dir():
            _collect(each, f"{prefix}{each.name}/", found)
        else:
            media = TYPES.get(each.name[each.name.rfind(".") :])
            if media is not None:
                data = each.read_bytes()
                digest = hashlib.sha256(data).hexdigest()[:32]
                found[prefix + each.name] = StaticFile(data, media, f'"{digest}"')
