"""
All that members share at one time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from txlb.cluster._items import HOST, Item, itemsOf

#: Items at most, and bytes of them: etcd takes requests of 1.5 MB.
MOST = 10_000
MAX_STATE = 1024 * 1024

#: Removed hosts that are remembered at most, for members that have them in their files.
MOST_REMOVED = 1000


class Overrides:
    """
    The last value of each shared setting: what a member that starts has to make beside what its
    file says. Of a host that is added or removed nothing older counts.
    """

    def __init__(self) -> None:
        # By the key of the thing, and by the setting.
        self._items: dict[tuple[str, ...], dict[str, Item]] = {}
        self._removed: dict[tuple[str, ...], None] = {}

    def __len__(self) -> int:
        """
        Return how many there are.
        """
        return sum(map(len, self._items.values()))

    @property
    def items(self) -> Sequence[Item]:
        """
        All of them, the oldest thing first.
        """
        return [each for items in self._items.values() for each in items.values()]

    def of(self, keys: Iterable[tuple[str, ...]]) -> list[Item]:
        """
        Return those of some things.
        """
        return [each for key in keys for each in self._items.get(key, {}).values()]

    def under(self, key: tuple[str, ...]) -> list[Item]:
        """
        Return those of a thing and of the things in it; of everything if it has no name.
        """
        return self.of(each for each in self._items if each[: len(key)] == key)

    def forget(self, key: tuple[str, ...]) -> None:
        """
        Have none of a thing any more, and none of the things in it.
        """
        for each in [each for each in self._items if each[: len(key)] == key]:
            del self._items[each]
            self._removed.pop(each, None)

    def goneIn(self, later: Overrides) -> list[Item]:
        """
        Return those that were taken back.

        @param later: what counts after some changes that are not known one by one.
        """
        gone = []
        for key, items in self._items.items():
            there = later._items.get(key, {})
            for setting, item in items.items():
                # Of a host that was added or removed nothing older counts, and too many that were
                # removed are not remembered.
                full = item.value is None and len(later._removed) >= MOST_REMOVED
                if setting not in there and HOST not in there and not (setting == HOST and full):
                    gone.append(item)
        return gone

    def take(self, items: Iterable[Item]) -> None:
        """
        Let these be the last ones.
        """
        for item in items:
            if item.setting == HOST:
                self._items.pop(item.key, None)
                self._removed.pop(item.key, None)
                if item.value is None:
                    self._removed[item.key] = None
            self._items.setdefault(item.key, {})[item.setting] = item
        while len(self._removed) > MOST_REMOVED:
            oldest = next(iter(self._removed))
            del self._removed[oldest]
            del self._items[oldest]

    def encoded(self, index: int) -> bytes:
        """
        Write them.

        @param index: the number of the last change that is in them.
        """
        return json.dumps({"index": index, "items": [each.plain for each in self.items]}).encode()

    def read(self, data: bytes) -> int:
        """
        Have those that were written.

        @return: the number of the last change that is in them.
        """
        try:
            told: Any = json.loads(data)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            told = {}
        self._items, self._removed = {}, {}
        self.take(itemsOf(told.get("items"), []))
        index = told.get("index")
        return index if isinstance(index, int) and 0 <= index < 2**62 else 0
