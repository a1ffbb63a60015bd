"""
The load of hosts: probes that ask for it, the monitor that runs the probes, and the agent
that answers beside the host.

A probe of your own is an L{txlb.interfaces.IResourceProbe} and a L{ProbeKind} with its word and
options; L{registerProbe} makes it known.
"""

from txlb.model.options import Option
from txlb.resources._agent import AGENT, AgentProbe
from txlb.resources._connecting import ProbeFailed
from txlb.resources._http import HTTP, HTTPProbe
from txlb.resources._kind import (
    ProbeKind,
    getProbeKind,
    makeProbe,
    probeKinds,
    registerProbe,
)
from txlb.resources._measures import MachineMeasure, ProcessMeasure
from txlb.resources._monitor import MAX_PROBES, ResourceMonitor
from txlb.resources._service import AgentService
from txlb.resources._target import ProbeTarget

__all__ = [
    "MAX_PROBES",
    "AgentProbe",
    "AgentService",
    "HTTPProbe",
    "MachineMeasure",
    "Option",
    "ProbeFailed",
    "ProbeKind",
    "ProbeTarget",
    "ProcessMeasure",
    "ResourceMonitor",
    "getProbeKind",
    "makeProbe",
    "probeKinds",
    "registerProbe",
]

for _kind in (AGENT, HTTP):
    registerProbe(_kind)
