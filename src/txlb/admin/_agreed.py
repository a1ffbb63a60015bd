"""
The algorithms that the manhole offers, and the choice that it and a client have made.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from twisted.conch.ssh.common import NS

from txlb.admin._ciphers import PacketCipher, packetCipher

#: All of them use x25519: according to ssh-audit, NIST's curves may have a backdoor. The first
#: one withstands a quantum computer. The others are for clients that have nothing else in
#: common with Conch, as OpenSSH before release 9.9.
KEY_EXCHANGES = (
    b"mlkem768x25519-sha256",
    b"curve25519-sha256",
    b"curve25519-sha256@libssh.org",
)


def keyExchanges(supported: Sequence[bytes]) -> list[bytes]:
    """
    Return the key exchanges to offer, the best first.

    @param supported: those that Conch has here: not every release of cryptography has ML-KEM.
    """
    return [name for name in KEY_EXCHANGES if name in supported]


def offerOf(lists: Iterable[Iterable[bytes]]) -> bytes:
    """
    Make the message with the offer of one side: RFC 4253, section 7.1.

    @param lists: the names of its ten fields.
    """
    names = b"".join(NS(b",".join(each)) for each in lists)
    return secrets.token_bytes(16) + names + bytes(5)


class Agreed:
    """
    The ciphers of a connection from one exchange of keys to the next, in the place of Conch's
    C{SSHCiphers}.

    @param names: Conch's, with the names in it.
    @ivar outgoing: seals packets that go out, once there are keys.
    @ivar incoming: opens packets that come in, likewise.
    """

    outgoing: PacketCipher
    incoming: PacketCipher

    def __init__(self, names: Any) -> None:
        self.outCipType: bytes = names.outCipType
        self.inCipType: bytes = names.inCipType
        self.outMACType: bytes = names.outMACType
        self.inMACType: bytes = names.inMACType

    def setKeys(
        self,
        outIV: bytes,
        outKey: bytes,
        inIV: bytes,
        inKey: bytes,
        outInteg: bytes,
        inInteg: bytes,
    ) -> None:
        """
        Take the keys that Conch derives.
        """
        self.outgoing = packetCipher(
            self.outCipType, self.outMACType, outKey, outIV, outInteg, sealing=True
        )
        self.incoming = packetCipher(
            self.inCipType, self.inMACType, inKey, inIV, inInteg, sealing=False
        )
