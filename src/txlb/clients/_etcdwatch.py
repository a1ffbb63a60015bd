"""
Watching keys of etcd.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txlb.clients._body import Body, Lines
from txlb.clients._etcd import (
    EtcdClient,
    KeyValue,
    answerOf,
    encoded,
    errorOf,
    keyValue,
    prefixEnd,
    revisionOf,
)
from txlb.clients._reason import reasonOf

#: Bytes of a message of a watch at most.
MAX_MESSAGE = 16 * 1024 * 1024

#: Seconds until etcd has begun to watch.
BEGIN_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Changes:
    """
    Changes of keys.

    @ivar revision: the revision of the cluster after them.
    @ivar put: the keys that were written.
    @ivar removed: the names of the keys that were removed.
    """

    revision: int
    put: tuple[KeyValue, ...]
    removed: tuple[str, ...]


class EtcdWatch:
    """
    A watch of all keys with a prefix. It ends with the connection, if the member has no leader, or
    if the revisions to begin with are gone (compacted). The owner then lists the keys, and begins
    another one.

    @param client: has the member that is asked.
    @param prefix: the prefix.
    @param revision: the first revision that is told.
    @param changed: is called with L{Changes}.
    @param ended: is called once with the reason of the end, in words; not after L{stop}.

    @ivar member: the URL of the member that is watched.
    """

    def __init__(
        self,
        client: EtcdClient,
        prefix: str,
        revision: int,
        changed: Callable[[Changes], object],
        ended: Callable[[str], object],
    ) -> None:
        self._client = client
        self.member = client.member
        self._prefix = prefix
        self._revision = revision
        self._changed = changed
        self._ended = ended
        self._lines: Lines | None = None
        self._over = False
        self._asking: Deferred[None] | None = None

    def start(self, reactor: Any) -> None:
        """
        Begin to watch.

        @param reactor: has the time in which etcd has to begin.
        """
        asking = self._asking = Deferred.fromCoroutine(self._begin())
        asking.addTimeout(BEGIN_TIMEOUT, reactor)
        asking.addErrback(self._failed)

    async def _begin(self) -> None:
        request = {
            "key": encoded(self._prefix),
            "range_end": prefixEnd(self._prefix),
            "start_revision": str(self._revision),
        }
        response = await self._client.request(
            "watch",
            {"create_request": request},
            # A member without a leader would be silent for ever.
            {"Grpc-Metadata-hasleader": "true"},
            member=self.member,
        )
        if response.code != 200:
            body = Body(MAX_MESSAGE)
            response.deliverBody(body)
            answerOf(self.member, response.code, await body.done)
        self._lines = Lines(MAX_MESSAGE, self._told, self._lost)
        response.deliverBody(self._lines)

    def _failed(self, reason: Failure) -> None:
        if not reason.check(CancelledError) or not self._over:
            self._end(reasonOf(reason.value))

    def _lost(self, reason: Failure) -> None:
        self._end(f"{self.member} has ended the watch: {reasonOf(reason.value)}")

    def _told(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = json.loads(line)
            if "error" in message:
                raise errorOf(self.member, message["error"])  # noqa: TRY301 - it is told below
            result = message["result"]
            changes = _changes(result)
        except Exception as error:  # noqa: BLE001 - what a registry sends is not trusted
            self._end(str(error) or type(error).__name__)
            return
        if result.get("canceled"):
            self._end(
                f"{self.member} has ended the watch: "
                f"{result.get('cancel_reason') or 'its first revision is gone'}"
            )
        elif changes.put or changes.removed:
            self._changed(changes)

    def _end(self, reason: str) -> None:
        if not self._over:
            self.stop()
            self._ended(reason)

    def stop(self) -> None:
        """
        Watch no more.
        """
        self._over = True
        if self._lines is not None:
            self._lines.stop()
        elif self._asking is not None:
            self._asking.cancel()


def _changes(result: Any) -> Changes:
    events: Sequence[Any] = result.get("events", ())
    # Of a key that was written and removed in one message the last event counts.
    last: dict[str, KeyValue | None] = {}
    for each in events:
        found = keyValue(each["kv"])
        last[found.key] = found if each.get("type", "PUT") == "PUT" else None
    return Changes(
        revisionOf(result),
        tuple(each for each in last.values() if each is not None),
        tuple(key for key, each in last.items() if each is None),
    )
