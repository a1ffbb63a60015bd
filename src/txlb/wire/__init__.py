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
from txlb.wire._http import MAX_HTTP_HEAD, HTTPAnswerError, HTTPReader
from txlb.wire._preface import Done, NeedMore, Reject
from txlb.wire._proxy import encodeProxyLocal, encodeProxyV1, encodeProxyV2

__all__ = [
    "MAX_AGENT_LINE",
    "MAX_HTTP_HEAD",
    "REMEDIES",
    "AgentHealth",
    "AgentReader",
    "AgentReply",
    "AgentState",
    "BoxError",
    "BoxReader",
    "Done",
    "HTTPAnswerError",
    "HTTPReader",
    "NeedMore",
    "Reject",
    "encodeBox",
    "encodeProxyLocal",
    "encodeProxyV1",
    "encodeProxyV2",
    "formatAgentReply",
    "parseAgentReply",
]
