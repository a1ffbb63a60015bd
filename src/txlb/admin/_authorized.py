"""
Files of public keys, one a line, as OpenSSH's C{authorized_keys}.
"""

from __future__ import annotations

from twisted.conch.ssh.keys import Key

from txlb.admin._files import UnusableFile, readSmallFile
from txlb.admin._state import ownershipProblem
from txlb.errors import TxlbError

#: Enough for some hundred keys.
MAX_SIZE = 262_144

#: RSA keys of fewer bits are too weak, as OpenSSH and NIST SP 800-57 have it.
MIN_RSA_BITS = 2048

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
    A file of public keys that can't be used.
    """


def readAuthorizedKeys(path: str) -> tuple[list[Key], list[str]]:
    """
    Read the keys of a file. It must belong to this process's user or to root,
    and nobody else may be able to write to it.

    A line with options (C{from=}, C{command=}, ...) is left out: to take the key
    without what restricts it would let in more than its owner meant.

    @return: the keys, and what is wrong with the lines that were left out.
    @raise AuthorizedKeysError: the file can't be used at all.
    """
    keys: list[Key] = []
    problems: list[str] = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        try:
            keys.append(_parse(text))
        except AuthorizedKeysError as error:
            problems.append(f"{path}:{number}: {error}")
    return keys, problems


def _parse(text: bytes) -> Key:
    kind = text.split(None, 1)[0]
    if kind not in KEY_TYPES:
        raise AuthorizedKeysError(
            "this line does not begin with a kind of key that is known; options are not supported"
        )
    try:
        key: Key = Key.fromString(text)
    except Exception as error:  # Conch raises whatever its parsers do
        raise AuthorizedKeysError("this is no public key") from error
    if key.sshType() != kind or not key.isPublic():
        raise AuthorizedKeysError("this is not the kind of key that it says")
    if key.type() == "RSA" and key.size() < MIN_RSA_BITS:
        raise AuthorizedKeysError(f"an RSA key needs {MIN_RSA_BITS} bits, not {key.size()}")
    return key


def _read(path: str) -> bytes:
    try:
        data, status = readSmallFile(path, MAX_SIZE)
    except OSError as error:
        raise AuthorizedKeysError(f"{path} can't be read: {error.strerror}") from error
    except UnusableFile as error:
        raise AuthorizedKeysError(f"{path} {error}; it is not used") from error
    problem = ownershipProblem(status)
    if problem:
        raise AuthorizedKeysError(f"{path} {problem}; it is not used")
    return data
