"""
Active checks of hosts, and the heartbeat that runs them.

A check of your own is an L{txlb.interfaces.IHealthCheck} and a L{CheckKind} with its word and
options; L{registerCheck} makes it known. Most checks are a L{ConversationCheck}, whose steps are
written from top to bottom.
"""

from txlb.health._agent import AGENT
from txlb.health._call import PYTHON
from txlb.health._checkconnection import CheckConnection, Conversation, Steps
from txlb.health._connectonly import ConnectOnly
from txlb.health._expect import EXPECT
from txlb.health._heartbeat import MAX_CHECKS, Heartbeat
from txlb.health._http import HTTP
from txlb.health._kind import (
    CheckKind,
    checkKinds,
    completed,
    getCheckKind,
    makeCheck,
    normalized,
    registerCheck,
)
from txlb.health._script import SCRIPT
from txlb.health._sockets import Sockets
from txlb.health._target import Target
from txlb.health._tcp import TCP, TLS, ConversationCheck
from txlb.health._tools import Tools
from txlb.health._verdict import CheckEnded, Verdict
from txlb.model.options import Option

#: The former name of L{CheckConnection}, for checks that use it.
Line = CheckConnection

__all__ = [
    "MAX_CHECKS",
    "CheckConnection",
    "CheckEnded",
    "CheckKind",
    "ConnectOnly",
    "Conversation",
    "ConversationCheck",
    "Heartbeat",
    "Line",
    "Option",
    "Sockets",
    "Steps",
    "Target",
    "Tools",
    "Verdict",
    "checkKinds",
    "completed",
    "getCheckKind",
    "makeCheck",
    "normalized",
    "registerCheck",
]

for _kind in (TCP, TLS, HTTP, EXPECT, AGENT, SCRIPT, PYTHON):
    registerCheck(_kind)
