"""
Reasons not to read from a client.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class ReadGate:
    """
    A switch of the reading of a transport. Owned by the protocol of the transport.

    There are two reasons not to read. One is the transport's, whose producer this is: its
    client does not read, and answers must not pile up. The other is the protocol's: input
    waits to be worked on.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._unread = False
        self._held = False

    def hold(self) -> None:
        """
        Read no more, as input has to be worked on first.
        """
        self._held = True
        self._transport.pauseProducing()

    def release(self) -> None:
        """
        Read on, as the input has been worked on.
        """
        if self._held:
            self._held = False
            self._goOn()

    def pauseProducing(self) -> None:
        """
        Stop reading, as the client does not read.
        """
        self._unread = True
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read on, as the client reads.
        """
        self._unread = False
        self._goOn()

    def stopProducing(self) -> None:
        """
        Do nothing: the transport is gone.
        """

    def _goOn(self) -> None:
        if not self._held and not self._unread:
            self._transport.resumeProducing()
