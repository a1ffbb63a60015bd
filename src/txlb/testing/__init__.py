"""
The test kit: what one needs to test one's own parts of a balancer.

L{SchedulerContract} and L{RelayContract} hold the tests that every policy and
every relay passes. L{FakeHost} is a host that a test sets as it likes,
L{FlowTransport} a transport in memory with flow control and half-close, and
L{FarHost} and L{Stream} are the far ends of real connections.
"""

from txlb.testing._hosts import FakeHost
from txlb.testing._relay import RelayContract
from txlb.testing._schedulers import SchedulerContract
from txlb.testing._streams import FarHost, Stream
from txlb.testing._transport import FlowTransport

__all__ = [
    "FakeHost",
    "FarHost",
    "FlowTransport",
    "RelayContract",
    "SchedulerContract",
    "Stream",
]
