"""
Versions of resources, for C{ETag} and C{If-Match}.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from txlb.admin.web._problem import Refusal
from txlb.errors import firstLines
from txlb.model import ProxyService, changesBetween

#: Versions that are remembered, to tell what has changed since.
MOST = 1000

#: Configurations that are remembered, and bytes of each.
MOST_TEXTS = 8
MOST_TEXT = 262_144

#: Lines of differences in one answer.
MOST_LINES = 20

Key = tuple[str, ...]


class Versions:
    """
    The versions of services, groups, hosts and listeners. The values are frozen and stay the
    very same while nothing changes, so a version is found without a look into the value.

    Counters and states are no part of a version: it is that of what is configured.
    """

    def __init__(self) -> None:
        # Numbers begin anew with each process.
        self._process = secrets.token_hex(4)
        self._number = 0
        self._now: OrderedDict[Key, tuple[object, str]] = OrderedDict()
        # What each version was: the service of the resource, at that time.
        self._past: OrderedDict[str, ProxyService] = OrderedDict()
        # The last configurations that were read, by their versions.
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def tag(self, key: Key, value: object, service: ProxyService | None = None) -> str:
        """
        Return the version of a resource, as C{ETag} has it.

        @param key: the kind of the resource, and its names.
        @param value: the present value.
        @param service: its service; L{None} if it has none.
        """
        known = self._now.get(key)
        if known is not None and (known[0] is value or _same(known[0], value)):
            self._now.move_to_end(key)
            return known[1]
        self._number += 1
        tag = f'"{self._process}-{self._number}"'
        _put(self._now, key, (value, tag))
        if service is not None:
            _put(self._past, tag, service)
        return tag

    def remember(self, tag: str, text: bytes) -> None:
        """
        Keep a configuration that was read, to tell what has changed since: the last few, if they
        are small.
        """
        if len(text) <= MOST_TEXT:
            self._texts[tag] = text
            if len(self._texts) > MOST_TEXTS:
                self._texts.popitem(last=False)

    def recall(self, tag: str) -> bytes | None:
        """
        Return the configuration of a version; L{None} if it is not kept.
        """
        return self._texts.get(tag)

    def check(
        self, wanted: Iterable[str], key: Key, value: object, service: ProxyService | None = None
    ) -> None:
        """
        Refuse a change of a resource that is not as the client saw it.

        @param wanted: the versions of C{If-Match}.
        @raise Refusal: it has another version. The problem tells what differs.
        """
        tags = list(wanted)
        now = self.tag(key, value, service)
        if not tags or now in tags or "*" in tags:
            return
        lines = self._differences(tags, key, service)
        more = f": {lines[0]}" if lines else ""
        raise Refusal(
            412,
            f"{'/'.join(key[1:]) or key[0]} has changed since it was read, and nothing was "
            f"done{more}",
            {"ETag": now},
            {"differs": lines},
        )

    def _differences(
        self, tags: Iterable[str], key: Key, service: ProxyService | None
    ) -> list[str]:
        before = next((self._past[tag] for tag in tags if tag in self._past), None)
        if before is None or service is None:
            return []
        names = key[1:]
        changes = changesBetween([before], [service]).changes
        lines = [str(each) for each in changes if each.key[: len(names)] == names]
        return firstLines(lines, "", MOST_LINES)


def _same(known: object, value: object) -> bool:
    # The addresses of a listener are a few; values of the model are compared by identity.
    return isinstance(value, tuple) and known == value


def _put(kept: OrderedDict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > MOST:
        kept.popitem(last=False)
