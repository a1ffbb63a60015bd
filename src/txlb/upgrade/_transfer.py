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
from txlb.upgrade._channel import Channel, ChannelError
from txlb.upgrade._givingside import GivingSide
from txlb.wire import AllChanged, AllCopied, AllMoved, Frozen, Gone, Kept

#: The reason for which connections stay of which the preface or handshake is under way.
BEGINNING = "a preface or TLS handshake under way"

#: Connections of a slice, which takes about a millisecond. Their descriptors fit one message.
SLICE = 40


class Transfer:
    """
    The connections of a balancer on their way to another process: first copies, while they are
    served here, then what has changed since. Owned by a L{Predecessor}.

    @param services: the services that the successor has; connections of others stay.

    @ivar count: how many connections and clients the successor has, once it has everything.
    @ivar stays: how many stay, by reason.
    """

    def __init__(self, channel: Channel, side: GivingSide, services: frozenset[str]) -> None:
        self._channel = channel
        self._side = side
        self._services = services
        # The number of each, and when bytes were moved last as it was copied.
        self._copied: dict[Dial, tuple[int, float, MovingConnection]] = {}
        self._number = 0
        self._gone: list[int] = []
        self._hooked: list[tuple[MovingRelay, Callable[[Relayed], object]]] = []
        self._todo: list[tuple[str, MovingConnection]] = []
        self._pieces: Iterator[Mapping[str, Any]] = iter(())
        # The piece of the state that is sent next, if the successor could not read so far.
        self._piece: Mapping[str, Any] | None = None
        self.count = 0
        self.stays: dict[str, int] = {}

    # While they are served

    def begin(self) -> None:
        """
        Take note of what is to be sent: the state so far, and the connections that may be copied.
        """
        self._pieces = self._side.keptAhead()
        for frontend in self._side.frontends:
            if frontend.serviceName not in self._services:
                continue
            for relay in frontend.moving.relays:
                before = relay.ended
                relay.ended = partial(self._ended, before)
                self._hooked.append((relay, before))
                self._todo += ((frontend.serviceName, each) for each in relay.connections)

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
        except ChannelError:
            # The predecessor notices it, too.
            return False
        del self._gone[:1000]
        return not self._gone

    def copySome(self) -> bool:
        """
        Send the next copies.

        @return: whether there are more to send. Then this is called again, also if the successor
            can't read now.
        @raise ChannelError: the successor is gone, or the system refuses.
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
                # It has ended or is about to, has no host, or can't move.
                continue
            taken.append(each)
            self._number += 1
            batch.connection(service, connection, self._number)
            # What holds bytes is told again later in any case.
            when = connection.lastMoved if connection.isStill else math.inf
            self._copied[connection.dial] = (self._number, when, connection)
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
        @raise ChannelError: the successor is gone, or the system refuses.
        """
        return self._tellGone() and self._channel.trySend(AllCopied())

    # Frozen

    def giveRest(self, until: float) -> None:
        """
        Send everything that the successor does not have yet. Nothing is read or written between
        this and its answer.

        @param until: the time to give up, in seconds of the monotonic clock.
        @raise ChannelError: the successor is gone, or the system refuses.
        @raise TimeoutError: it does not read.
        """
        channel = self._channel
        changed = self._changed()
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
            for number, connection in changed:
                batch.change(connection, number, hold)
            batch.flush()
            # Without it the successor could not use the other copies if this process died now.
            channel.send(AllChanged(), (), until)
            new, waiting = self._others()
            self.count = len(self._copied) + len(new) + len(waiting)
            for service, connection in new:
                self._number += 1
                batch.connection(service, connection, self._number, hold)
            waiting.sort(key=lambda each: each[0])
            for _, service, connection in waiting:
                batch.client(service, connection, hold)
            batch.flush()
            self._sendRest(self._side.keptRest(), until)
            channel.send(AllMoved(self.count), (), until)
        finally:
            os.close(memory)

    def _changed(self) -> list[tuple[int, MovingConnection]]:
        """
        Find the copied connections that have changed since, with their numbers. The copies of
        those that can't move any more are gone.
        """
        # Most are as they were copied, so that this takes the longest part of the time in which
        # nothing is served: asking for isStill once more would make it longer.
        changed = [
            (number, connection)
            for number, when, connection in self._copied.values()
            if when != connection.lastMoved or connection.over
        ]
        stay = [each for each in changed if each[1].whyStays]
        for number, connection in stay:
            del self._copied[connection.dial]
            self._gone.append(number)
        return [each for each in changed if not each[1].whyStays] if stay else changed

    def _others(
        self,
    ) -> tuple[
        list[tuple[str, MovingConnection]],
        list[tuple[float, str, MovingConnection]],
    ]:
        """
        Find the connections that were not copied, and count those that stay.

        @return: those with a host, with their services; the clients that have none, each with the
            time when it began and its service.
        """
        new, waiting = [], []
        self.stays = {}
        copied = self._copied
        for frontend in self._side.frontends:
            service = frontend.serviceName
            if frontend.beginning:
                self.stays[BEGINNING] = self.stays.get(BEGINNING, 0) + frontend.beginning
            # Most are copied, and nothing is served until all were looked at.
            others = [
                connection
                for relay in frontend.moving.relays
                for connection in relay.connections
                if connection.dial not in copied
            ]
            for connection in others:
                why = self._whyStays(service, connection)
                if why:
                    self.stays[why] = self.stays.get(why, 0) + 1
                elif connection.begun:
                    new.append((service, connection))
                else:
                    waiting.append((connection.dial.began, service, connection))
        return new, waiting

    def _whyStays(self, service: str, connection: MovingConnection) -> str:
        """
        Return the reason why a connection does not move; empty if it does.
        """
        return connection.whyStays or ("" if service in self._services else "its service is gone")

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
        moved = [
            (frontend.moving, relay, connection)
            for frontend in self._side.frontends
            for relay, connection in frontend.moving.connections()
            if not self._whyStays(frontend.serviceName, connection)
        ]
        # First the clients that wait, or one of them would get a host.
        ordered = sorted(moved, key=lambda each: (each[2].begun, not each[2].waits))
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
