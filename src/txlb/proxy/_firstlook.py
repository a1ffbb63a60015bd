"""
The preface of a connection that has sent nothing yet.
"""

from __future__ import annotations

from typing import Protocol

from zope.interface import implementer

from txlb.interfaces import IPreface
from txlb.proxy._clientconnection import ClientConnection
from txlb.wire import Done

#: Bytes that are read first: more than any preface has. If bytes stay unread when a client is
#: refused, the system sends a reset, and the client may not see the alert.
FIRST = 65536


class Place(Protocol):
    """
    The place where a connection has come in.
    """

    @property
    def timeout(self) -> float:
        """
        Seconds for a preface.
        """
        ...

    def glance(self, data: bytes) -> Done | None:
        """
        Look at the first bytes of a connection.

        @return: the verdict, if they are the whole preface of a client that needs no reader; else
            L{None}.
        """

    def preface(self, client: ClientConnection) -> IPreface:
        """
        Make the reader of its preface.
        """


@implementer(IPreface)
class FirstLook:
    """
    The preface of a connection that has sent nothing yet. In most cases its first bytes are all of
    it, so that no reader of pieces is made.
    """

    def __init__(self, place: Place, client: ClientConnection) -> None:
        self._place = place
        self._client = client
        self._preface: IPreface | None = None
        self.timeout = place.timeout
        self.maxBytes = FIRST

    def feed(self, data: bytes) -> object:
        """
        Take the next bytes. See L{IPreface.feed}.
        """
        if self._preface is None:
            found = self._place.glance(data)
            if found is not None:
                return found
        return self._made().feed(data)

    def end(self, reason: str) -> object:
        """
        Decide without more bytes. See L{IPreface.end}.
        """
        return self._made().end(reason)

    def _made(self) -> IPreface:
        preface = self._preface
        if preface is None:
            preface = self._preface = self._place.preface(self._client)
            self.maxBytes = preface.maxBytes
        return preface
