"""
Files of public keys, one a line, as OpenSSH's C{authorized_keys}.
"""

from __future__ import annotations

import binascii
import os
from dataclasses import dataclass

from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.keys import Key

from txlb.admin._log import log
from txlb.admin._trust import ownershipProblem, pathProblem
from txlb.errors import TxlbError, firstLines
from txlb.process import UnusableFile, readSmallFile

#: Enough for some hundred keys.
MAX_SIZE = 262_144

#: Files that are kept in memory.
MAX_FILES = 64

#: RSA keys of fewer bits are too weak, as OpenSSH and NIST SP 800-57 have it. Those of
#: more take too long to verify a signature with; OpenSSH has the same bound.
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16_384

#: The kinds of key that may stand in a file.
KEY_TYPES = frozenset(
    {
        b"ssh-ed25519",
        b"ecdsa-sha2-nistp256",
        b"ecdsa-sha2-nistp384",
        b"ecdsa-sha2-nistp521",
        b"ssh-rsa",
        b"sk-ssh-ed25519@openssh.com",
        b"sk-ecdsa-sha2-nistp256@openssh.com",
    }
)


class AuthorizedKeysError(TxlbError):
    """
    A file of public keys that can't be used, or a line of it.
    """


@dataclass(frozen=True, slots=True)
class AuthorizedKeys:
    """
    The content of a file when it was read.

    @ivar version: tells that reading from a later one.
    @ivar blobs: the keys as they go over the wire.
    @ivar problems: the mistakes of the lines that were left out.
    """

    version: tuple[int, ...]
    blobs: frozenset[bytes]
    problems: tuple[str, ...]


class KeyFiles:
    """
    Files of public keys. Each is read when it is first asked for, and again when it
    has changed; to look for a key takes as long with a thousand keys as with one.
    """

    def __init__(self) -> None:
        self._files: dict[str, AuthorizedKeys] = {}

    def holds(self, path: str, blob: bytes) -> bool:
        """
        Whether a key is in a file.

        @param path: its path. Mistakes in the file are logged when it is read.
        @param blob: the key as it goes over the wire.
        @raise AuthorizedKeysError: the file can't be used.
        """
        return blob in self._read(path).blobs

    def _read(self, path: str) -> AuthorizedKeys:
        try:
            problem = pathProblem(os.path.join(os.getcwd(), path))
            version = _version(os.stat(path))
        except OSError as error:
            raise AuthorizedKeysError(f"{path} can't be read: {error.strerror}") from error
        if problem:
            raise AuthorizedKeysError(f"{path} is not used: {problem}")
        known = self._files.pop(path, None)
        if known is None or known.version != version:
            known = readAuthorizedKeys(path)
            for each in known.problems:
                log.warn("{problem}", problem=each)
        while len(self._files) >= MAX_FILES:
            del self._files[next(iter(self._files))]
        self._files[path] = known
        return known


def readAuthorizedKeys(path: str) -> AuthorizedKeys:
    """
    Read a file. It must belong to this process's user or to root, and other users must not
    be able to write to it.

    A line with options (C{from=}, C{command=}, ...) is left out: the key without its
    restrictions would allow more than its owner meant.

    @raise AuthorizedKeysError: the file can't be used at all.
    """
    data, status = _readFile(path)
    blobs: set[bytes] = set()
    problems: list[str] = []
    for number, line in enumerate(data.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        try:
            blobs.add(_blob(text))
        except AuthorizedKeysError as error:
            problems.append(f"{path}:{number}: {error}")
    told = firstLines(problems, f"{path}: ")
    return AuthorizedKeys(_version(status), frozenset(blobs), tuple(told))


def publicKey(blob: bytes) -> Key:
    """
    Return the key that was found in a file.

    @param blob: as it goes over the wire.
    @raise AuthorizedKeysError: it is none.
    """
    try:
        key: Key = Key.fromString(blob, type="blob")
    except Exception as error:  # Conch raises the errors of its parsers
        raise AuthorizedKeysError("authorizedKeys has something that is no public key") from error
    return key


def publicKeyOfLine(text: bytes) -> bytes | None:
    """
    Return the key of one line, as it goes over the wire; L{None} if the line has none, or has
    options.
    """
    try:
        return _blob(text.strip()) if text.strip() else None
    except AuthorizedKeysError:
        return None


def _version(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _blob(text: bytes) -> bytes:
    kind, *rest = text.split(None, 2)
    if kind not in KEY_TYPES:
        raise AuthorizedKeysError(
            "this line does not begin with a kind of key that is known; options are not supported"
        )
    try:
        blob = binascii.a2b_base64(rest[0], strict_mode=True)
        said, numbers = getNS(blob)
    except Exception as error:  # Conch's parser raises many kinds
        raise AuthorizedKeysError("this is no public key") from error
    if said != kind:
        raise AuthorizedKeysError("this is not the kind of key that it says")
    if kind == b"ssh-rsa":
        _checkRSA(numbers)
    return blob


def _checkRSA(numbers: bytes) -> None:
    try:
        modulus = getNS(numbers, 2)[1]
    except Exception as error:  # likewise
        raise AuthorizedKeysError("this is no public key") from error
    bits = int.from_bytes(modulus, "big").bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise AuthorizedKeysError(
            f"an RSA key needs {MIN_RSA_BITS} bits, and at most {MAX_RSA_BITS}, not {bits}"
        )


def _readFile(path: str) -> tuple[bytes, os.stat_result]:
    try:
        data, status = readSmallFile(path, MAX_SIZE)
    except OSError as error:
        raise AuthorizedKeysError(f"{path} can't be read: {error.strerror}") from error
    except UnusableFile as error:
        raise AuthorizedKeysError(f"{path} {error}; it is not used") from error
    problem = ownershipProblem(status)
    if problem:
        raise AuthorizedKeysError(
            f"{path} {problem}; it is not used; change that with: chmod go-w {path}"
        )
    return data, status
