"""
A probe that reads an agent, as HAProxy's agent-check does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.connecting import OneProtocolFactory
from txlb.interfaces import IResourceProbe
from txlb.model.options import Option, Text
from txlb.resources._connecting import ProbeEndpoint, ProbeFailed
from txlb.resources._kind import ProbeKind
from txlb.resources._probeconnection import ProbeConnection
from txlb.resources._target import ProbeTarget
from txlb.wire import AgentHealth, AgentReader, AgentReply, AgentState


@implementer(IResourceProbe)
class AgentProbe:
    """
    A probe that reads an agent's line. As in HAProxy, a value that a line does not mention stays
    as it was: after C{drain} or C{down} the host has nothing left until the agent says C{ready}
    or C{up}.

    A percentage above 100 counts as 100, and C{weight:N} as N divided by the host's configured
    weight. C{maxconn} is ignored.

    Source: HAProxy 2.6, configuration manual, C{agent-check}.
    """

    def __init__(self, options: Mapping[str, Any], reactor: Any) -> None:
        self._reactor = reactor
        send = options["send"]
        self._send = b"" if send is None else f"{send}\n".encode()
        self._percent: int | None = None
        self._weight: int | None = None
        self._state = AgentState.READY
        self._health = AgentHealth.UP

    def probe(self, target: ProbeTarget) -> Deferred[float | None]:
        connection = AgentConnection(self._send)
        connected = ProbeEndpoint(self._reactor, target).connect(OneProtocolFactory(connection))
        connection.begin(connected)
        return connection.done.addCallback(self._heard, target)

    def _heard(self, reply: AgentReply, target: ProbeTarget) -> float | None:
        if reply.isEmpty:
            raise ProbeFailed(f"the agent can't be understood: {reply.error}")
        if reply.percent is not None or reply.weight is not None:
            self._percent, self._weight = reply.percent, reply.weight
        self._state = reply.state or self._state
        self._health = reply.health or self._health
        if self._state is not AgentState.READY or self._health is not AgentHealth.UP:
            return 0.0
        if self._weight is not None:
            return min(self._weight / target.weight, 1.0)
        return None if self._percent is None else min(self._percent / 100, 1.0)


class AgentConnection(ProbeConnection[AgentReply]):
    """
    One connection to an agent.
    """

    def __init__(self, send: bytes) -> None:
        super().__init__(send)
        self._reader = AgentReader()

    def dataReceived(self, data: bytes) -> None:
        reply = self._reader.feed(data)
        if reply is not None:
            self.end(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.end(self._reader.ended())


AGENT = ProbeKind(
    "agent",
    "Reads an agent beside the host, which speaks HAProxy's agent-check protocol, most often on a "
    "``port`` of its own: ``75%`` or ``weight:N`` is what is left, after ``drain``, ``maint``, "
    "``down``, ``fail`` and ``stopped`` nothing is until ``ready`` or ``up``.",
    AgentProbe,
    (
        Option(
            "send",
            Text(r"[\x20-\x7e]+", "a line of printable ASCII characters"),
            "A line that is sent to the agent first.",
            defaultDoc="nothing",
        ),
    ),
)
