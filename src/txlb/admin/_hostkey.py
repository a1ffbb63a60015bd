"""
The key by which an ssh client recognises this balancer.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.conch.ssh.keys import Key

from txlb.errors import StateDirectoryError
from txlb.process import Folder, UntrustedPath, UnusableFile, readSmallFile

#: The file's name, as OpenSSH calls its own.
FILE_NAME = "ssh_host_ed25519_key"

#: An ed25519 key is about 400 bytes long.
MAX_SIZE = 16384


def hostKey(directory: str) -> Key:
    """
    Return the ed25519 key that is kept in a directory. If there is none yet, it is made
    (mode 0600). Two processes that make it at the same time get the same key.

    @param directory: a state directory, see L{txlb.admin.stateDirectory}.
    @raise StateDirectoryError: the file can't be read or made, others can read
        it, or it holds something else.
    """
    path = os.path.join(directory, FILE_NAME)
    try:
        with Folder.at(directory) as folder:
            if folder.status(FILE_NAME) is None:
                _make(folder)
            data = _read(path, folder)
    except UntrustedPath as error:
        raise StateDirectoryError(f"the host key {path} is not used: {error}") from error
    except OSError as error:
        raise StateDirectoryError(
            f"the host key {path} can't be read or made: {error.strerror}"
        ) from error
    return _parse(path, data)


def fingerprint(key: Key) -> str:
    """
    Return a key's fingerprint as OpenSSH shows it, C{SHA256:} and base64.
    """
    digest = hashlib.sha256(key.blob()).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def _make(folder: Folder) -> None:
    """
    Make the file. It gets its name when it is complete, and never replaces another file.
    """
    made = Ed25519PrivateKey.generate()
    data = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    temporary = f".{FILE_NAME}.{secrets.token_hex(8)}"
    descriptor = folder.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        # Another process may have been quicker; then its key is the key.
        with contextlib.suppress(FileExistsError):
            folder.link(temporary, FILE_NAME)
    finally:
        folder.unlink(temporary)
    folder.sync()


def _read(path: str, folder: Folder) -> bytes:
    try:
        data, status = readSmallFile(FILE_NAME, MAX_SIZE, os.O_NOFOLLOW, folder.descriptor)
    except UnusableFile as error:
        raise StateDirectoryError(f"{path} {error}; remove it, and a key is made") from error
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise StateDirectoryError(
            f"the host key {path} can be read by others (mode {mode:04o}); change that with: "
            f"chmod 600 {path}, or remove the key if others have read it"
        )
    return data


def _parse(path: str, data: bytes) -> Key:
    try:
        key: Key = Key.fromString(data)
        if key.type() == "Ed25519" and not key.isPublic():
            return key
        found = f"a {'public' if key.isPublic() else 'private'} {key.type()} key"
    except Exception as error:  # noqa: BLE001 - Conch's parsers raise many kinds
        found = f"something that can't be read ({type(error).__name__})"
    raise StateDirectoryError(
        f"{path} holds {found}, not a private ed25519 key without a passphrase; remove it, "
        "and a key is made"
    )
