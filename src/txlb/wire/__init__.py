"""
Codecs: bytes in and values out, or the other way round, without any I/O.
"""

from txlb.wire._agent import (
    MAX_AGENT_LINE,
    AgentHealth,
    AgentReader,
    AgentReply,
    AgentState,
    formatAgentReply,
    parseAgentReply,
)
from txlb.wire._amp import REMEDIES, BoxError, BoxReader, encodeBox
from txlb.wire._preface import Done, NeedMore, Reject
from txlb.wire._proxy import encodeProxyLocal, encodeProxyV1, encodeProxyV2

__all__ = [
    "MAX_AGENT_LINE",
    "REMEDIES",
    "AgentHealth",
    "AgentReader",
    "AgentReply",
    "AgentState",
    "BoxError",
    "BoxReader",
    "Done",
    "NeedMore",
    "Reject",
    "encodeBox",
    "encodeProxyLocal",
    "encodeProxyV1",
    "encodeProxyV2",
    "formatAgentReply",
    "parseAgentReply",
]
