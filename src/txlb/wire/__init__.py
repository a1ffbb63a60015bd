"""
Codecs: bytes in and values out, or the other way round, without any I/O.

The preface of a connection brings C{zope.interface}, and is loaded when it is first used: the
C{txlb} command uses codecs without it.
"""

from typing import TYPE_CHECKING

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
from txlb.wire._clienthello import (
    MAX_CLIENT_HELLO,
    Alert,
    ClientHello,
    ClientHelloError,
    ClientHelloReader,
    NoTLSError,
)
from txlb.wire._grants import (
    GRANTS_VERSION,
    MAX_FIRST,
    MAX_GRANT,
    MAX_GRANTS_MESSAGE,
    MAX_LISTENERS,
    Back,
    Bye,
    Drain,
    Grant,
    GrantsError,
    Hello,
    Keep,
    Message,
    Passed,
    Ping,
    Pong,
    Quit,
    Refused,
    Status,
    Take,
    Welcome,
    decodeGrants,
    encodeGrants,
)
from txlb.wire._http import MAX_HTTP_HEAD, HTTPAnswerError, HTTPReader
from txlb.wire._preface import Done, NeedMore, Reject
from txlb.wire._proxy import encodeProxyLocal, encodeProxyV1, encodeProxyV2
from txlb.wire._proxyheader import (
    MAX_PROXY_HEADER,
    ProxyHeader,
    ProxyHeaderError,
    ProxyHeaderReader,
)
from txlb.wire._tlsfacts import TLSFacts
from txlb.wire._tlvs import NOT_PASSED, TLVKind
from txlb.wire._upgrade import (
    BATCHED,
    BULK,
    ENDED,
    FAILED,
    LAST,
    MAX_UPGRADE_DESCRIPTORS,
    MAX_UPGRADE_MESSAGE,
    READABLE,
    TOLD,
    UPGRADE_RECORDS,
    UPGRADE_VERSION,
    URGENT,
    Aborted,
    AllCopied,
    AllMoved,
    ChangedConnection,
    Copies,
    Declined,
    EndState,
    Frozen,
    Gone,
    HostName,
    Kept,
    MovedConnection,
    Moves,
    Offer,
    Prepared,
    Ready,
    Started,
    UpgradeError,
    UpgradeMessage,
    WaitingClient,
    decodeUpgrade,
    encodeUpgrade,
    upgradeRefusal,
)

if TYPE_CHECKING:
    from txlb.wire._connectionpreface import ConnectionPreface, HeaderRule

__all__ = [
    "BATCHED",
    "BULK",
    "ENDED",
    "FAILED",
    "GRANTS_VERSION",
    "LAST",
    "MAX_AGENT_LINE",
    "MAX_CLIENT_HELLO",
    "MAX_FIRST",
    "MAX_GRANT",
    "MAX_GRANTS_MESSAGE",
    "MAX_HTTP_HEAD",
    "MAX_LISTENERS",
    "MAX_PROXY_HEADER",
    "MAX_UPGRADE_DESCRIPTORS",
    "MAX_UPGRADE_MESSAGE",
    "NOT_PASSED",
    "READABLE",
    "REMEDIES",
    "TOLD",
    "UPGRADE_RECORDS",
    "UPGRADE_VERSION",
    "URGENT",
    "Aborted",
    "AgentHealth",
    "AgentReader",
    "AgentReply",
    "AgentState",
    "Alert",
    "AllCopied",
    "AllMoved",
    "Back",
    "BoxError",
    "BoxReader",
    "Bye",
    "ChangedConnection",
    "ClientHello",
    "ClientHelloError",
    "ClientHelloReader",
    "ConnectionPreface",
    "Copies",
    "Declined",
    "Done",
    "Drain",
    "EndState",
    "Frozen",
    "Gone",
    "Grant",
    "GrantsError",
    "HTTPAnswerError",
    "HTTPReader",
    "HeaderRule",
    "Hello",
    "HostName",
    "Keep",
    "Kept",
    "Message",
    "MovedConnection",
    "Moves",
    "NeedMore",
    "NoTLSError",
    "Offer",
    "Passed",
    "Ping",
    "Pong",
    "Prepared",
    "ProxyHeader",
    "ProxyHeaderError",
    "ProxyHeaderReader",
    "Quit",
    "Ready",
    "Refused",
    "Reject",
    "Started",
    "Status",
    "TLSFacts",
    "TLVKind",
    "Take",
    "UpgradeError",
    "UpgradeMessage",
    "WaitingClient",
    "Welcome",
    "decodeGrants",
    "decodeUpgrade",
    "encodeBox",
    "encodeGrants",
    "encodeProxyLocal",
    "encodeProxyV1",
    "encodeProxyV2",
    "encodeUpgrade",
    "formatAgentReply",
    "parseAgentReply",
    "upgradeRefusal",
]


def __getattr__(name: str) -> object:
    if name in {"ConnectionPreface", "HeaderRule"}:
        from txlb.wire import _connectionpreface  # noqa: PLC0415  (see above)

        value: object = getattr(_connectionpreface, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
