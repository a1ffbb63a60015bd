"""
A check that sends an HTTP request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from txlb.health._checkconnection import CheckConnection, Conversation, Steps
from txlb.health._kind import CheckKind
from txlb.health._target import Target
from txlb.health._tcp import CA_FILE, SERVER_NAME, VERIFY, ConversationCheck, TLSOptions
from txlb.health._tools import Tools
from txlb.health._values import Bytes, Statuses, ranges, shown, unescaped
from txlb.health._verdict import CheckEnded, Verdict
from txlb.model.kinds import Boolean
from txlb.model.options import Option, Text
from txlb.wire import HTTPAnswerError, HTTPReader

#: The most bytes of an answer's body that are searched.
MAX_BODY = 64 * 1024


class HTTPCheck(ConversationCheck):
    """
    A check that passes if the answer has an expected status and, with C{contains}, a body that
    has a text in it.
    """

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        self._what = f"{options['method']} {options['path']}"
        self._hasBody = options["method"] != "HEAD"
        self._host: str | None = options["host"]
        self._statuses: str = options["status"]
        self._ranges = ranges(self._statuses)
        contains = options["contains"]
        self._contains = None if contains is None else unescaped(contains, "contains")
        self._tls = TLSOptions(options) if options["tls"] else None
        self.ownTLS = self._tls is not None

    def talk(self, connection: CheckConnection, target: Target) -> Conversation:
        yield from connection.connect()
        if self._tls is not None:
            yield from self._tls.secure(connection, target)
        connection.doing = f"connected, but no answer to {self._what}"
        yield from connection.send(self._request(target))
        answer = HTTPAnswer(connection, self._hasBody)
        status = yield from answer.readStatus()
        if not any(least <= status <= most for least, most in self._ranges):
            return Verdict(False, f"HTTP {status}, expected {self._statuses}")
        if self._contains is not None:
            connection.doing = f"HTTP {status}, but no end of the answer to {self._what}"
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


class HTTPAnswer:
    """
    An HTTP answer, read as far as the check needs it.
    """

    def __init__(self, connection: CheckConnection, hasBody: bool) -> None:
        self._connection = connection
        self._reader = HTTPReader(hasBody)
        self._body = b""

    def readStatus(self) -> Steps[int]:
        """
        Read the status of the first answer that isn't an interim one.

        @raise CheckEnded: it is no HTTP, or its head is too long.
        """
        while self._reader.status is None:
            yield from self._read()
        return self._reader.status

    def _read(self) -> Steps[bool]:
        """
        Read the next bytes.

        @return: whether the host sent any, and did not close.
        """
        data = yield from self._connection.receive()
        try:
            if data:
                self._body += self._reader.feed(data)
            else:
                self._reader.ended()
        except HTTPAnswerError as error:
            colon = "" if str(error).startswith("closed") else ":"
            said = f"{colon} {shown(error.data)}" if error.data else ""
            raise CheckEnded.failed(f"{error}{said}") from None
        return bool(data)

    def bodyContains(self, wanted: bytes) -> Steps[bool]:
        """
        Return whether C{wanted} is in the body, of which at most L{MAX_BODY} bytes are
        searched.
        """
        while wanted not in self._body:
            if self._reader.complete or self._reader.received >= MAX_BODY:
                return False
            # Keep only the last bytes, in which the text may begin.
            self._body = self._body[max(len(self._body) - len(wanted) + 1, 0) :]
            more = yield from self._read()
            if not more:
                return wanted in self._body
        return True


_PRINTABLE = "printable characters without a space"

HTTP = CheckKind(
    "http",
    "Sends a request by HTTP/1.1, on a connection of its own.",
    HTTPCheck,
    (
        Option(
            "method", Text("[A-Z]{1,20}", "a method, such as GET or HEAD"), "The method.", "GET"
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
            "The value of the header ``Host``.",
            defaultDoc="the host as it is configured",
        ),
        Option("status", Statuses(), "The status codes that pass.", "200-399"),
        Option(
            "contains",
            Bytes(),
            f"The bytes that must be in the first {MAX_BODY // 1024} KiB of the body.",
            defaultDoc="nothing",
        ),
        Option("tls", Boolean(), "Whether to ask over TLS.", False),
        VERIFY,
        SERVER_NAME,
        CA_FILE,
    ),
)
