"""
What administrators have changed, for the managers to come.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from txlb.model import ProxyGroup, ProxyHost
from txlb.model.settings import settingsOf

#: The longest text, in bytes: it is a part of a message.
MOST_KEPT = 16_384

#: The settings of a host that administrators change.
_SETTINGS = ("state", "weight", "maxConnections")

#: Settings of hosts by the names of groups and hosts.
Hosts = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Kept:
    """
    What administrators have changed and the application's file does not say. The manager
    tells the clones, and they tell the next manager, which starts with nothing else.

    @ivar number: is larger for what is newer.
    @ivar processes: how many clones there are to be; L{None} if nothing was added or removed.
    @ivar hosts: the settings of clones that differ from those of the file, by the names of
        listeners and clones.
    """

    number: int = 0
    processes: int | None = None
    hosts: Hosts = field(default_factory=dict)

    def write(self) -> str:
        """
        Write it as a text.
        """
        return json.dumps([self.number, self.processes, self.hosts], separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Kept:
        """
        Read a text. One that is none is nothing.
        """
        try:
            number, processes, hosts = json.loads(text)
            checked = {
                str(group): {str(name): _read(settings) for name, settings in clones.items()}
                for group, clones in hosts.items()
            }
            return cls(int(number), None if processes is None else int(processes), checked)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls()

    def settings(self, group: str, name: str) -> Mapping[str, Any]:
        """
        Return the settings of a clone on a listener that differ.
        """
        return self.hosts.get(group, {}).get(name, {})

    def rests(self, group: str, name: str) -> bool:
        """
        Whether a clone is to accept nothing on a listener.
        """
        settings = self.settings(group, name)
        return bool(settings.get("state", "ready") != "ready" or settings.get("weight", 1) == 0)


def hostsKept(
    groups: Iterable[tuple[ProxyGroup, Callable[[str], ProxyHost]]],
    ending: Container[str],
    before: Hosts,
) -> Hosts:
    """
    Find the settings of clones that differ from those of the file.

    @param groups: each listener's group, and what makes a host of a name as the file says it.
    @param ending: clones that are about to end, which are left out.
    @param before: has the settings of clones that have not come yet.
    """
    hosts: dict[str, dict[str, Mapping[str, Any]]] = {}
    for group, usual in groups:
        there = {host.name for host in group.hosts}
        found = {
            name: settings
            for name, settings in before.get(group.name, {}).items()
            if name not in there
        }
        for host in group.hosts:
            if host.name not in ending:
                found[host.name] = _differences(host, usual(host.name))
        found = {name: settings for name, settings in found.items() if settings}
        if found:
            hosts[group.name] = found
    return hosts


def without(hosts: Hosts, name: str) -> Hosts:
    """
    Leave out a clone.
    """
    found = {
        group: {each: settings for each, settings in clones.items() if each != name}
        for group, clones in hosts.items()
    }
    return {group: clones for group, clones in found.items() if clones}


def _differences(host: ProxyHost, usual: ProxyHost) -> dict[str, Any]:
    found = {name: getattr(host, name) for name in _SETTINGS}
    return {name: value for name, value in found.items() if value != getattr(usual, name)}


def _read(settings: Mapping[str, Any]) -> dict[str, Any]:
    kinds = settingsOf(ProxyHost)
    found = {name: settings[name] for name in _SETTINGS if name in settings}
    for name, value in found.items():
        if value is not None or name != "maxConnections":
            kinds[name].kind.check(value, name)
    return found
