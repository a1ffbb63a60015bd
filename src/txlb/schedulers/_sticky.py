"""
The same client to the same host.

Every host gets a score from a hash of the client's IP address and the host's
name, and the highest wins. So a host that goes moves only its own clients, and
one that comes takes over only those that are its own. Scores are scaled so that
a host's share is in proportion to its weight.

Source: D. Thaler and C. V. Ravishankar, "A Name-Based Mapping Scheme for
Rendezvous", 1996; the logarithmic weights are J. Resch's, "New Hashing
Algorithms for Data Storage", SNIA 2015.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler


class Sticky(Scheduler):
    """
    A client's IP address decides, its port doesn't. A pick is O(n).
    """

    name = "sticky"
    scoreMeans = "the place in the order that the client has for it"
    predictable = True

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        """
        See L{Scheduler.choose}.
        """
        client = _client(clientAddr)
        return max(hosts, key=lambda host: _score(client, host))

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        See L{IScheduler.explain}: the host with the highest score is the one.
        """
        client = _client(clientAddr)
        scores = {key: _score(client, host) for key, host in self.hosts.items()}
        return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _client(clientAddr: object) -> bytes:
    if isinstance(clientAddr, (tuple, list)) and clientAddr:
        clientAddr = clientAddr[0]
    return str(clientAddr).encode("utf-8", "surrogateescape")


def _score(client: bytes, host: IHost) -> float:
    name = "/".join(host.key).encode("utf-8", "surrogateescape")
    digest = blake2b(client + b"\0" + name, digest_size=8).digest()
    # 52 bits and a half, which a float holds exactly: so it is never 0 or 1,
    # where the logarithm has no value or is 0.
    fraction = ((int.from_bytes(digest, "big") >> 12) + 0.5) / (1 << 52)
    return -host.effectiveWeight / math.log(fraction)
