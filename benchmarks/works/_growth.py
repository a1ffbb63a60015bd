"""
How the cost of a unit grows with what a peer has to hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.figures import Figure
from benchmarks.peers import Field, Peer, Running
from benchmarks.scale import Scale
from benchmarks.traffic import Clients, Done, Events, TrafficError
from benchmarks.works._comparison import Errors, Load, Work, compare
from benchmarks.works._relaying import connections

#: Requests under way, for any number of open connections.
AT_ONCE = 10

#: Connections at once, however many hosts there are.
FRESH_AT_ONCE = 32


@dataclass
class Growth:
    """
    CPU a unit of one peer by how many of something there are.

    @ivar of: what there is more and more of.
    @ivar cpu: nanoseconds a unit, by how many.
    @ivar growth: the same, where that of the fewest is 1 in each round.
    """

    peer: str
    of: str
    unit: str
    cpu: dict[int, Figure] = field(default_factory=dict)
    growth: dict[int, Figure] = field(default_factory=dict)


class _Open:
    """
    Clients whose connections were opened before, and are left open after.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def run(self, seconds: float) -> Done:
        """
        See L{Load.run}.
        """
        return self._clients.run(seconds)

    def close(self) -> None:
        """
        Leave them open.
        """


def growthWithConnections(field: Field, peer: Peer, scale: Scale, errors: Errors) -> Growth:
    """
    CPU of a small request by how many connections are open, which make their
    requests in turn, ten at a time.
    """
    instances = field.startAll([peer] * len(scale.growthConnections))
    clients: dict[str, Clients] = {}

    def makeLoad(_: Events, running: Running) -> Load:
        return _Open(clients[running.name])

    work = Work("growth-connections", "requests with open connections", "request", makeLoad)
    growth = Growth(peer.name, "open connections", work.unit)
    try:
        for running, count in zip(instances, scale.growthConnections, strict=True):
            running.name = str(count)
            running.settles = False
            clients[running.name] = Clients(
                field.events, running.address, running.exchange, AT_ONCE, count
            )
        _rounds(field, instances, work, scale, errors, growth)
        for each in clients.values():
            each.close()
    except (TrafficError, OSError) as error:
        field.events.trouble.happened(str(error))
    finally:
        errors.add(f"{peer.name}, growth with connections", field.events.trouble.take())
        for running in instances:
            field.stop(running)
    return growth


def growthWithHosts(field: Field, peer: Peer, scale: Scale, errors: Errors) -> Growth:
    """
    CPU of a connection by how many hosts there are.
    """
    instances = [field.start(peer, count) for count in scale.growthHosts]
    work = connections(FRESH_AT_ONCE)
    growth = Growth(peer.name, "hosts", work.unit)
    try:
        for running, count in zip(instances, scale.growthHosts, strict=True):
            field.await_(running)
            running.name = str(count)
        _rounds(field, instances, work, scale, errors, growth)
    except (TrafficError, OSError) as error:
        field.events.trouble.happened(str(error))
    finally:
        errors.add(f"{peer.name}, growth with hosts", field.events.trouble.take())
        for running in instances:
            field.stop(running)
    return growth


def _rounds(
    field: Field,
    instances: list[Running],
    work: Work,
    scale: Scale,
    errors: Errors,
    growth: Growth,
) -> None:
    result = compare(field.events, instances, work, scale.sideRounds, scale.sideSeconds, errors)
    for running in instances:
        cpu = result.cpu(running.name)
        ratio = result.ratio(running.name, instances[0].name)
        if cpu is not None and ratio is not None:
            growth.cpu[int(running.name)] = cpu
            growth.growth[int(running.name)] = ratio
