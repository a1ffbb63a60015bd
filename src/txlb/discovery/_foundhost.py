"""
A host that a source has found.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from txlb.errors import ModelError
from txlb.model import MAX_WEIGHT, ProxyHost, checkMapping, shown
from txlb.model.kinds import Number, Whole, Word

#: The states that a source can wish for a host.
STATES = ("ready", "drain")

#: The priorities that a host can have, as in SRV records.
MAX_PRIORITY = 65535

#: Entries of the metadata of a host, and characters of a name and of a value, at most.
MAX_METADATA = 32
MAX_METADATA_TEXT = 255

_WEIGHT = Whole(0, MAX_WEIGHT)
_PRIORITY = Whole(0, MAX_PRIORITY)
_STATE = Word(STATES)
_CAPACITY = Whole(0, 10**9)
_LOAD = Number(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class FoundHost:
    """
    A host that a source has found for a group.

    @ivar name: its name, the only one of its kind in the group.
    @ivar address: C{host:port}, C{[::1]:port} or C{unix:/path}.
    @ivar weight: 0 to 65535; with 0 it gets nothing new.
    @ivar priority: 0 to 65535, as in SRV records: the hosts with the lowest number of all that
        were found get the clients, and the others are backups.
    @ivar state: C{ready}, or C{drain} for a host that is to get nothing new.
    @ivar metadata: texts by name that the source has of it, for people.
    @ivar capacity: how many connections it takes at once; 0 for no limit.
    @ivar load: the share of itself that it uses, 0 to 1, as it has reported; L{None} if it has
        not. Two objects with different loads are equal, as it is the same host.
    @raise ModelError: something of it breaks a rule.
    """

    name: str
    address: str
    weight: int = 1
    priority: int = 0
    state: str = "ready"
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    capacity: int = 0
    load: float | None = field(default=None, compare=False)
    _host: ProxyHost = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whose = f"host {shown(self.name)}"
        _WEIGHT.check(self.weight, f"weight of {whose}")
        _PRIORITY.check(self.priority, f"priority of {whose}")
        _STATE.check(self.state, f"state of {whose}")
        _CAPACITY.check(self.capacity, f"capacity of {whose}")
        if self.load is not None:
            _LOAD.check(self.load, f"load of {whose}")
        metadata = checkMapping(self.metadata, f"metadata of {whose}")
        if len(metadata) > MAX_METADATA:
            raise ModelError(
                f"metadata of {whose} has {len(metadata)} entries; it has at most {MAX_METADATA}"
            )
        for name, value in metadata.items():
            for text in (name, value):
                if not isinstance(text, str) or len(text) > MAX_METADATA_TEXT:
                    raise ModelError(
                        f"metadata of {whose} has {shown(text)} in it; names and values are texts "
                        f"of at most {MAX_METADATA_TEXT} characters"
                    )
        object.__setattr__(self, "metadata", MappingProxyType(metadata))
        # The rules for names and addresses are those of hosts.
        host = ProxyHost.at(
            self.name, self.address, self.weight, self.capacity or None, state=self.state
        )
        object.__setattr__(self, "_host", host)
        object.__setattr__(self, "address", str(host.address))

    def asDict(self) -> dict[str, object]:
        """
        Return it as an entry of a document, without its load.
        """
        return {
            "name": self.name,
            "address": self.address,
            "weight": self.weight,
            "priority": self.priority,
            "state": self.state,
            "metadata": dict(self.metadata),
            "capacity": self.capacity,
        }

    def asHost(self, origin: str, backup: bool = False) -> ProxyHost:
        """
        Make the host of the model.

        @param origin: the name of the source.
        @param backup: whether other hosts of the answer have a lower priority.
        """
        # All of it was checked, and there may be thousands.
        host = copy.copy(self._host)
        object.__setattr__(host, "origin", origin)
        object.__setattr__(host, "backup", backup)
        return host
