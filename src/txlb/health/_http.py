"""
A check that asks for a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from txlb.health._line import Conversation, Line, Steps
from txlb.health._registry import CheckKind, Target, Tools
from txlb.health._tcp import CA_FILE, SERVER_NAME, VERIFY, ConversationCheck, TLSOptions
from txlb.health._values import Bytes, Statuses, ranges, shown, unescaped
from txlb.health._verdict import CheckEnded, Verdict
from txlb.model.kinds import Boolean
from txlb.model.options import Option, Text

#: The most bytes of an answer's head, and of its body, that are looked at.
MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024

#: How many interim answers (1xx) may come before the real one.
MAX_INTERIM = 5

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?=[ \r\n])")


class HTTPCheck(ConversationCheck):
    """
    Passes where the answer has a status that is expected and, where that is
    asked for, a body with a text in it.
    """

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        self._what = f"{options['method']} {options['path']}"
        self._host: str | None = options["host"]
        self._statuses: str = options["status"]
        self._ranges = ranges(self._statuses)
        contains = options["contains"]
        self._contains = None if contains is None else unescaped(contains, "contains")
        self._tls = TLSOptions(options) if options["tls"] else None

    def talk(self, line: Line, target: Target) -> Conversation:
        """
        See L{ConversationCheck.talk}.
        """
        yield from line.connect()
        if self._tls is not None:
            yield from self._tls.secure(line, target)
        line.doing = f"connected, but no answer to {self._what}"
        yield from line.send(self._request(target))
        answer = Answer(line)
        status = yield from answer.readStatus()
        if not any(least <= status <= most for least, most in self._ranges):
            return Verdict(False, f"HTTP {status}, expected {self._statuses}")
        if self._contains is not None:
            line.doing = f"HTTP {status}, but no end of the answer to {self._what}"
            found = yield from answer.bodyContains(self._contains)
            if not found:
                return Verdict(False, f"HTTP {status}, but {shown(self._contains)} is not in it")
        return Verdict(True, f"HTTP {status}")

    def _request(self, target: Target) -> bytes:
        host = self._host or (f"[{target.name}]" if ":" in target.name else target.name)
        lines = (
            f"{self._what} HTTP/1.1",
            f"Host: {host}",
            "User-Agent: txlb",
            "Accept: */*",
            "Connection: close",
            "\r\n",
        )
        return "\r\n".join(lines).encode("ascii")


class Answer:
    """
    An HTTP answer, read as far as it is wanted.

    Source: RFC 9112.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._data = b""
        self._chunked = False
        self._length: int | None = None

    def readStatus(self) -> Steps[int]:
        """
        The status of the first answer that isn't an interim one. The body is
        what comes next.

        @raise CheckEnded: this is no HTTP, or there is too much of it.
        """
        for _ in range(MAX_INTERIM + 1):
            head = yield from self._readHead()
            found = _STATUS.match(head)
            if found is None:
                raise CheckEnded.failed(f"the answer is no HTTP: {shown(head)}")
            status = int(found[1])
            if status >= 200 or status == 101:
                self._chunked = b"\r\ntransfer-encoding: chunked" in head.lower()
                length = re.search(rb"\r\ncontent-length: *([0-9]{1,15})\r\n", head.lower())
                self._length = None if length is None else int(length[1])
                return status
        raise CheckEnded.failed(f"more than {MAX_INTERIM} interim answers")

    def _readHead(self) -> Steps[bytes]:
        while b"\r\n\r\n" not in self._data:
            if len(self._data) > MAX_HEAD:
                raise CheckEnded.failed(f"the head of the answer has more than {MAX_HEAD} bytes")
            if not b"HTTP/1.".startswith(self._data[:7]):
                return self._data
            data = yield from self._line.receive()
            if not data:
                said = f"after {shown(self._data)}" if self._data else "without an answer"
                raise CheckEnded.failed(f"closed {said}")
            self._data += data
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def bodyContains(self, wanted: bytes) -> Steps[bool]:
        """
        Whether C{wanted} is in what is looked at of the body.
        """
        while True:
            body, complete = self._body()
            if wanted in body:
                return True
            if complete or len(self._data) >= MAX_BODY:
                return False
            data = yield from self._line.receive()
            if not data:
                return False
            self._data += data

    def _body(self) -> tuple[bytes, bool]:
        """
        What there is of the body, and whether that is all of it.
        """
        if self._chunked:
            return unchunked(self._data)
        if self._length is not None:
            return self._data[: self._length], len(self._data) >= self._length
        return self._data, False


def unchunked(data: bytes) -> tuple[bytes, bool]:
    """
    The content of chunks.

    @return: with whether the last one is there.
    """
    parts: list[bytes] = []
    while True:
        size, newline, rest = data.partition(b"\r\n")
        digits = size.partition(b";")[0].strip()
        if not newline or not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits):
            return b"".join(parts), False
        length = int(digits, 16)
        if not length:
            return b"".join(parts), True
        parts.append(rest[:length])
        data = rest[length + 2 :]


_PRINTABLE = "printable characters without a space"

HTTP = CheckKind(
    "http",
    "Asks for a page, by HTTP/1.1 on a connection of its own.",
    HTTPCheck,
    (
        Option(
            "method", Text("[A-Z]{1,20}", "a method, such as GET or HEAD"), "What to do.", "GET"
        ),
        Option(
            "path",
            Text(r"[/*][\x21-\x7e]*", f"a path that begins with /, of {_PRINTABLE}"),
            "The path to ask for.",
            "/",
        ),
        Option(
            "host",
            Text(r"[\x21-\x7e]{1,255}", f"1 to 255 {_PRINTABLE}"),
            "What the header ``Host`` says.",
            defaultDoc="the host as it is configured",
        ),
        Option("status", Statuses(), "The answers that will do.", "200-399"),
        Option(
            "contains",
            Bytes(),
            f"What the first {MAX_BODY // 1024} KiB of the body have to have in them.",
            defaultDoc="nothing",
        ),
        Option("tls", Boolean(), "Whether to ask over TLS.", False),
        VERIFY,
        SERVER_NAME,
        CA_FILE,
    ),
)
