"""
One stream of events to a page or a program.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from txlb.admin.web._reply import encoded

#: Events that are written in one turn.
IN_TURN = 50


class StreamOwner(Protocol):
    """
    The owner of the streams: L{txlb.admin.web._streams.Streams}.
    """

    def since(self, number: int) -> tuple[int, list[tuple[int, bytes]]]:
        """
        Return the number of the first event that is kept, and the events after one.
        """

    def gone(self, stream: EventStream) -> None:
        """
        Forget a stream that is gone.
        """

    def soon(self, stream: EventStream) -> None:
        """
        Let a stream go on in a later turn.
        """


@implementer(IPushProducer)
class EventStream:
    """
    A stream of events, in the format of server-sent events of HTML. A client that does not
    read costs the buffers of its connection, and no more: when it reads again it is told that
    there is a gap, and gets what is still kept. Owned by the L{txlb.admin.web._streams.Streams}.

    @param request: the request, which is answered as long as the stream lasts.
    @param after: the number of the event after which it begins.
    @ivar ended: whether it is over.
    """

    def __init__(self, owner: StreamOwner, request: Any, after: int) -> None:
        self.ended = False
        self._owner = owner
        self._request = request
        self._position = after
        self._paused = False
        # The rest of the update that is being written, and whether others were left out.
        self._update: deque[bytes] = deque()
        self._missed = False

    def start(self, hello: bytes) -> None:
        """
        Begin.

        @param hello: the first bytes.
        """
        self._request.notifyFinish().addBoth(lambda _: self._gone())
        self._request.registerProducer(self, True)
        self._write(hello)
        self.send()

    def _gone(self) -> None:
        if not self.ended:
            self.ended = True
            self._owner.gone(self)

    def end(self) -> None:
        """
        End the stream.
        """
        if self.ended:
            return
        self._gone()
        self._request.unregisterProducer()
        if self._paused:
            # What it has not read would hold the connection.
            self._request.transport.abortConnection()
        else:
            self._request.finish()

    def _write(self, data: bytes) -> None:
        self._request.write(data)

    # The transport

    def pauseProducing(self) -> None:
        """
        Stop: the client does not read.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        Go on.
        """
        self._paused = False
        self.send()

    def stopProducing(self) -> None:
        """
        Stop for good.
        """
        self._paused = True

    # Content

    def tell(self, text: bytes) -> None:
        """
        Write something that may be left out, if the client reads.
        """
        if not self._paused and not self.ended and not self._update:
            self._write(text)

    def update(self, pieces: Iterable[bytes]) -> None:
        """
        Write an update. If the last one is not written yet, it is left out.
        """
        if self._update or self._paused:
            self._missed = True
        else:
            self._update.extend(pieces)
        self.send()

    def send(self) -> None:
        """
        Write what there is, while the client reads.
        """
        while self._update and not self._isBlocked():
            self._write(self._update.popleft())
        if self._missed and not self._isBlocked():
            self._missed = False
            self._write(eventText("gap", {"of": "updates"}))
        self._sendEvents()

    def _isBlocked(self) -> bool:
        return self._paused or self.ended

    def _sendEvents(self) -> None:
        if self._update or self._isBlocked():
            return
        first, events = self._owner.since(self._position)
        if self._position + 1 < first:
            gap = {"of": "events", "after": self._position, "first": first}
            self._position = first - 1
            self._write(eventText("gap", gap))
        for count, (number, text) in enumerate(events):
            if self._isBlocked():
                return
            if count == IN_TURN:
                self._owner.soon(self)
                return
            self._position = number
            self._write(text)


def eventText(name: str, value: object) -> bytes:
    """
    Encode an event that has no number.
    """
    return b"event: %b\ndata: %b\n\n" % (name.encode("ascii"), encoded(value))
