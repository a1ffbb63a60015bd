"""
What a predecessor gives to its successor.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from txlb.pool import Dial
from txlb.proxy import MovingConnection, MovingRelay, Relayed
from txlb.upgrade._batch import Batch
from txlb.upgrade._channel import Channel, ChannelClosed
from txlb.upgrade._givingside import GivingSide
from txlb.wire import AllCopied, AllMoved, Frozen, Gone, Kept

#: The reason for which connections stay of which the preface or handshake is under way.
BEGINNING = "a preface or TLS handshake under way"

#: Connections of a slice. Their descriptors fit one message.
SLICE = 120


class Transfer:
    """
    The connections of a balancer on their way to another process: first copies, while they are
    served here, then what has changed since. Owned by a L{Predecessor}.

    @param services: the services that the successor has; connections of others stay.

    @ivar moved: the connections that the successor has, once it has everything.
    @ivar stays: how many stay, by reason.
    """

    def __init__(self, channel: Channel, side: GivingSide, services: frozenset[str]) -> None:
        self._channel = channel
        self._side = side
        self._services = services
        # Each with its number, and when bytes were moved last as it was copied.
        self._copied: dict[Dial, tuple[int, float]] = {}
        self._number = 0
        self._gone: list[int] = []
        self._hooked: list[tuple[MovingRelay, Callable[[Relayed], object]]] = []
        self._todo: list[tuple[str, MovingConnection]] = []
        self._pieces: Iterator[Mapping[str, Any]] = iter(())
        # The piece of the state that is sent next, if the successor could not read so far.
        self._piece: Mapping[str, Any] | None = None
        self.moved: list[tuple[Any, MovingRelay, MovingConnection]] = []
        self.stays: dict[str, int] = {}

    # While they are served

    def begin(self) -> None:
        """
        Take note of what is to be sent: the state so far, and the connections to copy.
        """
        self._pieces = self._side.keptAhead()
        for frontend in self._side.frontends:
            if frontend.serviceName not in self._services:
                continue
            for relay in frontend.moving.relays:
                before = relay.ended
                relay.ended = partial(self._ended, before)
                self._hooked.append((relay, before))
            for _, connection in frontend.moving.connections():
                if connection.begun and not connection.whyStays:
                    self._todo.append((frontend.serviceName, connection))

    def _ended(self, before: Callable[[Relayed], object], result: Relayed) -> None:
        """
        Tell the successor of the end of a connection. Its copies keep the sockets open.
        """
        before(result)
        copied = self._copied.pop(result.dial, None)
        if copied is not None:
            self._gone.append(copied[0])
            self._tellGone()

    def _tellGone(self) -> bool:
        """
        @return: whether there is nothing to tell any more.
        """
        if not self._gone:
            return True
        try:
            if not self._channel.trySend(Gone(self._gone[:1000])):
                return False
        except ChannelClosed:
            # The predecessor notices it, too.
            return False
        del self._gone[:1000]
        return not self._gone

    def copySome(self) -> bool:
        """
        Send the next copies.

        @return: whether there are more to send. Then this is called again, also if the successor
            can't read now.
        @raise ChannelClosed: the successor is gone.
        """
        if not self._tellGone() or self._sendPiece():
            return True
        sent = True

        def send(batch: Batch) -> None:
            nonlocal sent
            sent = self._channel.trySend(batch.copies, batch.descriptors)

        batch = Batch(send)
        taken: list[tuple[str, MovingConnection]] = []
        while self._todo and len(taken) < SLICE:
            service, connection = each = self._todo.pop()
            if connection.over or not connection.begun or connection.whyStays:
                # It has ended, or is about to.
                continue
            taken.append(each)
            self._number += 1
            batch.connection(service, connection, self._number)
            # What holds bytes is told again later in any case.
            when = connection.lastMoved if connection.isStill else math.inf
            self._copied[connection.dial] = (self._number, when)
            if not sent:
                break
        batch.flush()
        if not sent:
            # What the system did not take is sent again, by other numbers.
            for each in reversed(taken):
                del self._copied[each[1].dial]
                self._todo.append(each)
        return bool(self._todo)

    def _sendPiece(self) -> bool:
        """
        Send the next piece of the state, which takes a few milliseconds to make.

        @return: whether there was one.
        """
        if self._piece is None:
            self._piece = next(self._pieces, None)
        if self._piece is None:
            return False
        memory = memoryOf(self._piece, "state")
        try:
            if self._channel.trySend(Kept(True), (memory,)):
                self._piece = None
        finally:
            os.close(memory)
        return True

    def endCopies(self) -> bool:
        """
        Say that all are copied.

        @return: whether that was sent.
        @raise ChannelClosed: the successor is gone.
        """
        return self._tellGone() and self._channel.trySend(AllCopied())

    # Frozen

    def giveRest(self, until: float) -> None:
        """
        Send everything that the successor does not have yet. Nothing is read or written between
        this and its answer.

        @param until: the time to give up, in seconds of the monotonic clock.
        @raise ChannelClosed: the successor is gone.
        @raise TimeoutError: it does not read.
        """
        channel = self._channel
        if self._gone:
            channel.send(Gone(self._gone), (), until)
            self._gone.clear()
        memory = os.memfd_create("held", os.MFD_CLOEXEC)
        try:
            channel.send(Frozen(), (memory,), until)
            place = 0

            def hold(data: bytes) -> int:
                nonlocal place
                at, view = place, memoryview(data)
                while view:
                    view = view[os.write(memory, view) :]
                place += len(data)
                return at

            batch = Batch(lambda full: channel.send(full.moves, full.descriptors, until))
            waiting = self._giveConnections(batch, hold)
            waiting.sort(key=lambda each: each[0])
            for _, service, connection in waiting:
                batch.client(service, connection, hold)
            batch.flush()
            self._sendRest(self._side.keptRest(), until)
            channel.send(AllMoved(len(self.moved)), (), until)
        finally:
            os.close(memory)

    def _giveConnections(
        self, batch: Batch, hold: Callable[[bytes], int]
    ) -> list[tuple[float, str, MovingConnection]]:
        """
        @return: the clients that have no host, each with the time when it began and its service.
        """
        waiting = []
        self.moved, self.stays = [], {}
        for frontend in self._side.frontends:
            service = frontend.serviceName
            if frontend.beginning:
                self.stays[BEGINNING] = self.stays.get(BEGINNING, 0) + frontend.beginning
            for relay, connection in frontend.moving.connections():
                why = connection.whyStays
                if not why and service not in self._services:
                    why = "its service is gone"
                if why:
                    self.stays[why] = self.stays.get(why, 0) + 1
                    continue
                self.moved.append((frontend.moving, relay, connection))
                if not connection.begun:
                    waiting.append((connection.dial.began, service, connection))
                    continue
                copied = self._copied.get(connection.dial)
                if copied is None:
                    self._number += 1
                    batch.connection(service, connection, self._number, hold)
                elif copied[1] != connection.lastMoved or not connection.isStill:
                    batch.change(connection, copied[0], hold)
        return waiting

    def _sendRest(self, state: Mapping[str, Any], until: float) -> None:
        memory = memoryOf(state, "state")
        try:
            self._channel.send(Kept(False), (memory,), until)
        finally:
            os.close(memory)

    # Afterwards

    def commit(self) -> Iterator[None]:
        """
        Let go of everything that the successor has. The first step makes that no event reaches
        it any more; the other ones close descriptors.
        """
        self.stop()
        # First the clients that wait, or one of them would get a host.
        ordered = sorted(self.moved, key=lambda each: (each[2].begun, not each[2].waits))
        for moving, relay, connection in ordered:
            moving.gave(relay, connection)
        yield
        for _, _, connection in ordered:
            connection.leave()
            yield

    def stop(self) -> None:
        """
        Tell the successor nothing more.
        """
        for relay, before in self._hooked:
            relay.ended = before
        self._hooked.clear()
        self._copied.clear()
        self._todo.clear()


def memoryOf(state: Mapping[str, Any], name: str) -> int:
    """
    Write plain values as JSON into a file in memory.

    @param name: is shown beside the descriptor in /proc.
    @return: its descriptor, which is the caller's.
    """
    memory = os.memfd_create(name, os.MFD_CLOEXEC)
    with open(memory, "wb", closefd=False) as file:
        file.write(json.dumps(state, separators=(",", ":")).encode("utf-8"))
    return memory
