"""
A key whose uses are parts of a longer step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class GivingKey:
    """
    A host key for one key exchange. Relayed connections go on before each of its uses, which
    Conch has in the middle of the exchange.

    @param key: the L{twisted.conch.ssh.keys.Key}.
    @param giveWay: lets them go on.
    """

    def __init__(self, key: Any, giveWay: Callable[[], object]) -> None:
        self._key = key
        self._giveWay = giveWay

    def blob(self) -> bytes:
        """
        Return the public key as it is sent.
        """
        self._giveWay()
        blob: bytes = self._key.blob()
        return blob

    def sign(self, data: bytes, signatureType: bytes | None = None) -> bytes:
        """
        Sign the exchange.

        @param signatureType: the name of the algorithm; L{None} for that of the key.
        """
        self._giveWay()
        signature: bytes = self._key.sign(data, signatureType=signatureType)
        return signature
