"""
Saving what was changed live to the configuration file.

Nothing here uses the reactor, and all of it may be called in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from txlb.config import (
    Configuration,
    parseConfiguration,
    readFile,
    shownDifference,
    writeFile,
)
from txlb.errors import ConfigurationConflict, ConfigurationError, Remedy
from txlb.model import ProxyService


@dataclass(frozen=True, slots=True)
class Saved:
    """
    A file that was saved.

    @ivar loaded: what it says now.
    @ivar kept: the path of the old file; L{None} if none is kept.
    """

    loaded: Configuration
    kept: str | None


def saveTo(
    loaded: Configuration, services: Sequence[ProxyService], overwrite: bool, backups: int
) -> Saved | None:
    """
    Write services to the file of a configuration.

    @param loaded: what the file said when it was last loaded or saved.
    @param overwrite: also if another has changed it since then.
    @param backups: how many old files are kept.
    @return: L{None} if nothing had to be saved.
    @raise ConfigurationConflict: another has changed the file.
    @raise ConfigurationError: it can't be written, or can't say this.
    """
    there, wanted = _there(loaded.path), tuple(services)
    if there == loaded.tostring():
        new = loaded.edited(wanted)
    elif overwrite:
        new = _base(loaded, there).edited(wanted)
    else:
        raise _conflict(loaded.path, there, loaded.render(wanted))
    data = new.tostring()
    if data == there:
        return None
    kept = writeFile(loaded.path, data, expected=there, backups=backups)
    # The very values that run, so that they are compared quickly.
    return Saved(replace(new, services=wanted), kept)


def _there(path: str) -> bytes | None:
    """
    Return what is in the file now; L{None} if there is none.
    """
    try:
        return readFile(path)
    except ConfigurationError:
        # A file that was removed was changed. Another trouble comes up again.
        return None


def _base(loaded: Configuration, there: bytes | None) -> Configuration:
    """
    Return what is edited: what is there, if that is a configuration.
    """
    try:
        return parseConfiguration(there or b"", loaded.path)
    except ConfigurationError:
        return loaded


def _conflict(path: str, there: bytes | None, data: bytes) -> ConfigurationConflict:
    if there is None:
        return ConfigurationConflict(
            [f"{path} can't be read any more since it was loaded; nothing was saved"],
            [Remedy("write it anew", "save", "overwrite")],
        )
    return ConfigurationConflict(
        [
            f"{path} was changed by somebody else since it was loaded; nothing was saved",
            *shownDifference(there, data, "the file", "what would be saved"),
        ],
        [
            Remedy("take over what is in the file, and save after it", "reload"),
            Remedy("save over it", "save", "overwrite"),
        ],
    )
