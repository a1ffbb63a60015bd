"""
Questions to the person that logs in: keyboard-interactive, RFC 4256.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from twisted.conch.ssh.common import NS, getNS
from twisted.internet.defer import Deferred

from txlb.admin.login import LoginRefused

MSG_USERAUTH_INFO_REQUEST = 60
MSG_USERAUTH_INFO_RESPONSE = 61

#: The longest answer that is looked at, in bytes.
MAX_REPLY = 1024


class Interaction:
    """
    The questions of one login. There is one at a time. Owned by a
    L{txlb.admin._login.UserAuth}.

    @param send: sends a message, by its number and content.
    """

    def __init__(self, send: Callable[[int, bytes], object]) -> None:
        self._send = send
        self._waiting: Deferred[bytes] | None = None

    @property
    def waiting(self) -> bool:
        """
        Whether the person has not answered yet.
        """
        return self._waiting is not None

    def ask(self, question: str, echo: bool) -> Deferred[bytes]:
        """
        Ask a question.

        @param echo: whether the answer may be shown while it is typed.
        @return: fires with the answer; fails with L{LoginRefused} if there is none.
        """
        prompt = f"{question.rstrip(': ')}: ".encode()
        head = NS(b"") + NS(b"") + NS(b"") + struct.pack(">L", 1)
        self._send(MSG_USERAUTH_INFO_REQUEST, head + NS(prompt) + bytes((echo,)))
        waiting: Deferred[bytes] = Deferred()
        self._waiting = waiting
        return waiting

    def answered(self, packet: bytes) -> None:
        """
        Take the answer of the client.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        try:
            (count,) = struct.unpack(">L", packet[:4])
            reply, rest = getNS(packet[4:])
            right = count == 1 and not rest and len(reply) <= MAX_REPLY
        except (struct.error, IndexError, TypeError):
            right = False
        if right:
            waiting.callback(reply)
        else:
            waiting.errback(LoginRefused("the answer makes no sense"))

    def stop(self) -> None:
        """
        Give up, as the client has gone.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(LoginRefused("the client has gone"))
