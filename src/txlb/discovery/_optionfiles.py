"""
Files that options of sources name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from txlb.errors import ModelError
from txlb.process import UnusableFile, readSmallFile

#: Bytes of a file of certificates, and of one with a secret, at most.
MAX_CERTIFICATES = 1024 * 1024
MAX_SECRET = 16 * 1024

#: Options whose files have certificates.
CERTIFICATES = ("ca", "clientCertificate")

#: Options whose files have a secret, in their first line.
SECRETS = ("passwordFile", "tokenFile")


def checkServers(kind: str, options: Mapping[str, Any]) -> None:
    """
    Check the options of a source that has C{url} for several servers, C{user} and C{passwordFile}.

    @param kind: the word of the source.
    @raise ModelError: there is no URL, or a password without a user.
    """
    if not options["url"]:
        raise ModelError(f"url of the {kind} source is empty; it is one URL or more")
    if options["passwordFile"] is not None and options["user"] is None:
        raise ModelError(
            f"the {kind} source has a passwordFile and no user; write the user as well"
        )


def readFiles(
    options: Mapping[str, Any], folder: str, label: Callable[[str], str]
) -> dict[str, bytes]:
    """
    Read the files that options name. It may be called in a thread.

    @param folder: the folder at which relative paths begin.
    @param label: returns the name of an option for messages.
    @return: their contents by the names of the options; of a file with a secret the first line.
    @raise ModelError: one can't be read, or has no secret.
    """
    found = {}
    for name in (*CERTIFICATES, *SECRETS):
        path = options.get(name)
        if path is None:
            continue
        secret = name in SECRETS
        problem = ""
        try:
            data, _ = readSmallFile(
                os.path.join(folder, path), MAX_SECRET if secret else MAX_CERTIFICATES
            )
        except UnusableFile as error:
            problem = f"which {error}"
        except OSError as error:
            problem = f"which can't be read: {error.strerror}"
        else:
            found[name] = data.split(b"\n", 1)[0].rstrip(b"\r") if secret else data
            if secret and not _isSecret(found[name]):
                problem = "whose first line is no secret of printable characters"
        if problem:
            raise ModelError(f"{label(name)} is {path!r}, {problem}")
    return found


def credentialsIn(files: Mapping[str, bytes]) -> dict[str, Any]:
    """
    Return the C{password}, C{ca} and C{clientCertificate} of a client, by these names.

    @param files: what L{readFiles} has read.
    """
    found: dict[str, Any] = {name: files.get(name) for name in CERTIFICATES}
    return {"password": files.get("passwordFile", b"").decode(), **found}


def _isSecret(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and text.isprintable()
