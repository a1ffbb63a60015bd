"""
The configuration files of balancers that benchmarks start.
"""

from __future__ import annotations

from collections.abc import Iterable

#: The address of the service that C{benchmarks.beside} measures, and that of its host. It puts the
#: ports in.
LISTEN, HOST = "127.0.0.1:{port}", "127.0.0.1:{host}"


def configuration(*parts: str) -> str:
    """
    Write a file.

    @param parts: its elements, such as L{service} writes.
    """
    return "\n".join(["<config>", *parts, "</config>", ""])


def service(
    name: str,
    listen: str,
    hosts: Iterable[str],
    *,
    scheduler: str = "leastc",
    ofListener: str = "",
    ofGroup: str = "",
) -> str:
    """
    Write a service with one group.

    @param listen: its address.
    @param hosts: elements, such as L{hostElements} writes.
    @param ofListener: what is in the element of the listener.
    @param ofGroup: what is in the element of the group, before the hosts.
    """
    lines = [
        f'  <service name="{name}">',
        f'    <listen ip="{listen}">{ofListener}</listen>',
        f'    <group name="prod" scheduler="{scheduler}" enable="yes">{ofGroup}',
        *(f"      {each}" for each in hosts),
        "    </group>",
        "  </service>",
    ]
    return "\n".join(lines)


def hostElements(addresses: Iterable[str]) -> list[str]:
    """
    Write hosts, whose names are C{h0} and so on.
    """
    return [f'<host name="h{number}" ip="{address}"/>' for number, address in enumerate(addresses)]


def quietHosts(count: int) -> list[str]:
    """
    Write hosts to which no client connects.
    """
    return hostElements(f"127.2.{number // 250}.{number % 250 + 1}:9" for number in range(count))
