"""
The measured peers: a line for each in C{_registry.py}, and the configuration of
each in a file here.
"""

from benchmarks.peers._field import Field
from benchmarks.peers._peer import Peer, Place, Running, firstLine, installed
from benchmarks.peers._registry import (
    AGAIN,
    BASELINE,
    DIRECT,
    FAST,
    LEGACY,
    PEERS,
    PORTABLE,
    SPLICE,
    TUNED,
    WEBAPP,
    apacheServing,
    peerNamed,
    txlbOf,
)

__all__ = [
    "AGAIN",
    "BASELINE",
    "DIRECT",
    "FAST",
    "LEGACY",
    "PEERS",
    "PORTABLE",
    "SPLICE",
    "TUNED",
    "WEBAPP",
    "Field",
    "Peer",
    "Place",
    "Running",
    "apacheServing",
    "firstLine",
    "installed",
    "peerNamed",
    "txlbOf",
]
