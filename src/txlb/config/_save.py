"""
Writing a file as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import tempfile

from txlb.errors import ConfigurationError, Problem


def writeFile(path: str, data: bytes) -> None:
    """
    Put C{data} into a file. Who reads it sees what was there before or all of
    what is there now, also after a power cut. The permissions of a file that is
    there stay; a new one can be read by its owner only, as it has hashes in it.

    @raise ConfigurationError: it can't be written; what was there is untouched.
    """
    # A link to the file stays a link.
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".txlb-")
        try:
            with open(descriptor, "wb") as file:
                with contextlib.suppress(FileNotFoundError):
                    os.fchmod(descriptor, os.stat(target).st_mode & 0o7777)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        _syncFolder(folder)
    except OSError as error:
        raise ConfigurationError(
            [Problem(path, 0, f"it can't be written: {error.strerror}")]
        ) from None


def _syncFolder(folder: str) -> None:
    """
    Make the new name last, too.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
