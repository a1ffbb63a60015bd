"""
What the members of a cluster write of themselves in etcd.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: Bytes of a record at most.
MAX_RECORD = 8 * 1024

#: Characters of a text of it at most.
MAX_TEXT = 255


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """
    What a member writes of itself.

    @ivar name: its name.
    @ivar address: where it listens.
    @ivar version: that of txlb.
    @ivar since: when it has joined, in seconds since 1970.
    @ivar leader: the member that it takes for the leader; empty for none.
    @ivar term: the term of that leader; 0 for none.
    @ivar applied: the number of the last shared change that it has made.
    @ivar digest: a digest of its services, which is the same on members whose services are.
    """

    name: str
    address: str = ""
    version: str = ""
    since: float = 0.0
    leader: str = ""
    term: int = 0
    applied: int = 0
    digest: str = ""

    def encoded(self) -> bytes:
        """
        Write it.
        """
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, name: str, data: bytes) -> MemberRecord:
        """
        Read one. What is wrong in it is left out, as other programs may write there.

        @param name: the name that its key has, which counts.
        """
        told = _objectOf(data)
        return cls(
            name[:MAX_TEXT],
            _text(told, "address"),
            _text(told, "version"),
            _number(told, "since"),
            _text(told, "leader"),
            _whole(told, "term"),
            _whole(told, "applied"),
            _text(told, "digest"),
        )


@dataclass(frozen=True, slots=True)
class LeaderRecord:
    """
    What the leader writes into its key.

    @ivar member: its name.
    @ivar since: when it was elected, in seconds since 1970.
    """

    member: str
    since: float = 0.0

    def encoded(self) -> bytes:
        """
        Write it.
        """
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, data: bytes) -> LeaderRecord:
        """
        Read one. What is wrong in it is left out.
        """
        told = _objectOf(data)
        return cls(_text(told, "member"), _number(told, "since"))


def _objectOf(data: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(data) if len(data) <= MAX_RECORD else None
    except (ValueError, RecursionError):
        told = None
    return told if isinstance(told, dict) else {}


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value[:MAX_TEXT] if isinstance(value, str) and value.isprintable() else ""


def _number(told: Mapping[str, Any], name: str) -> float:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    # Larger ones are no time that can be shown.
    return float(value) if math.isfinite(value) and 0 <= value < 1e11 else 0.0


def _whole(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value < 2**63 else 0
