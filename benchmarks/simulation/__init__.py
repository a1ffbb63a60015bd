"""
The policies under simulated work: the real pool, the real dial and the real policies, and
hosts that are arithmetic.

A L{Farm} sends jobs through a pool to servers; L{simulate} does so for every policy that is
registered, with the same jobs for each.
"""

from benchmarks.simulation._farm import Farm, HostSetup, Visit
from benchmarks.simulation._run import (
    Findings,
    Lost,
    Sample,
    demandsFor,
    loseHost,
    sample,
    simulate,
    spreadOf,
    waitings,
)
from benchmarks.simulation._scenarios import FULL, SCENARIOS, SHORT, SMOKE, Loss, Scale, Scenario
from benchmarks.simulation._servers import IServer, Job, ProcessorSharing, Workers
from benchmarks.simulation._timeline import Timeline
from benchmarks.simulation._work import (
    MEAN_WORK,
    BoundedPareto,
    Constant,
    Demand,
    Exponential,
    IWork,
    demands,
)
from benchmarks.simulation._write import JSON_NAME, writeFindings

__all__ = [
    "FULL",
    "JSON_NAME",
    "MEAN_WORK",
    "SCENARIOS",
    "SHORT",
    "SMOKE",
    "BoundedPareto",
    "Constant",
    "Demand",
    "Exponential",
    "Farm",
    "Findings",
    "HostSetup",
    "IServer",
    "IWork",
    "Job",
    "Loss",
    "Lost",
    "ProcessorSharing",
    "Sample",
    "Scale",
    "Scenario",
    "Timeline",
    "Visit",
    "Workers",
    "demands",
    "demandsFor",
    "loseHost",
    "sample",
    "simulate",
    "spreadOf",
    "waitings",
    "writeFindings",
]
