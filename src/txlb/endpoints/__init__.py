"""
Client endpoints that balance: each connection goes to a host of a pool.

L{PoolEndpoint} is an C{IStreamClientEndpoint} over a L{txlb.pool.HostPool}, for every client
of Twisted's that takes an endpoint. C{txlb:} is its word for C{clientFromString}.

L{PoolUpkeep}, L{attemptFrom} and L{hostEndpoint} are the parts that clients of other kinds
have in common with it, such as L{txlb.web.BalancedAgent}.
"""

from txlb.endpoints._attempts import attemptFrom
from txlb.endpoints._hostendpoint import hostEndpoint
from txlb.endpoints._poolendpoint import PoolEndpoint
from txlb.endpoints._upkeep import PoolUpkeep
from txlb.endpoints._words import PoolWordsError, endpointFromWords

__all__ = [
    "PoolEndpoint",
    "PoolUpkeep",
    "PoolWordsError",
    "attemptFrom",
    "endpointFromWords",
    "hostEndpoint",
]
