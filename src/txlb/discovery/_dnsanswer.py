"""
What answers of a DNS server say of hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

from twisted.names import dns

from txlb.discovery._foundhost import FoundHost
from txlb.errors import ModelError


@dataclass(frozen=True, slots=True)
class Target:
    """
    A service record, as RFC 2782 defines it.

    @ivar name: the name of the host, without the dot at the end.
    @ivar port: its port.
    @ivar priority: those with the lowest number are asked first.
    @ivar weight: its share among those of its priority.
    """

    name: str
    port: int
    priority: int
    weight: int


def targetsOf(records: Iterable[Any]) -> list[Target]:
    """
    Return the service records of an answer, each once. A target of C{.} says that there is no
    service, and is left out.
    """
    found: dict[Target, None] = {}
    for record in records:
        if record.type == dns.SRV:
            payload = record.payload
            name = payload.target.name.decode("ascii", "replace").rstrip(".").lower()
            if name:
                found[Target(name, payload.port, payload.priority, payload.weight)] = None
    return sorted(found, key=lambda each: (each.priority, each.name, each.port))


def addressesOf(records: Iterable[Any]) -> dict[str, list[str]]:
    """
    Return the IP addresses of an answer by the names of their records, sorted. The addresses of a
    name that is an alias are found by both names.
    """
    found: dict[str, set[str]] = {}
    aliases: dict[str, str] = {}
    for record in records:
        name = record.name.name.decode("ascii", "replace").rstrip(".").lower()
        if record.type == dns.CNAME:
            aliases[name] = record.payload.name.name.decode("ascii", "replace").rstrip(".").lower()
        elif record.type in (dns.A, dns.AAAA):
            found.setdefault(name, set()).add(
                record.payload.dottedQuad()
                if record.type == dns.A
                else str(IPv6Address(record.payload.address))
            )
    for alias in aliases:
        name, seen = alias, {alias}
        while name in aliases and aliases[name] not in seen:
            name = aliases[name]
            seen.add(name)
        if name in found:
            found.setdefault(alias, set()).update(found[name])
    return {name: sorted(each, key=_order) for name, each in found.items()}


def _order(text: str) -> tuple[int, int]:
    address = ip_address(text)
    return address.version, int(address)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The answer to a query.

    @ivar records: the records that were asked for.
    @ivar authority: those of its section C{authority}; of a name without records the SOA.
    @ivar additional: those that came with it.
    """

    records: Sequence[Any]
    authority: Sequence[Any] = ()
    additional: Sequence[Any] = ()

    def joined(self, other: Answer) -> Answer:
        """
        Join the answers to two queries.
        """
        return Answer(
            (*self.records, *other.records),
            (*self.authority, *other.authority),
            (*self.additional, *other.additional),
        )

    def lifetime(self, least: float, most: float) -> float:
        """
        Return how long it is good, in seconds, within bounds: the shortest lifetime of its
        records. Without a record it is that of the absence, which the SOA says (RFC 2308).
        """
        times = [each.ttl for each in self.records]
        if not times:
            times = [
                min(each.ttl, each.payload.minimum)
                for each in self.authority
                if each.type == dns.SOA
            ]
        return min(max(min(times, default=least), least), most)


def hostsOf(
    targets: Sequence[Target], addresses: Mapping[str, Sequence[str]]
) -> tuple[list[FoundHost], list[str]]:
    """
    Make the hosts of service records. A weight of 0 stands for a very small share beside others;
    as weights are whole, it counts as 1.

    @param addresses: the IP addresses of each name. Each one is a host of its own.
    @return: the hosts, and a sentence for each record that can't be used.
    """
    hosts: dict[str, FoundHost] = {}
    wrong = []
    for target in targets:
        there = addresses.get(target.name, ())
        label = f"{target.name}:{target.port}"
        if not there:
            wrong.append(f"the target {label} has no address")
        for address in there:
            name = label if len(there) == 1 else f"{label} {address}"
            try:
                host = FoundHost(
                    name, hostPort(address, target.port), max(target.weight, 1), target.priority
                )
            except ModelError as error:
                wrong.append(f"the target {label}: {error}")
                continue
            if hosts.setdefault(name, host) is not host:
                wrong.append(f"the target {label} stands in the answer twice")
    return list(hosts.values()), wrong


def isIPAddress(text: str) -> bool:
    """
    Return whether a text is an IP address.
    """
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def hostPort(address: str, port: int) -> str:
    """
    Join an IP address and a port.
    """
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
