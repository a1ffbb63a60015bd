"""
Signatures by the keys of users.
"""

from __future__ import annotations

from twisted.conch.error import ValidPublicKey
from twisted.conch.ssh.common import getNS
from twisted.cred.credentials import SSHPrivateKey

from txlb.admin.login._authorized import publicKey
from txlb.admin.login._refused import LoginRefused
from txlb.admin.login._securitykey import SECURITY_KEYS, SecurityKeyError, signedBySecurityKey

#: The algorithms of signatures that are accepted; SHA-1 is not among them.
SIGNATURE_ALGORITHMS = (
    b"ssh-ed25519",
    b"sk-ssh-ed25519@openssh.com",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
)

#: Algorithms of signatures for a kind of key, if those differ from the kind: RFC 8332.
_ALGORITHMS = {b"ssh-rsa": {b"rsa-sha2-512", b"rsa-sha2-256"}}


def checkSignature(credentials: SSHPrivateKey) -> None:
    """
    Check the signature by a key that belongs to the user.

    @raise ValidPublicKey: there is no signature yet, and the key is right.
    @raise LoginRefused: the signature is wrong.
    """
    if not credentials.signature:
        raise ValidPublicKey
    # A key verifies by the algorithm that the signature names. That has to be the one
    # that was offered and allowed.
    if _signedWith(credentials.signature) != credentials.algName:
        raise LoginRefused("the signature is wrong")
    try:
        message = _signed(credentials)
    except SecurityKeyError as error:
        raise LoginRefused(str(error)) from None
    if not _verified(credentials, message):
        raise LoginRefused("the signature is wrong")


def checkAlgorithm(name: bytes) -> None:
    """
    Check the algorithm of a signature.

    @raise LoginRefused: signatures by it are not accepted.
    """
    if name not in SIGNATURE_ALGORITHMS:
        shown = name.decode("ascii", "backslashreplace")[:64]
        raise LoginRefused(f"signatures by {shown} are not accepted")


def _signedWith(signature: bytes) -> bytes:
    try:
        name: bytes = getNS(signature)[0]
    except Exception:  # noqa: BLE001 - if Conch's parser raises, it is no signature
        return b""
    return name


def _signed(credentials: SSHPrivateKey) -> bytes:
    """
    Return the bytes that have to have been signed.
    """
    kind: bytes = getNS(credentials.blob)[0]
    if credentials.algName not in _ALGORITHMS.get(kind, {kind}):
        raise LoginRefused("the signature is not of the kind of the key")
    if kind not in SECURITY_KEYS:
        message: bytes = credentials.sigData
        return message
    # The kind and the point, which on NIST's curve has the curve before it.
    fields = getNS(credentials.blob, 4 if b"ecdsa" in kind else 3)
    return signedBySecurityKey(fields[-2], credentials.sigData, credentials.signature)


def _verified(credentials: SSHPrivateKey, message: bytes) -> bool:
    try:
        return bool(publicKey(credentials.blob).verify(credentials.signature, message))
    except Exception:  # noqa: BLE001 - if verifying raises, it is no signature
        return False
