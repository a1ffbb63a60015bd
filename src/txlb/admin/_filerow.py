"""
What the status tells of the configuration file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from txlb.model import ProxyService

#: How many lines of changes a status has at most, as a row is one page of an answer at most.
MOST_LINES = 50


class Configured(Protocol):
    """
    The part of a L{txlb.config.Configuration} or of a L{txlb.application.ConfigurationFile}
    that the status needs. The latter has C{edits} too: what was edited in the file since it
    was loaded, a line each; L{None} if it was not edited.
    """

    @property
    def path(self) -> str:
        """
        Its file.
        """

    @property
    def services(self) -> Iterable[ProxyService]:
        """
        The services of the file.
        """

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        """
        Return the differences between the file's services and these, a line each.
        """


def fileRow(config: Configured | None, services: Iterable[ProxyService]) -> Mapping[str, object]:
    """
    Make a row that tells what was changed live and is not in the file, and whether and
    how the file was edited since it was loaded.

    @param services: the services that run.
    """
    if config is None:
        return {"row": "file", "path": None, "changes": [], "edited": False, "inFile": []}
    edits: Sequence[str] | None = getattr(config, "edits", None)
    return {
        "row": "file",
        "path": config.path,
        "changes": _firstLines(config.changes(services)),
        "edited": edits is not None,
        "inFile": list(edits or ()),
    }


def _firstLines(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"and {more} more; diff tells all"] if more > 0 else ())]
