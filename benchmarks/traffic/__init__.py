"""
The load generator and the hosts behind the proxies: clients and servers in one
process and one epoll, so that what they do costs little and disturbs little.
"""

from benchmarks.traffic._backend import Backend
from benchmarks.traffic._bulk import BulkClient, Direction
from benchmarks.traffic._clients import Clients, Done, RequestClient, connect
from benchmarks.traffic._events import READ, WRITE, Events
from benchmarks.traffic._exchange import (
    ANSWER,
    END,
    PLAIN,
    REQUEST,
    THROUGH_HTTP,
    Exchange,
    askFor,
    bulkHead,
)
from benchmarks.traffic._pace import Pace
from benchmarks.traffic._stream import Connect, Stream
from benchmarks.traffic._trouble import TrafficError, Trouble

__all__ = [
    "ANSWER",
    "END",
    "PLAIN",
    "READ",
    "REQUEST",
    "THROUGH_HTTP",
    "WRITE",
    "Backend",
    "BulkClient",
    "Clients",
    "Connect",
    "Direction",
    "Done",
    "Events",
    "Exchange",
    "Pace",
    "RequestClient",
    "Stream",
    "TrafficError",
    "Trouble",
    "askFor",
    "bulkHead",
    "connect",
]
