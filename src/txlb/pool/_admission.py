"""
Who may come in to a service: which networks, how often, and how many at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from txlb.model import ProxyService, readNetwork
from txlb.pool._rates import ClientRates
from txlb.pool._service import RefusalKind

#: One customer of a network provider has all addresses of an IPv6 network of this
#: length, in bytes, so that they count as one client.
IPV6_CLIENT = 8

#: A client's address, as it stands in packets: 4 bytes, for IPv4 in whichever
#: clothes, or 16; L{None} for one that came through a UNIX socket.
Client = bytes | None


class Admission:
    """
    What decides whether a client may come in. Owned by the manager, which says
    L{follow} when its service is configured anew; the listeners of the service
    ask it.

    @ivar active: whether there is anything to decide. Where there is not, nobody
        need ask.
    @ivar counting: whether clients are counted, so that L{left} has to be told.
    @ivar census: gives the clients that are connected now, for when counting
        begins; L{None} where there is nobody to ask.
    """

    __slots__ = ("_counts", "_most", "_networks", "_rate", "_rates", "active", "census", "counting")

    def __init__(self, service: ProxyService) -> None:
        self.active = self.counting = False
        self.census: Callable[[], Iterable[Client]] | None = None
        self._networks: Networks | None = None
        self._most: int | None = None
        self._counts: dict[bytes, int] = {}
        self._rate: tuple[float | None, int | None] = (None, None)
        self._rates: ClientRates | None = None
        self.follow(service)

    def follow(self, service: ProxyService) -> None:
        """
        Decide by these settings from now on. What is known of clients stays
        where it still means something.
        """
        lists = service.allow, service.deny
        if not any(lists):
            self._networks = None
        elif self._networks is None or self._networks.lists != lists:
            self._networks = Networks(*lists)
        rate = service.ratePerClient, service.burstPerClient
        if rate != self._rate:
            self._rate = rate
            self._rates = None if rate[0] is None else ClientRates(rate[0], rate[1])
        self._most = service.maxConnectionsPerClient
        counting = self._most is not None
        if counting != self.counting:
            self.counting = counting
            # Those who are connected already count as well.
            here = self.census() if counting and self.census is not None else ()
            self._counts = dict(Counter(_key(client) for client in here if client is not None))
        self.active = counting or self._networks is not None or self._rates is not None

    def admit(self, client: Client, now: float) -> RefusalKind | None:
        """
        A client has connected.

        @param now: in seconds of a monotonic clock.
        @return: why it must go; L{None} where it may stay, and then it has been
            counted.
        """
        if self._networks is not None and not self._networks.allows(client):
            return RefusalKind.DENIED
        if client is None:
            return None
        key = _key(client)
        count = self._counts.get(key, 0)
        if self._most is not None and count >= self._most:
            return RefusalKind.CLIENT_LIMIT
        if self._rates is not None and not self._rates.take(key, now):
            return RefusalKind.CLIENT_RATE
        if self.counting:
            self._counts[key] = count + 1
        return None

    def left(self, client: Client) -> None:
        """
        A client that was admitted has gone.
        """
        if client is None:
            return
        key = _key(client)
        count = self._counts.get(key, 0)
        if count > 1:
            self._counts[key] = count - 1
        elif count:
            del self._counts[key]

    def countOf(self, client: bytes) -> int:
        """
        How many connections a client has, where that is counted.
        """
        return self._counts.get(_key(client), 0)


def _key(client: bytes) -> bytes:
    # All link-local addresses (fe80::/10) are of one such network, and of any neighbour.
    if len(client) == 4 or (client[0] == 0xFE and client[1] & 0xC0 == 0x80):
        return client
    return client[:IPV6_CLIENT]


class Networks:
    """
    Lists of networks, made to be asked often: one look into a dictionary for
    each length of prefix that occurs, however many networks there are.

    The network that decides is the most specific one that holds the client, as
    in a routing table, so that it does not matter in which order they are
    written. Where none does, there must be no list of those who may come in.

    @ivar lists: what it was made of.
    """

    __slots__ = ("_families", "_otherwise", "_unix", "lists")

    def __init__(self, allow: tuple[str, ...], deny: tuple[str, ...]) -> None:
        self.lists = allow, deny
        said = {**dict.fromkeys(allow, True), **dict.fromkeys(deny, False)}
        self._otherwise = said.pop("all", not allow)
        self._unix = said.pop("unix", self._otherwise)
        tables: dict[int, dict[int, dict[int, bool]]] = {4: {}, 16: {}}
        for text, allowed in said.items():
            network = readNetwork(text)
            shift = network.max_prefixlen - network.prefixlen
            tables[network.max_prefixlen // 8].setdefault(shift, {})[
                int(network.network_address) >> shift
            ] = allowed
        self._families = {size: sorted(found.items()) for size, found in tables.items()}

    def allows(self, client: Client) -> bool:
        """
        Whether a client may come in.
        """
        if client is None:
            return self._unix
        number = int.from_bytes(client)
        for shift, networks in self._families[len(client)]:
            allowed = networks.get(number >> shift)
            if allowed is not None:
                return allowed
        return self._otherwise
