"""
Connections that are open and do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.figures import Figure
from benchmarks.peers import Field, Peer
from benchmarks.scale import Scale
from benchmarks.traffic import Clients, TrafficError
from benchmarks.works._comparison import Errors, compare
from benchmarks.works._relaying import requests

#: Connections that are opened and closed before, so that what a peer makes once
#: is there.
WARM_UP = 200

#: Requests under way beside the idle connections.
AT_ONCE = 64


@dataclass(frozen=True)
class Idle:
    """
    What idle connections cost a peer.

    @ivar connections: how many there are.
    @ivar memory: bytes of private memory for each of them.
    @ivar cpu: CPU of a request beside them, where that beside none is 1.
    """

    peer: str
    connections: int
    memory: float
    cpu: Figure | None


def measureIdle(field: Field, peer: Peer, count: int, scale: Scale, errors: Errors) -> Idle | None:
    """
    Start two of a peer, of which one gets idle connections, and let both serve
    requests by turns.

    @return: L{None} where something went wrong.
    """
    loaded, quiet = field.startAll([peer, peer])
    loaded.name, quiet.name = "loaded", "quiet"
    events = field.events
    result = None
    try:
        Clients(events, loaded.address, loaded.exchange, 1, min(WARM_UP, count)).close()
        loaded.settle()
        before = loaded.memory()
        idle = Clients(events, loaded.address, loaded.exchange, 1, count)
        memory = (loaded.memory() - before) / count
        work = replace(requests(AT_ONCE), title=f"requests beside {count} idle connections")
        # With idle connections open, waiting for no open connection would not end.
        loaded.settles = False
        comparison = compare(
            events, (loaded, quiet), work, scale.sideRounds, scale.sideSeconds, errors
        )
        idle.close()
        result = Idle(peer.name, count, memory, comparison.ratio("loaded", "quiet"))
    except (TrafficError, OSError) as error:
        events.trouble.happened(str(error))
    finally:
        errors.add(f"{peer.name}, {count} idle connections", events.trouble.take())
        field.stop(loaded)
        field.stop(quiet)
    return result
