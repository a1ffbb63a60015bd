"""
The test kit, for testing one's own parts of a balancer.

L{SchedulerContract}, L{RelayContract}, L{HealthCheckContract},
L{ResourceProbeContract} and L{HostSourceContract} have the tests that every policy, relay,
health check, resource probe and source of hosts passes. L{NotedFindings} notes what a source
finds. L{FakeHost} is a host with attributes that a test sets, L{FlowTransport} a transport in
memory with flow control and half-close, and L{FarHost} and L{Stream} are the far ends of real
connections. L{MemoryBalancer} is a whole balancer in memory, for testing what happens to clients
when hosts die.
"""

from txlb.testing._balancer import MemoryBalancer
from txlb.testing._health import HealthCheckContract
from txlb.testing._hosts import FakeHost
from txlb.testing._memoryclient import MemoryClient
from txlb.testing._memoryhost import MemoryHost
from txlb.testing._relay import RelayContract
from txlb.testing._resources import ResourceProbeContract
from txlb.testing._schedulers import SchedulerContract
from txlb.testing._sources import HostSourceContract, NotedFindings
from txlb.testing._streams import FarHost, Stream
from txlb.testing._transport import FlowTransport

__all__ = [
    "FakeHost",
    "FarHost",
    "FlowTransport",
    "HealthCheckContract",
    "HostSourceContract",
    "MemoryBalancer",
    "MemoryClient",
    "MemoryHost",
    "NotedFindings",
    "RelayContract",
    "ResourceProbeContract",
    "SchedulerContract",
    "Stream",
]
