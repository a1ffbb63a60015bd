"""
Saving of live changes to the configuration file.

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
from txlb.model import ProxyService, ownedByPeople


@dataclass(frozen=True, slots=True)
class Saved:
    """
    A file that was saved.

    @ivar loaded: its present configuration.
    @ivar kept: the path of the old file; L{None} if none is kept.
    """

    loaded: Configuration
    kept: str | None


def saveTo(
    loaded: Configuration, services: Sequence[ProxyService], overwrite: bool, backups: int
) -> Saved | None:
    """
    Write services to the file of a configuration.

    @param loaded: the file when it was last loaded or saved.
    @param services: the services that run. Hosts that sources have found are not saved.
    @param overwrite: write also if the file has changed since then.
    @param backups: the number of old files to keep.
    @return: L{None} if nothing had to be saved.
    @raise ConfigurationConflict: the file has changed since then.
    @raise ConfigurationError: the file can't be written, or can't express the services.
    """
    there, wanted = _there(loaded.path), ownedByPeople(services)
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
    Return the present content of the file; L{None} if there is none.
    """
    try:
        return readFile(path)
    except ConfigurationError:
        # A removed file counts as changed. Another error comes up again.
        return None


def _base(loaded: Configuration, there: bytes | None) -> Configuration:
    """
    Return the text to edit: that of the file, if it is a configuration.
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
            f"{path} has changed since it was loaded; nothing was saved",
            *shownDifference(there, data, "the file", "what would be saved"),
        ],
        [
            Remedy("take over what is in the file, and save after it", "reload"),
            Remedy("save over it", "save", "overwrite"),
        ],
    )
