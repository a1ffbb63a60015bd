"""
The data plane: listening, accepting, connecting, relaying bytes.

A L{SocketListener} accepts connections and makes a L{ClientConnection} of each. The
L{Frontend} of a service admits it and looks for its host. A relay moves the bytes.
"""

from txlb.connecting import ConnectFailed, endpointOf
from txlb.proxy._acceptedclient import AcceptedClient
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._connect import connectTo
from txlb.proxy._connectionlimit import ConnectionLimit
from txlb.proxy._connectiontable import ConnectionTable
from txlb.proxy._destination import Destination
from txlb.proxy._entrance import Entrance
from txlb.proxy._frontend import Frontend
from txlb.proxy._inherited import InheritedSockets, inheritedSockets, inheritFrom
from txlb.proxy._listeningsocket import EXHAUSTED_PAUSE
from txlb.proxy._moving import Moving, MovingConnection, MovingRelay
from txlb.proxy._portablerelay import PortableRelay
from txlb.proxy._prefacereader import PrefaceReader
from txlb.proxy._reactorlistener import ReactorListener
from txlb.proxy._results import ConnectionRecord, Relayed, Timeouts
from txlb.proxy._serverhello import ServerHello
from txlb.proxy._sharedlistener import ListenerShare, SharedListener
from txlb.proxy._socketlistener import SocketListener
from txlb.proxy._sockets import bindSockets, setStreamOptions, socketAddress
from txlb.proxy._stepqueue import StepQueue
from txlb.proxy._tlstransport import HandshakeRefused, TLSTransport
from txlb.proxy.fast import FastRelay, Loop
from txlb.proxy.fast import whyNot as whyNotFast

__all__ = [
    "EXHAUSTED_PAUSE",
    "AcceptedClient",
    "ClientConnection",
    "ConnectFailed",
    "ConnectionLimit",
    "ConnectionRecord",
    "ConnectionTable",
    "Destination",
    "Entrance",
    "FastRelay",
    "Frontend",
    "HandshakeRefused",
    "InheritedSockets",
    "ListenerShare",
    "Loop",
    "Moving",
    "MovingConnection",
    "MovingRelay",
    "PortableRelay",
    "PrefaceReader",
    "ReactorListener",
    "Relayed",
    "ServerHello",
    "SharedListener",
    "SocketListener",
    "StepQueue",
    "TLSTransport",
    "Timeouts",
    "bindSockets",
    "connectTo",
    "endpointOf",
    "inheritFrom",
    "inheritedSockets",
    "setStreamOptions",
    "socketAddress",
    "whyNotFast",
]
