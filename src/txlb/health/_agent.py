"""
A check that asks an agent beside the host, as HAProxy's agent-check does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from txlb.health._checkconnection import CheckConnection, Conversation
from txlb.health._kind import CheckKind
from txlb.health._target import Target
from txlb.health._tcp import ConversationCheck
from txlb.health._tools import Tools
from txlb.health._values import Bytes, unescaped
from txlb.health._verdict import Verdict
from txlb.model.options import Option
from txlb.wire import AgentHealth, AgentReader, AgentReply


class AgentCheck(ConversationCheck):
    """
    A check that reads an agent's line. C{up} passes; C{down}, C{fail} and C{stopped} don't. A
    line with none of these has no effect, nor has an agent that can't be reached, as that is
    no fault of the host.

    Source: HAProxy 2.6, configuration manual, C{agent-check}.
    """

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        super().__init__(options, tools)
        send = options["send"]
        self._send = b"" if send is None else unescaped(send, "send")

    def check(self, target: Target) -> Deferred[Verdict]:
        """
        Ask the agent. The check sends no PROXY header, as the agent is not the server that
        clients connect to.
        """
        connection = CheckConnection(target.address, others=target.others, timeout=target.timeout)
        connection.doing = "no connection to the agent"
        return self._sockets.run(connection, self.talk(connection, target)).addCallback(_ofAgent)

    def talk(self, connection: CheckConnection, target: Target) -> Conversation:
        yield from connection.connect()
        yield from connection.send(self._send)
        reader = AgentReader()
        reply: AgentReply | None = None
        while reply is None:
            data = yield from connection.receive()
            reply = reader.feed(data) if data else reader.ended()
        if reply.isEmpty:
            return Verdict(None, f"it can't be understood: {reply.error}", reply)
        if reply.health is None:
            return Verdict(None, "it says nothing of the host's health", reply)
        why = f" ({reply.reason})" if reply.reason else ""
        return Verdict(reply.health is AgentHealth.UP, f"it says {reply.health.value}{why}", reply)


def _ofAgent(verdict: Verdict) -> Verdict:
    """
    Return the verdict of the agent. A check without a reply has no effect.
    """
    passed = None if verdict.reply is None else verdict.passed
    return replace(verdict, passed=passed, detail=f"agent: {verdict.detail}")


AGENT = CheckKind(
    "agent",
    "Asks an agent beside the host, which speaks HAProxy's agent-check protocol, most often on a "
    "``port`` of its own. ``up``, ``down``, ``fail`` and ``stopped`` say how the host is; "
    "``drain``, ``maint``, ``ready``, ``N%`` and ``weight:N`` are done. An agent that can't be "
    "reached changes nothing.",
    AgentCheck,
    (Option("send", Bytes(), "The bytes to send to the agent first.", defaultDoc="nothing"),),
)
