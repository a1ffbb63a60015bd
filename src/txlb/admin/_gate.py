"""
Whether a client is read from.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class ReadGate:
    """
    Lets a transport read while there is no reason not to. Owned by the protocol of the
    transport.

    One reason is the transport's own, whose producer this is: its client does not read, and
    answers to what it asks must not pile up. The other is the protocol's: what has come waits to be
    worked on.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._unread = False
        self._held = False

    def hold(self) -> None:
        """
        Read no more: what has come has to be worked on first.
        """
        self._held = True
        self._transport.pauseProducing()

    def release(self) -> None:
        """
        Read on: that has been done.
        """
        if self._held:
            self._held = False
            self._goOn()

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}: the client does not read.
        """
        self._unread = True
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}: it reads.
        """
        self._unread = False
        self._goOn()

    def stopProducing(self) -> None:
        """
        See L{IPushProducer}: it is gone.
        """

    def _goOn(self) -> None:
        if not self._held and not self._unread:
            self._transport.resumeProducing()
