"""
The running state: the hosts, their leases, and the searches for hosts.

A L{HostPool} keeps the hosts of one group. Work takes a L{Lease} on a host, at once by
L{HostPool.acquire} or, if connecting can fail, through a L{Dial}. The package does no
I/O, and time comes in from outside.
"""

from txlb.pool._admission import Admission, Networks
from txlb.pool._damper import Damper
from txlb.pool._dial import (
    Attempt,
    Dial,
    DialLimits,
    GaveUp,
    GaveUpReason,
    Step,
    Waiting,
)
from txlb.pool._events import Details, Event, EventKind, changed
from txlb.pool._explain import Explanation, HostExplanation
from txlb.pool._failure import Failure, FailureKind
from txlb.pool._groupcounters import GroupCounters
from txlb.pool._health import CheckResult, Health, HealthState
from txlb.pool._histogram import Histogram
from txlb.pool._host import Host, HostCounters
from txlb.pool._lease import Lease
from txlb.pool._load import HostLoad
from txlb.pool._members import Ending
from txlb.pool._outcome import Outcome
from txlb.pool._passive import PassiveHealth, PassiveState
from txlb.pool._policies import checkPolicy
from txlb.pool._pool import HostPool
from txlb.pool._service import RefusalKind, ServiceCounters
from txlb.pool._snapshots import GroupSnapshot, HostSnapshot, ServiceSnapshot

__all__ = [
    "Admission",
    "Attempt",
    "CheckResult",
    "Damper",
    "Details",
    "Dial",
    "DialLimits",
    "Ending",
    "Event",
    "EventKind",
    "Explanation",
    "Failure",
    "FailureKind",
    "GaveUp",
    "GaveUpReason",
    "GroupCounters",
    "GroupSnapshot",
    "Health",
    "HealthState",
    "Histogram",
    "Host",
    "HostCounters",
    "HostExplanation",
    "HostLoad",
    "HostPool",
    "HostSnapshot",
    "Lease",
    "Networks",
    "Outcome",
    "PassiveHealth",
    "PassiveState",
    "RefusalKind",
    "ServiceCounters",
    "ServiceSnapshot",
    "Step",
    "Waiting",
    "changed",
    "checkPolicy",
]
