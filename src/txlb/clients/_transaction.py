"""
Transactions of etcd.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def _encoded(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode("ascii")


class Transaction:
    """
    Comparisons of keys, and what is done if all of them hold. It is done as a whole or not at all.
    """

    def __init__(self) -> None:
        self._compare: list[dict[str, Any]] = []
        self._success: list[dict[str, Any]] = []

    def ifCreatedAt(self, key: str, revision: int) -> Transaction:
        """
        Do it only if a key came to be at this revision; with 0, only if it is not there.
        """
        return self._if(key, "CREATE", "create_revision", revision)

    def ifModifiedAt(self, key: str, revision: int) -> Transaction:
        """
        Do it only if a key was written last at this revision; with 0, only if it is not there.
        """
        return self._if(key, "MOD", "mod_revision", revision)

    def _if(self, key: str, target: str, field: str, revision: int) -> Transaction:
        self._compare.append(
            {"key": _encoded(key), "target": target, "result": "EQUAL", field: str(revision)}
        )
        return self

    def put(self, key: str, value: bytes, lease: int = 0) -> Transaction:
        """
        Write a key.

        @param lease: the lease with whose end the key goes; 0 for none.
        """
        put = {"key": _encoded(key), "value": _encoded(value), "lease": str(lease)}
        self._success.append({"request_put": put})
        return self

    def delete(self, key: str, end: str | None = None) -> Transaction:
        """
        Remove a key, or all keys from it to the one before C{end}.
        """
        what = {"key": _encoded(key)}
        if end is not None:
            what["range_end"] = _encoded(end)
        self._success.append({"request_delete_range": what})
        return self

    @property
    def body(self) -> Mapping[str, Any]:
        """
        The request.
        """
        return {"compare": self._compare, "success": self._success}


@dataclass(frozen=True, slots=True)
class Committed:
    """
    The answer to a transaction.

    @ivar succeeded: whether the comparisons held, and so all was done.
    @ivar revision: the revision of the cluster after it.
    """

    succeeded: bool
    revision: int
