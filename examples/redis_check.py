"""
A kind of check of one's own: it passes if a Redis server answers, and, if a role is
configured, has that role.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from txlb.health import (
    CheckConnection,
    CheckKind,
    Conversation,
    ConversationCheck,
    Option,
    Target,
    Tools,
    Verdict,
)
from txlb.model.kinds import Word


class RedisCheck(ConversationCheck):
    """
    A check by C{ROLE}. The answer is a list whose first element is the role.
    """

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        self._role: str | None = options["role"]

    def talk(self, connection: CheckConnection, target: Target) -> Conversation:
        """
        Ask for the role and read the answer.
        """
        yield from connection.connect()
        yield from connection.send(b"ROLE\r\n")
        answer = b""
        while answer.count(b"\r\n") < 3 and len(answer) < 1024 and not answer.startswith(b"-"):
            data = yield from connection.receive()
            if not data:
                return Verdict(False, "closed without an answer")
            answer += data
        lines = answer.split(b"\r\n")
        if not answer.startswith(b"*") or len(lines) < 3:
            return Verdict(False, f"the answer is {answer[:60]!a}")
        role = lines[2].decode("ascii", "replace")
        return Verdict(self._role in {None, role}, f"it is a {ascii(role)[1:-1]}")


REDIS = CheckKind(
    "redis",
    "Asks a Redis server for its role.",
    RedisCheck,
    (Option("role", Word(("master", "slave")), "The role that it has to have."),),
)
