"""
Connections of browsers and programs, within bounds.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from txlb.admin.web._problem import problemReply
from txlb.admin.web._reply import Reply
from txlb.deadlines import Deadline
from txlb.proxy import TLSTransport

#: Seconds in which a request has to be there as a whole, from its first byte; of a new
#: connection from the moment in which it comes, the handshake of TLS included.
RECEIVE = 20.0

#: Bytes of the first line and of all headers of a request.
MAX_HEADERS = 65_536

#: Seconds for which a connection may be idle between two requests.
IDLE = 60.0


_MALFORMED = "the request is no HTTP/1.1"


class WebChannel(HTTPChannel):
    """
    The connection of one client. A client that sends its request byte by byte is dropped in
    time, also if it never pauses.

    @ivar busy: whether a request of it is being answered.
    """

    site: Any
    transport: Any
    maxHeaders = 64
    totalHeadersSize = MAX_HEADERS
    MAX_LENGTH = MAX_HEADERS
    abortTimeout = 5
    _deadline: Deadline | None = None
    _refused = False

    def connectionMade(self) -> None:
        """
        Begin to wait for a request.
        """
        self.site.giveWay()
        super().connectionMade()
        self._begin()
        self.site.begins(self)

    @property
    def busy(self) -> bool:
        """
        Whether a request is being answered.
        """
        return bool(self._handlingRequest)

    @property
    def target(self) -> bytes:
        """
        The path of the request whose headers have come.
        """
        path: bytes = self._path
        return path

    def isSecure(self) -> bool:
        """
        Say whether the client speaks TLS.
        """
        return isinstance(self.transport, TLSTransport)

    def _begin(self) -> None:
        if self._deadline is None:
            self._deadline = self.site.deadlines.after(RECEIVE, self._tooSlow)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _tooSlow(self) -> None:
        self._deadline = None
        self.site.complain(f"{self.site.nameOf(self)} was too slow")
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes of a request.
        """
        if self._refused:
            return
        self.site.active(self)
        if not self.busy:
            self._begin()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """
        Take a line of the head of a request.
        """
        self.site.giveWay()
        super().lineReceived(line)

    def allContentReceived(self) -> None:
        """
        Answer a request, which is there now.
        """
        self.site.giveWay()
        if self._refused:
            return
        self._end()
        super().allContentReceived()

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        Refuse a request whose first line or header is too long.
        """
        self.refuse(problemReply(431, f"the headers have at most {MAX_HEADERS} bytes"))

    def _respondToBadRequestAndDisconnect(self) -> None:
        """
        Refuse a request that is no HTTP. Twisted would answer without a body.
        """
        tooLong = self._receivedHeaderSize > self.totalHeadersSize
        text = f"the headers have at most {MAX_HEADERS} bytes, in {self.maxHeaders} lines"
        self.refuse(problemReply(431 if tooLong else 400, text if tooLong else _MALFORMED))

    def refuse(self, reply: Reply) -> None:
        """
        Answer a request before it is there as a whole, and close the connection.
        """
        if self._refused:
            return
        self._refused = True
        status, media, body = reply.status, reply.media, b"".join(reply.pieces or ())
        head = (
            f"HTTP/1.1 {status} Refused\r\nContent-Type: {media}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.loseConnection()
        # A client that goes on to send is not waited for.
        self._end()
        self._deadline = self.site.deadlines.after(self.abortTimeout, self._tooSlow)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Forget the client.
        """
        self.site.giveWay()
        self._end()
        self.site.gone(self)
        super().connectionLost(reason)
