"""
How long a run is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """
    The sizes of a run.

    @ivar rounds: how often each peer does each work, so as to compare them.
    @ivar seconds: of one round of one peer.
    @ivar transfer: bytes of one transfer of bulk.
    @ivar sideRounds: rounds of the works beside the main ones.
    @ivar sideSeconds: seconds of those.
    @ivar idle: how many idle connections.
    @ivar idleWide: the same, where L{WIDE} descriptors are allowed.
    @ivar growthConnections: how many connections are open, by step.
    @ivar growthHosts: how many hosts there are, by step.
    @ivar few: whether the works beside the main ones take only a few peers.
    @ivar everything: whether all works are done, or one of each kind.
    @ivar holdSeconds: how long the reactor's turns are watched for each work.
    """

    name: str
    rounds: int
    seconds: float
    transfer: int
    sideRounds: int
    sideSeconds: float
    idle: int
    idleWide: int | None
    growthConnections: tuple[int, ...]
    growthHosts: tuple[int, ...]
    few: bool
    everything: bool
    holdSeconds: float


#: Descriptors with which 10,000 connections go through.
WIDE = 25_000

FULL = Scale(
    name="full",
    rounds=12,
    seconds=1.0,
    transfer=1 << 26,
    sideRounds=12,
    sideSeconds=0.5,
    idle=5000,
    idleWide=10_000,
    growthConnections=(10, 100, 1000, 5000),
    growthHosts=(3, 30, 300, 1000),
    few=False,
    everything=True,
    holdSeconds=8.0,
)

SHORT = Scale(
    name="short",
    rounds=4,
    seconds=0.3,
    transfer=1 << 24,
    sideRounds=4,
    sideSeconds=0.25,
    idle=5000,
    idleWide=None,
    growthConnections=(10, 1000, 5000),
    growthHosts=(3, 100, 1000),
    few=True,
    everything=True,
    holdSeconds=2.0,
)

SMOKE = Scale(
    name="smoke",
    rounds=1,
    seconds=0.05,
    transfer=1 << 20,
    sideRounds=1,
    sideSeconds=0.05,
    idle=100,
    idleWide=None,
    growthConnections=(10, 40),
    growthHosts=(3, 10),
    few=True,
    everything=False,
    holdSeconds=0.2,
)
