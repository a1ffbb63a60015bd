"""
The admission of clients to a service: by network, by rate, and by number of
connections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from txlb._facts import Facts
from txlb.model import ProxyService, readNetwork
from txlb.pool._rates import ClientRates
from txlb.pool._service import RefusalKind

#: Bytes of an IPv6 network that counts as one client, because one customer of a network
#: provider usually has all of its addresses.
IPV6_CLIENT = 8

#: A client's address as in packets: 4 bytes for IPv4, also when IPv4-mapped, or 16;
#: L{None} for a client of a UNIX socket.
Client = bytes | None


class Admission:
    """
    The decision whether a client is admitted. Owned by the manager, which calls
    L{follow} when its service is configured anew; the frontend of the service asks it.

    @ivar active: whether there is anything to decide. If not, L{admit} need not be
        called.
    @ivar counting: whether clients are counted, so that L{left} has to be called.
    @ivar census: returns the connected clients when counting begins; L{None} if there
        is no frontend.
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
        Decide by these settings from now on. Counts and rates of clients stay if the
        settings still use them.
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
            # Open connections count as well.
            here = self.census() if counting and self.census is not None else ()
            self._counts = dict(Counter(_key(client) for client in here if client is not None))
        self.active = counting or self._networks is not None or self._rates is not None

    def admit(self, client: Client, now: float) -> RefusalKind | None:
        """
        Decide about a client that has connected, and count it if it is admitted.

        @param now: in seconds of a monotonic clock.
        @return: the reason of a refusal; L{None} if the client is admitted.
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

    def takeOver(self, client: Client) -> None:
        """
        Count a client that another process has admitted, if clients are counted.
        """
        if self.counting and client is not None:
            key = _key(client)
            self._counts[key] = self._counts.get(key, 0) + 1

    def kept(self, now: float) -> dict[str, object]:
        """
        Return the rates of the clients as plain values. Clients that are connected are counted
        again by L{takeOver}.

        @param now: in seconds of a monotonic clock.
        """
        return {} if self._rates is None else self._rates.kept(now)

    def restoring(self, facts: Facts, now: float) -> Callable[[], None]:
        """
        Read what L{kept} has returned.

        @return: takes it over.
        @raise StateError: a value can't be right.
        """
        return _nothing if self._rates is None else self._rates.restoring(facts, now)

    def left(self, client: Client) -> None:
        """
        Count a client that was admitted and has gone.
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
        Return the number of connections of a client, if clients are counted.
        """
        return self._counts.get(_key(client), 0)


def _nothing() -> None:
    """
    Do nothing: no rate is measured.
    """


def _key(client: bytes) -> bytes:
    # All link-local addresses (fe80::/10) are in one such network, and any neighbour
    # may have one.
    if len(client) == 4 or (client[0] == 0xFE and client[1] & 0xC0 == 0x80):
        return client
    return client[:IPV6_CLIENT]


class Networks:
    """
    Lists of networks, made for many questions: a question costs one look-up in a
    dictionary for each length of prefix that occurs, for any number of networks.

    The most specific network that contains the client decides, as in a routing table,
    so the order of the networks has no effect. If none contains it, it is allowed if
    there is no list of allowed networks.

    @ivar lists: the lists that it was made of.
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
        Tell whether a client is allowed.
        """
        if client is None:
            return self._unix
        number = int.from_bytes(client)
        for shift, networks in self._families[len(client)]:
            allowed = networks.get(number >> shift)
            if allowed is not None:
                return allowed
        return self._otherwise
