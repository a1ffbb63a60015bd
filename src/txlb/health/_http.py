"""
A check that asks for a page.
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

#: The most bytes of an answer's body that are looked at.
MAX_BODY = 64 * 1024


class HTTPCheck(ConversationCheck):
    """
    Passes where the answer has a status that is expected and, where that is
    asked for, a body with a text in it.
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
    An HTTP answer, read as far as it is wanted.
    """

    def __init__(self, connection: CheckConnection, hasBody: bool) -> None:
        self._connection = connection
        self._reader = HTTPReader(hasBody)
        self._body = b""

    def readStatus(self) -> Steps[int]:
        """
        Read the status of the first answer that isn't an interim one. The body is
        what comes next.

        @raise CheckEnded: this is no HTTP, or there is too much of it.
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
        Return whether C{wanted} is in what is looked at of the body.
        """
        while wanted not in self._body:
            if self._reader.complete or self._reader.received >= MAX_BODY:
                return False
            # Bytes that were searched are not searched again.
            self._body = self._body[max(len(self._body) - len(wanted) + 1, 0) :]
            more = yield from self._read()
            if not more:
                return wanted in self._body
        return True


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
