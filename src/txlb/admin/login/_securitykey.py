"""
Signatures of FIDO security keys.

Source: OpenSSH's C{PROTOCOL.u2f}. Such a key does not sign the message, but a hash of the
message and of the application, with flags and a counter of the key.
"""

from __future__ import annotations

import hashlib

from twisted.conch.ssh.common import getNS

from txlb.errors import TxlbError

#: The kinds of key that are security keys.
SECURITY_KEYS = frozenset({b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com"})

#: The flag that says that a user has touched the key.
USER_PRESENT = 0x01

#: Bytes that follow the signature itself: the flags, and the counter.
_TRAILER = 5


class SecurityKeyError(TxlbError):
    """
    A signature of a security key that is not taken.
    """


def signedBySecurityKey(application: bytes, message: bytes, signature: bytes) -> bytes:
    """
    Return the bytes that a security key has signed if it has signed a message.

    Without the flag that a user was present, any program that can reach the key can log in.
    OpenSSH refuses a signature without it unless a line of C{authorized_keys} says
    C{no-touch-required}. Lines with options are not taken here, so the flag is required.

    @param application: the application of the key, as its public key says.
    @param signature: the whole signature, with its kind before and the flags and counter behind it.
    @raise SecurityKeyError: it is no such signature, or no user was present.
    """
    try:
        _, _, trailer = getNS(signature, 2)
    except Exception as error:  # Conch's parser raises many kinds
        raise SecurityKeyError("the signature of a security key is malformed") from error
    if len(trailer) != _TRAILER:
        raise SecurityKeyError("the signature of a security key has no flags and counter")
    if not trailer[0] & USER_PRESENT:
        raise SecurityKeyError("the security key was not touched: no user was present")
    return hashlib.sha256(application).digest() + trailer + hashlib.sha256(message).digest()
