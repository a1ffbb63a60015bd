"""
One found host, between its source and the people that change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from txlb.errors import ModelError
from txlb.model import ProxyHost

#: The settings that a source says, and that people may change live. The address is one setting.
SETTINGS = ("address", "weight", "state", "backup", "maxConnections")


@dataclass(frozen=True, slots=True)
class Record:
    """
    A found host at the time at which its group was last made. A person changes a setting of it by
    a wish. The wish stands until the person sets the setting to what the source says, also
    if the source says the same as the wish for a while.

    @ivar said: the host as its source says it.
    @ivar left: the host as it ran; L{None} if a person has removed it.
    @ivar wished: the settings that a person has changed, of L{SETTINGS}.
    """

    said: ProxyHost
    left: ProxyHost | None
    wished: frozenset[str] = frozenset()

    @classmethod
    def new(cls, said: ProxyHost, wish: Mapping[str, Any] | None = None) -> Record:
        """
        Make the record of a host that was not there.

        @param wish: what L{wish} returned before a restart.
        """
        if not wish:
            return cls(said, said)
        if wish.get("removed"):
            return cls(said, None)
        wishes = {name: wish[name] for name in SETTINGS if name in wish}
        try:
            return cls(said, _with(said, wishes), frozenset(wishes))
        except (ModelError, TypeError):
            # It was kept by another release.
            return cls(said, said)

    def next(self, there: ProxyHost | None, said: ProxyHost) -> Record:
        """
        Merge the host as it runs with what the source says now.

        @param there: the host as it runs; L{None} if it does not.
        @param said: the host as the source says it now.
        """
        if there is None:
            return Record(said, None)
        if there is self.left and said is self.said:
            return self
        left = self.left or there
        wished = set(self.wished)
        for name in SETTINGS:
            now = getattr(there, name)
            if now != getattr(left, name):
                (wished.discard if now == getattr(self.said, name) else wished.add)(name)
        changes = {
            name: getattr(said, name)
            for name in SETTINGS
            if name not in wished and getattr(said, name) != getattr(there, name)
        }
        return Record(said, _with(there, changes) if changes else there, frozenset(wished))

    def wish(self, there: ProxyHost | None) -> dict[str, Any] | None:
        """
        Return what a person wishes, as plain values; L{None} for nothing.

        @param there: the host as it runs; L{None} if it does not.
        """
        record = self.next(there, self.said)
        if record.left is None:
            return {"removed": True}
        wish = {name: getattr(record.left, name) for name in SETTINGS if name in record.wished}
        if "address" in wish:
            wish["address"] = str(wish["address"])
        return wish or None


def _with(host: ProxyHost, changes: Mapping[str, Any]) -> ProxyHost:
    """
    Return a host with other settings.

    @raise ModelError: one of them is wrong.
    """
    own = dict(changes)
    address = own.pop("address", None)
    if address is not None:
        moved = ProxyHost.at(host.name, address if isinstance(address, str) else str(address))
        own.update(ipOrHost=moved.ipOrHost, port=moved.port)
    return replace(host, **own)
