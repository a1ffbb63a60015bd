"""
The data plane: listening, accepting, connecting, relaying bytes.

A L{SocketListener} accepts, a L{Frontend} lets a connection in and looks for its host,
and a relay moves the bytes.
"""

from txlb.connecting import ConnectFailed, endpointOf
from txlb.proxy._accepted import AcceptedClient
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._connect import connectTo
from txlb.proxy._destination import Destination
from txlb.proxy._frontend import Frontend
from txlb.proxy._inherited import InheritedSockets, inheritedSockets
from txlb.proxy._limits import Tally
from txlb.proxy._listen import EXHAUSTED, EXHAUSTED_PAUSE, SocketListener
from txlb.proxy._origins import Origins
from txlb.proxy._portable import PortableRelay
from txlb.proxy._preface import PrefaceReader
from txlb.proxy._reactorlistener import ReactorListener
from txlb.proxy._results import ConnectionRecord, Relayed, Timeouts
from txlb.proxy._sockets import bindSockets, setStreamOptions, socketAddress
from txlb.proxy.fast import FastRelay, Loop
from txlb.proxy.fast import whyNot as whyNotFast

#: What accepts the connections of an address.
AnyListener = SocketListener | ReactorListener

__all__ = [
    "EXHAUSTED",
    "EXHAUSTED_PAUSE",
    "AcceptedClient",
    "AnyListener",
    "ClientConnection",
    "ConnectFailed",
    "ConnectionRecord",
    "Destination",
    "FastRelay",
    "Frontend",
    "InheritedSockets",
    "Loop",
    "Origins",
    "PortableRelay",
    "PrefaceReader",
    "ReactorListener",
    "Relayed",
    "SocketListener",
    "Tally",
    "Timeouts",
    "bindSockets",
    "connectTo",
    "endpointOf",
    "inheritedSockets",
    "setStreamOptions",
    "socketAddress",
    "whyNotFast",
]
