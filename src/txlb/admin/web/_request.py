"""
Requests within bounds.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.python.failure import Failure
from twisted.web.server import Request

from txlb.admin._log import log
from txlb.admin.web._bodies import MAX_BODY
from txlb.admin.web._headers import setHeaders
from txlb.admin.web._media import PROBLEM
from txlb.admin.web._problem import problemReply


class WebRequest(Request):
    """
    A request whose body is bounded, also if its length is not known beforehand. The bound is
    known when the headers are there: a client that has not logged in can make the balancer keep
    L{MAX_BODY} at most.

    @ivar tooLarge: whether the body is larger. The answer is sent then, and the rest of the body
        is not looked at.
    """

    channel: Any
    tooLarge = False
    _size = 0
    _most = MAX_BODY

    def __init__(self, channel: Any, *arguments: Any, **settings: Any) -> None:
        super().__init__(channel, *arguments, **settings)
        self.content: Any = None

    def gotLength(self, length: int | None) -> None:
        """
        Take the length of the body, and refuse one that is too long before it comes.
        """
        self.content = BytesIO()
        self._most = self.channel.site.mostOf(self, self.channel.target)
        if length is not None and length > self._most:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """
        Take a part of the body.
        """
        if self.tooLarge:
            return
        self._size += len(data)
        if self._size > self._most:
            self._refuse()
            return
        self.content.write(data)

    def _refuse(self) -> None:
        self.tooLarge = True
        self.content = BytesIO()
        # No "100 Continue" after this.
        self.requestHeaders.removeHeader(b"expect")
        self.channel.refuse(problemReply(413, f"the body has at most {self._most} bytes"))

    def processingFailed(self, reason: Failure) -> Failure:
        """
        Answer a request that failed as it should not. The log has the traceback.
        """
        log.failure("a request to the console failed", reason)
        reply = problemReply(500, "the request failed; the log of the balancer says more")
        setHeaders(self)
        self.setResponseCode(reply.status)
        self.setHeader(b"content-type", PROBLEM.encode("ascii"))
        self.write(b"".join(reply.pieces or ()))
        self.finish()
        return reason
