"""
One UNIX socket of a relayed connection.
"""

from __future__ import annotations

import _socket
import socket
from os import write

from txlb.proxy.fast._end import CHUNK, IN, End, EndOwner
from txlb.proxy.fast._targets import STREAM


class UNIXEnd(End):
    """
    One UNIX socket of a relayed connection. Owned by its connection.

    A message on a UNIX socket may carry descriptors. A read ends behind such a message though
    more has come, and the system reports the rest only once. So this end reads with
    C{recvmsg}, which tells it: the system drops the descriptors, as there is no room for them,
    and sets C{MSG_CTRUNC}. The relay passes on no descriptors.
    """

    __slots__ = ()

    #: A UNIX socket ignores C{MSG_TRUNC}, so that bytes can't be dropped without a copy.
    peeks = False

    def __init__(
        self, connection: EndOwner, fd: int, isClient: bool, sock: _socket.socket | None = None
    ) -> None:
        super().__init__(connection, fd, isClient, sock)
        if isClient:
            # A TCP client inherits it from its listener, and a host's socket gets it from its
            # target.
            self.socket().setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)

    def socket(self) -> _socket.socket:
        sock = self._sock
        if sock is None:
            sock = self._sock = _socket.socket(socket.AF_UNIX, STREAM, 0, self.fd)
        return sock

    def pump(self, event: int = IN) -> None:  # noqa: PLR0911 - as in End
        if event != IN:
            self._heed(event)
            return
        connection = self.connection
        if self.bulk:
            connection.loop.queueBulk(self)
            return
        if self.peer.unsent is not None:
            self.readable = True
            return
        if self.ended or connection.over:
            return
        receive = self.socket().recvmsg
        more = True
        while more:
            try:
                data, _, flags, _ = receive(CHUNK)
            except BlockingIOError:
                return
            except OSError:
                connection.broke(self)
                return
            if not data:
                self.finish()
                return
            more = self._give(data) and (self.last or bool(flags & socket.MSG_CTRUNC))

    def _give(self, data: bytes) -> bool:
        """
        Write to the peer.

        @return: whether to read on, if there is more.
        """
        connection, peer = self.connection, self.peer
        try:
            sent = write(peer.fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            connection.broke(peer)
            return False
        connection.moved(self, sent)
        if sent < len(data):
            self.readable = self.bulk = True
            peer.keep(data[sent:])
            return False
        if sent >= CHUNK:
            self.bulk = True
            connection.loop.queueBulk(self)
            return False
        return True
