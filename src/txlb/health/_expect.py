"""
A check that sends bytes and expects others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from txlb.health._checkconnection import CheckConnection, Conversation
from txlb.health._kind import CheckKind
from txlb.health._target import Target
from txlb.health._tcp import CA_FILE, SERVER_NAME, VERIFY, ConversationCheck, TLSOptions
from txlb.health._tools import Tools
from txlb.health._values import Bytes, shown, unescaped
from txlb.health._verdict import Verdict
from txlb.model.kinds import Boolean
from txlb.model.options import Option

#: The most bytes of an answer that are searched.
MAX_ANSWER = 16 * 1024


class ExpectCheck(ConversationCheck):
    """
    A check that passes if the expected bytes are in the answer.
    """

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        send = options["send"]
        self._send = b"" if send is None else unescaped(send, "send")
        self._expect = unescaped(options["expect"], "expect")
        self._tls = TLSOptions(options) if options["tls"] else None

    def talk(self, connection: CheckConnection, target: Target) -> Conversation:
        yield from connection.connect()
        if self._tls is not None:
            yield from self._tls.secure(connection, target)
        yield from connection.send(self._send)
        answer = b""
        while self._expect not in answer:
            data = yield from connection.receive()
            answer += data
            if not data or len(answer) > MAX_ANSWER:
                break
            connection.doing = f"the answer is {shown(answer)}, expected {shown(self._expect)}"
        else:
            return Verdict(True, f"the answer is {shown(answer)}")
        if not answer:
            return Verdict(False, "closed without an answer")
        return Verdict(False, f"the answer is {shown(answer)}, expected {shown(self._expect)}")


EXPECT = CheckKind(
    "expect",
    "Sends some bytes and expects some in the answer, or in what the host sends by itself.",
    ExpectCheck,
    (
        Option(
            "expect",
            Bytes(),
            "The bytes that must be in the first 16 KiB of the answer.",
            required=True,
        ),
        Option("send", Bytes(), "The bytes to send.", defaultDoc="nothing"),
        Option("tls", Boolean(), "Whether to talk over TLS.", False),
        VERIFY,
        SERVER_NAME,
        CA_FILE,
    ),
)
