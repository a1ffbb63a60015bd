"""
What is said on the wire: HTTP, so that a proxy of HTTP can take part, in
messages of fixed bytes, so that both ends can compare instead of parse.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes of a small request and of its answer.
REQUEST_SIZE = 64
ANSWER_SIZE = 128

END = b"\r\n\r\n"

_STATUS = b"HTTP/1.1 200 OK\r\n"
_BODY = b"0123456789abcdef" * 4
_HEAD = _STATUS + b"Content-Length: %d\r\nServer: " % len(_BODY)

#: The answer to a small request, and to all that was sent to the server.
ANSWER = _HEAD + b"x" * (ANSWER_SIZE - len(_HEAD) - len(END) - len(_BODY)) + END + _BODY

_FIRST = b"GET /small HTTP/1.1\r\nHost: bench\r\nX-Pad: "

#: A small request.
REQUEST = _FIRST + b"x" * (REQUEST_SIZE - len(_FIRST) - len(END)) + END


def askFor(size: int) -> bytes:
    """
    Return a request for a number of bytes.
    """
    return b"GET /bulk/%d HTTP/1.1\r\nHost: bench\r\n\r\n" % size


def announce(size: int) -> bytes:
    """
    Return the header of a request with a number of bytes.
    """
    return b"PUT /sink/%d HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % (size, size)


def bulkHead(size: int) -> bytes:
    """
    Return the header of an answer of a number of bytes.
    """
    return _STATUS + b"Content-Length: %d\r\n\r\n" % size


@dataclass(frozen=True)
class Exchange:
    """
    A small request and the answer that it must have.

    @ivar request: the request.
    @ivar answer: the whole answer, where every byte of it is known.
    @ivar tail: how an answer ends of which only that is known.
    """

    request: bytes = REQUEST
    answer: bytes | None = ANSWER
    tail: bytes = END + _BODY

    def isComplete(self, data: bytes) -> bool:
        """
        Whether this is the answer, or only a part of it.

        @raise ValueError: it is neither.
        """
        if self.answer is not None:
            if data == self.answer:
                return True
            if self.answer.startswith(data):
                return False
        elif data.startswith(_STATUS):
            return data.endswith(self.tail)
        elif _STATUS.startswith(data):
            return False
        raise ValueError("an answer with other bytes")


#: Through a proxy that moves bytes.
PLAIN = Exchange()

#: Through a proxy that understands HTTP, and so writes heads of its own.
THROUGH_HTTP = Exchange(answer=None)
