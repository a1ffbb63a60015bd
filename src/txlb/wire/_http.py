"""
Answers of HTTP/1.0 and HTTP/1.1, read by a client.

Source: RFC 9112. A line may end with LF alone (section 2.2). White space around a
field's value is optional (section 5).
"""

from __future__ import annotations

import re

#: The most bytes of the heads of an answer, the interim ones (1xx) included.
MAX_HTTP_HEAD = 16 * 1024

#: The most interim answers that may come before the final one.
MAX_INTERIM = 5

#: The most bytes of the line before a chunk, its extensions included.
MAX_CHUNK_LINE = 1024

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?=[ \r\n])")
_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


class HTTPAnswerError(ValueError):
    """
    Bytes of a host that are no answer of HTTP/1.x, or have too long a head.

    @ivar data: these bytes, for people; their number has no bound.
    """

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(reason)
        self.data = data


class HTTPReader:
    """
    A reader of one answer, in the pieces in which it arrives. It holds at most
    L{MAX_HTTP_HEAD} bytes and the piece of one call. It reads each byte a bounded number of
    times.

    The body has no bound here: the caller looks at C{received} and stops.

    @param hasBody: whether the answer has a body; an answer to C{HEAD} has none.

    @ivar status: the status of the final answer; L{None} before its head is
        complete.
    @ivar received: bytes that were fed after the head.
    @ivar complete: whether the end of the body is known to have come.
    """

    def __init__(self, hasBody: bool = True) -> None:
        self.status: int | None = None
        self.received = 0
        self.complete = False
        self._hasBody = hasBody
        self._head = bytearray()
        self._searched = 0
        self._interim = 0
        self._headBytes = 0
        self._chunks: _Chunks | None = None
        self._left: int | None = None

    def feed(self, data: bytes) -> bytes:
        """
        Take the next bytes.

        @return: the part of the body's content that they have.
        @raise HTTPAnswerError: it is no HTTP, or its head has too many bytes.
        """
        if self.status is None:
            data = self._feedHead(data)
        if self.status is None or self.complete or not data:
            return b""
        self.received += len(data)
        if self._chunks is not None:
            content = self._chunks.feed(data)
            self.complete = self._chunks.complete
            return content
        if self._left is None:
            return data
        content = data[: self._left]
        self._left -= len(content)
        self.complete = not self._left
        return content

    def ended(self) -> None:
        """
        Take note that the host closed the connection. A body without a length of its own
        ends by that.

        @raise HTTPAnswerError: the head is not complete.
        """
        if self.status is None:
            said = bytes(self._head)
            raise HTTPAnswerError("closed after" if said else "closed without an answer", said)
        if self._chunks is None and self._left is None:
            self.complete = True

    def _feedHead(self, data: bytes) -> bytes:
        """
        Read heads up to that of the final answer.

        @return: the bytes after it.
        """
        self._head += data
        while self.status is None:
            if not b"HTTP/1.".startswith(self._head[:7]):
                raise HTTPAnswerError("the answer is no HTTP", bytes(self._head))
            found = _END.search(self._head, self._searched)
            length = len(self._head) if found is None else found.end()
            if self._headBytes + length > MAX_HTTP_HEAD:
                raise HTTPAnswerError(f"the head of the answer has more than {MAX_HTTP_HEAD} bytes")
            if found is None:
                # An end may begin in the last three bytes.
                self._searched = max(len(self._head) - 3, 0)
                return b""
            head = bytes(self._head[:length])
            del self._head[:length]
            self._searched = 0
            self._headBytes += length
            self._readHead(head)
        rest = bytes(self._head)
        self._head.clear()
        return rest

    def _readHead(self, head: bytes) -> None:
        found = _STATUS.match(head)
        if found is None:
            raise HTTPAnswerError("the answer is no HTTP", head)
        status = int(found[1])
        if status < 200 and status != 101:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise HTTPAnswerError(f"more than {MAX_INTERIM} interim answers")
            return
        self.status = status
        if not self._hasBody or status in {101, 204, 304}:
            self.complete = True
            return
        codings, length = b"", None
        for line in head.split(b"\n")[1:]:
            name, _, value = line.partition(b":")
            value = value.strip(b" \t\r")
            if name.lower() == b"transfer-encoding":
                codings = value.lower()
            elif name.lower() == b"content-length" and _LENGTH.fullmatch(value):
                length = int(value)
        if codings.rpartition(b",")[2].strip(b" \t") == b"chunked":
            self._chunks = _Chunks()
        elif not codings and length is not None:
            self._left = length
            self.complete = not length


class _Chunks:
    """
    A reader of the content of chunks, in the pieces in which they arrive.

    @ivar complete: whether the last chunk was read. The trailer after it is not read.
    """

    def __init__(self) -> None:
        self.complete = False
        self._line = b""
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        at = 0
        while at < len(data) and not self.complete:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                at = len(data)
            else:
                self._line += data[at : end + 1]
                at = end + 1
            if len(self._line) > MAX_CHUNK_LINE:
                raise HTTPAnswerError(f"a chunk's line has more than {MAX_CHUNK_LINE} bytes")
            if end >= 0:
                line, self._line = self._line.strip(b" \t\r\n"), b""
                # The empty line after a chunk belongs to that chunk.
                if line:
                    self._begin(line)
        return b"".join(parts)

    def _begin(self, line: bytes) -> None:
        digits = line.partition(b";")[0].strip(b" \t")
        if not _SIZE.fullmatch(digits):
            raise HTTPAnswerError("a chunk of the answer has no length", line)
        self._left = int(digits, 16)
        self.complete = not self._left
