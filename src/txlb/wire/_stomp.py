"""
Frames of STOMP 1.2.

Source: U{STOMP 1.2<https://stomp.github.io/stomp-specification-1.2.html>}. A frame is a line with
its command, lines with headers, an empty line, a body, and a NUL. Lines may end with CR LF. Headers
are escaped in all frames but C{CONNECT} (or C{STOMP}) and C{CONNECTED}. If a frame has a header
more than once the first one counts. A body has the length that C{content-length} says; without it,
it ends with the first NUL. Between frames there may be ends of lines, which are heart-beats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: The headers of a frame, the bytes of its command and headers, and the bytes of its body, at most.
MAX_STOMP_HEADERS = 64
MAX_STOMP_HEAD = 16 * 1024
MAX_STOMP_BODY = 1024 * 1024

#: What a peer sends while it has no frame to send.
HEART_BEAT = b"\n"

#: The longest time from one heart-beat to the next that is understood, in milliseconds.
MAX_HEART_BEAT = 10**9

#: The commands of clients and of servers.
COMMANDS = frozenset(
    {
        "ABORT",
        "ACK",
        "BEGIN",
        "COMMIT",
        "CONNECT",
        "CONNECTED",
        "DISCONNECT",
        "ERROR",
        "MESSAGE",
        "NACK",
        "RECEIPT",
        "SEND",
        "STOMP",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
    }
)

#: Those whose frames may have a body, and those whose headers are not escaped.
_WITH_BODY = frozenset({"SEND", "MESSAGE", "ERROR"})
_UNESCAPED = frozenset({"CONNECT", "STOMP", "CONNECTED"})

_LENGTH = "content-length"
_END = re.compile(rb"\n\r?\n")
_DIGITS = re.compile(r"[0-9]{1,10}")
_BEATS = re.compile(r"([0-9]{1,10}),([0-9]{1,10})")
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_MEANINGS = {"\\": "\\", "n": "\n", "r": "\r", "c": ":"}
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"})


class StompFrameError(ValueError):
    """
    Bytes that are no STOMP or more than a frame may have, or a frame that can't be written.
    """


@dataclass(frozen=True, slots=True)
class StompFrame:
    """
    A frame.

    @ivar command: one of L{COMMANDS}.
    @ivar headers: the headers, without C{content-length}, which belongs to the writing.
    @ivar body: the body; only C{SEND}, C{MESSAGE} and C{ERROR} may have one.
    """

    command: str
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes = b""

    def get(self, name: str) -> str:
        """
        Return the value of a header; an empty text if there is none.
        """
        return self.headers.get(name, "")


def encodeStomp(frame: StompFrame) -> bytes:
    """
    Return the bytes of a frame. If it may have a body it has a C{content-length}.

    @raise StompFrameError: it can't be written: the command is unknown, a header can't stand in
        such a frame, or it has more than L{StompReader} takes by default.
    """
    command = frame.command
    if command not in COMMANDS:
        raise StompFrameError(f"{command!r} is no command of STOMP")
    if len(frame.headers) > MAX_STOMP_HEADERS - 1:
        raise StompFrameError(f"a frame has {len(frame.headers)} headers, which are too many")
    lines = [command]
    for name, value in frame.headers.items():
        if not name or name == _LENGTH:
            raise StompFrameError(f"a frame can't have the header {name!r}")
        lines.append(_written(name, value, command))
    if command in _WITH_BODY:
        lines.append(f"{_LENGTH}:{len(frame.body)}")
    elif frame.body:
        raise StompFrameError(f"the frame {command} has no body")
    try:
        head = "\n".join(lines).encode("utf-8")
    except UnicodeEncodeError as error:
        raise StompFrameError(f"a header can't be written: {error.reason}") from None
    if len(head) + 2 > MAX_STOMP_HEAD or len(frame.body) > MAX_STOMP_BODY:
        raise StompFrameError(f"the frame {command} is too long")
    return b"%b\n\n%b\0" % (head, frame.body)


def _written(name: str, value: str, command: str) -> str:
    if "\0" in name or "\0" in value:
        raise StompFrameError(f"a header of the frame {command} has a NUL")
    if command not in _UNESCAPED:
        return f"{name.translate(_ESCAPES)}:{value.translate(_ESCAPES)}"
    if ":" in name or any(each in text for text in (name, value) for each in "\r\n"):
        raise StompFrameError(
            f"the frame {command} can't have this header: its name has a colon, or it has several "
            "lines"
        )
    return f"{name}:{value}"


def parseHeartBeat(text: str) -> tuple[int, int]:
    """
    Read the header C{heart-beat}.

    @param text: its value; an empty text if there is none.
    @return: the milliseconds from one heart-beat to the next that the sender of the frame can
        guarantee, and those that it wants of the other party; 0 for no heart-beats.
    @raise StompFrameError: it is none.
    """
    found = _BEATS.fullmatch(text or "0,0")
    if found is None:
        raise StompFrameError(f"the heart-beat is {text[:80]!r}; it is two numbers, such as 0,0")
    can, wants = (min(int(each), MAX_HEART_BEAT) for each in found.groups())
    return can, wants


class StompReader:
    """
    A reader of frames, in the pieces in which they arrive. Beside the piece of one call it holds
    one frame at most. It reads each byte a bounded number of times.

    @param maxHeaders: the most headers of a frame.
    @param maxHead: the most bytes of its command and headers.
    @param maxBody: the most bytes of its body.
    """

    def __init__(
        self,
        maxHeaders: int = MAX_STOMP_HEADERS,
        maxHead: int = MAX_STOMP_HEAD,
        maxBody: int = MAX_STOMP_BODY,
    ) -> None:
        self._maxHeaders = maxHeaders
        self._maxHead = maxHead
        self._maxBody = maxBody
        self._data = bytearray()
        # The beginning of the frame that is read, and where its next end is looked for.
        self._begin = self._searched = 0
        # The frame whose body is read, and the length of that if it is known.
        self._head: tuple[str, dict[str, str]] | None = None
        self._length: int | None = None
        self._error: StompFrameError | None = None

    @property
    def held(self) -> int:
        """
        The number of bytes that it holds.
        """
        return len(self._data)

    def feed(self, data: bytes) -> list[StompFrame]:
        """
        Take the next bytes.

        @return: the frames that are complete now.
        @raise StompFrameError: it is no STOMP, or a frame has more than it may have. The frames of
            this call that came before are lost; later calls raise it again.
        """
        if self._error is not None:
            raise self._error
        self._data += data
        frames: list[StompFrame] = []
        try:
            while (frame := self._next()) is not None:
                frames.append(frame)
        except StompFrameError as error:
            self._error = error
            self._data = bytearray()
            raise
        del self._data[: self._begin]
        self._searched -= self._begin
        self._begin = 0
        return frames

    def _next(self) -> StompFrame | None:
        """
        Read the next frame; L{None} if it is not complete.
        """
        if self._head is None:
            self._head = self._readHead()
        if self._head is None:
            return None
        body = self._readBody()
        if body is None:
            return None
        (command, headers), self._head = self._head, None
        if body and command not in _WITH_BODY:
            raise StompFrameError(f"the frame {command} has a body")
        return StompFrame(command, headers, body)

    def _readHead(self) -> tuple[str, dict[str, str]] | None:
        self._skip()
        data, begin = self._data, self._begin
        found = _END.search(data, max(self._searched, begin))
        end = len(data) if found is None else found.end()
        if end - begin > self._maxHead:
            raise StompFrameError(
                f"the command and headers of a frame have more than {self._maxHead} bytes"
            )
        if found is None:
            # An end may begin in the last two bytes.
            self._searched = max(begin, end - 2)
            return None
        command, headers = self._parse(bytes(data[begin : found.start()]))
        self._length = _lengthOf(headers.pop(_LENGTH, None))
        if self._length is not None and self._length > self._maxBody:
            raise self._tooLong()
        self._begin = self._searched = end
        return command, headers

    def _skip(self) -> None:
        """
        Pass over ends of lines.
        """
        data, begin = self._data, self._begin
        while begin < len(data):
            if data[begin] == 10:
                begin += 1
            elif data[begin] == 13 and begin + 1 < len(data) and data[begin + 1] == 10:
                begin += 2
            else:
                break
        self._begin = begin

    def _parse(self, head: bytes) -> tuple[str, dict[str, str]]:
        if head.count(b"\n") > self._maxHeaders:
            raise StompFrameError(f"a frame has more than {self._maxHeaders} headers")
        if b"\0" in head:
            raise StompFrameError("a frame has a NUL in its headers")
        try:
            text = head.decode("utf-8")
        except UnicodeDecodeError:
            raise StompFrameError("the headers of a frame are no UTF-8") from None
        command, *lines = [each.removesuffix("\r") for each in text.split("\n")]
        if command not in COMMANDS:
            raise StompFrameError(f"{command[:80]!r} is no command of STOMP")
        escaped = command not in _UNESCAPED
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or "\r" in line:
                raise StompFrameError(f"a line of the frame {command} is no header: {line[:80]!r}")
            if escaped and "\\" in line:
                name, value = _unescaped(name), _unescaped(value)
            headers.setdefault(name, value)
        return command, headers

    def _readBody(self) -> bytes | None:
        data, begin, length = self._data, self._begin, self._length
        if length is None:
            end = data.find(0, max(self._searched, begin))
            self._searched = len(data)
            if (len(data) if end < 0 else end) - begin > self._maxBody:
                raise self._tooLong()
            if end < 0:
                return None
        else:
            end = begin + length
            if len(data) <= end:
                return None
            if data[end]:
                raise StompFrameError(f"a body of {length} bytes does not end with NUL")
        self._begin = self._searched = end + 1
        return bytes(data[begin:end])

    def _tooLong(self) -> StompFrameError:
        return StompFrameError(f"the body of a frame has more than {self._maxBody} bytes")


def _lengthOf(text: str | None) -> int | None:
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise StompFrameError(f"the length of a body is {text[:80]!r}")
    return int(text)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_meaning, text)


def _meaning(found: re.Match[str]) -> str:
    meaning = _MEANINGS.get(found[1])
    if meaning is None:
        raise StompFrameError(f"a header has {found[0]!r} in it, which has no meaning")
    return meaning
