"""
The process that takes the connections of its predecessor over.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.errors import TxlbError
from txlb.upgrade._channel import Channel, ChannelClosed, ChannelError, closeAll
from txlb.upgrade._stages import SuccessorEvent, SuccessorStage, SuccessorState
from txlb.upgrade._taken import Taken
from txlb.upgrade._takingside import TakingSide
from txlb.wire import (
    UPGRADE_VERSION,
    Aborted,
    AllChanged,
    AllCopied,
    AllMoved,
    ChangedConnection,
    Copies,
    Declined,
    EndState,
    Frozen,
    Gone,
    HostName,
    Kept,
    MovedConnection,
    Moves,
    Offer,
    Prepared,
    Ready,
    Started,
    UpgradeError,
    UpgradeMessage,
    WaitingClient,
    upgradeRefusal,
)

#: The variable that has the descriptor of the channel.
ENVIRONMENT = "TXLB_UPGRADE"

#: Seconds for the first message. The predecessor sends it at once.
OFFER_LIMIT = 10.0

#: Seconds for everything after the predecessor froze: longer than the predecessor waits.
TAKE_LIMIT = 10.0

#: Connections that go on in one turn of the reactor, while others are served.
GO_ON_AT_ONCE = 200

#: Messages that are read before other events have their turn.
AT_ONCE = 4

_log = Logger()


@implementer(IReadDescriptor)
class Successor:
    """
    The process that takes over. It is made before anything is listened on.

    @param channel: leads to the predecessor.

    @ivar inherited: the sockets from systemd, names and descriptors; they belong to the caller.
    @ivar pidFile: the path of the pid file to write later; empty for none.
    """

    def __init__(self, channel: Channel, seconds: Callable[[], float] = time.monotonic) -> None:
        self._channel = channel
        self._seconds = seconds
        self._stages = SuccessorState()
        self.inherited: list[tuple[str, int]] = []
        self.pidFile = ""
        self.changes: dict[str, Any] = {}
        self._listening: dict[str, list[list[socket.socket]]] = {}
        self._used: set[str] = set()
        self._side: TakingSide | None = None
        self._reactor: Any = None
        self._taken: dict[int, Taken] = {}
        # Those of them of which the predecessor told when it served nothing any more, and whether
        # it has told all of its changes.
        self._told: dict[int, Taken] = {}
        self._allChanged = False
        self._waiting: list[tuple[WaitingClient, int]] = []
        self._held = -1
        self._isComplete = False
        self._state: dict[str, Any] | None = None

    @property
    def stage(self) -> SuccessorStage:
        """
        How far it is.
        """
        return self._stages.state

    @classmethod
    def fromEnvironment(cls, environ: MutableMapping[str, str]) -> Successor | None:
        """
        Make the successor, if this process is one. The variable is removed.

        @raise TxlbError: the predecessor is gone, or speaks another version.
        """
        number = environ.pop(ENVIRONMENT, None)
        if number is None:
            return None
        try:
            sock = socket.socket(fileno=int(number))
        except (ValueError, OSError):
            raise TxlbError(
                f"{ENVIRONMENT} is {number!r}, which is no socket; only txlb sets it"
            ) from None
        sock.set_inheritable(False)
        successor = cls(Channel(sock))
        try:
            successor._receiveOffers()
        except TxlbError as error:
            successor.decline(str(error))
            raise
        return successor

    def _receiveOffers(self) -> None:
        until = self._seconds() + OFFER_LIMIT
        more = True
        while more:
            try:
                offer, descriptors = self._channel.receive(until)
            except (ChannelError, TimeoutError, UpgradeError) as error:
                raise TxlbError(f"the predecessor offers nothing: {error}") from None
            version = offer.version if isinstance(offer, Offer) else -1
            refusal = upgradeRefusal(version)
            if not isinstance(offer, Offer) or refusal:
                closeAll(descriptors)
                raise TxlbError(_otherVersion(version))
            os.dup2(descriptors[0], 2)
            os.close(descriptors[0])
            rest = descriptors[1:]
            if offer.changes:
                with open(rest.pop(0), "rb") as file:
                    file.seek(0)
                    self.changes = json.loads(file.read())
            for address, count in offer.listeners:
                sockets = [socket.socket(fileno=number) for number in rest[:count]]
                del rest[:count]
                for sock in sockets:
                    sock.setblocking(False)
                self._listening.setdefault(address, []).append(sockets)
            if offer.inherited:
                self.inherited = list(zip(offer.inherited, rest, strict=True))
            self.pidFile = offer.pidFile
            more = offer.more

    def socketsAt(self, address: object) -> list[socket.socket]:
        """
        Take the sockets that listen at an address already.

        @param address: as it is configured.
        @return: non-blocking sockets, which are the caller's from here; none if the predecessor
            does not listen there.
        """
        several = self._listening.get(str(address))
        if not several:
            return []
        self._used.add(str(address))
        return several.pop(0)

    def decline(self, reason: str) -> None:
        """
        Tell the predecessor why this process ends.
        """
        if self.stage is SuccessorStage.PREPARING:
            self._stages.must(SuccessorEvent.STOPPED)
            try:
                self._channel.trySend(Declined(reason))
            except ChannelError:
                pass
            self._channel.close()

    # While the predecessor serves

    def ready(self, side: TakingSide, reactor: Any) -> None:
        """
        Tell the predecessor that this process could serve, and take from now on.

        @param side: the balancer.
        @param reactor: watches the channel.
        """
        self._side, self._reactor = side, reactor
        for several in self._listening.values():
            for sockets in several:
                for sock in sockets:
                    # Nothing listens there any more.
                    sock.close()
        self._listening.clear()
        self._stages.must(SuccessorEvent.READY)
        side.collector.rest()
        if side.loop is not None:
            side.loop.wheel.rest()
        reactor.addReader(self)
        try:
            self._channel.send(
                Ready(UPGRADE_VERSION, side.services, sorted(self._used)),
                (),
                self._seconds() + OFFER_LIMIT,
            )
        except ChannelClosed:
            self._alone()
        except (ChannelError, TimeoutError) as error:
            self._end(str(error))

    def fileno(self) -> int:
        return self._channel.fileno()

    def logPrefix(self) -> str:
        return "txlb.upgrade.Successor"

    def connectionLost(self, reason: Failure) -> None:
        """
        Do nothing: reading tells when the predecessor is gone.
        """

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event of the former owner of the descriptor.
        """

    def doRead(self) -> None:
        try:
            for _ in range(AT_ONCE):
                if self._channel.fileno() < 0:
                    return
                if self.stage is SuccessorStage.SERVING:
                    self._readLast()
                    return
                found = self._channel.tryReceive()
                if found is None:
                    return
                self._take(*found)
        except ChannelClosed:
            self._alone()
        except ChannelError as error:
            # The predecessor may live, and goes on.
            self._end(str(error))
        except BaseException as error:  # noqa: BLE001 - clients wait, so it ends at once
            self._end(repr(error))

    def _readLast(self) -> None:
        """
        Wait for the predecessor to close the channel.
        """
        try:
            if self._channel.tryReceive() is not None:
                return
        except (ChannelError, UpgradeError):
            self._close()

    def _take(self, message: UpgradeMessage, descriptors: list[int]) -> None:
        """
        Take a message while the predecessor serves.
        """
        if isinstance(message, Kept):
            self._keepState(descriptors[0])
            self._restore()
        elif isinstance(message, Copies):
            self._takeConnections(message.hosts, message.connections, descriptors)
        elif isinstance(message, Gone):
            for number in message.numbers:
                self._drop(number)
        elif isinstance(message, AllCopied):
            self._channel.send(Prepared(), (), self._seconds() + OFFER_LIMIT)
        elif isinstance(message, Frozen):
            self._takeRest(descriptors[0])
        elif isinstance(message, Aborted):
            self._end(message.reason)
        else:
            raise UpgradeError(f"{type(message).__name__} has come at the wrong time")

    def _keepState(self, descriptor: int) -> None:
        with open(descriptor, "rb") as file:
            file.seek(0)
            self._state = json.loads(file.read())

    def _restore(self) -> None:
        state, self._state = self._state, None
        if state is not None and self._side is not None:
            self._side.restoreState(state)

    def _takeConnections(self, hosts: Any, connections: Any, descriptors: list[int]) -> None:
        """
        Take connections over. The loop watches them, and does not run yet.
        """
        assert self._side is not None  # noqa: S101 - messages come after it was set
        at = 0
        for moved in connections:
            host: HostName = hosts[moved.host]
            frontend = self._side.frontendOf(host.service)
            if frontend is None:
                raise UpgradeError(f"there is no service {host.service!r}")
            sockets = descriptors[at : at + 2]
            pipes = _pipesOf(moved, descriptors, at + 2)
            at += 2 + len(pipes)
            relay, connection = frontend.moving.take(host, moved, sockets)
            connection.become(moved, self._heldAt, pipes)
            connection.register()
            taken = Taken(frontend.moving, relay, connection, moved)
            self._taken[moved.number] = taken
            if self._held >= 0:
                self._told[moved.number] = taken
        if at < len(descriptors) and not self._held >= 0:
            raise UpgradeError("there are more descriptors than connections")
        del descriptors[:at]

    def _drop(self, number: int) -> None:
        """
        Let go of a connection that has ended in the predecessor. The copies of its descriptors
        keep the sockets open.
        """
        taken = self._taken.pop(number)
        taken.moving.gave(taken.relay, taken.connection)
        taken.connection.leave()

    def _heldAt(self, at: int, count: int) -> bytes:
        data = os.pread(self._held, count, at) if count else b""
        if len(data) != count:
            raise UpgradeError("held bytes are missing")
        return data

    # While nothing is served

    def _takeRest(self, held: int) -> None:
        """
        Take everything that is left, and serve.
        """
        self._stages.must(SuccessorEvent.FROZEN)
        self._held = held
        until = self._seconds() + TAKE_LIMIT
        event = SuccessorEvent.COMPLETE
        try:
            self._takeMoves(until)
        except ChannelClosed:
            # It died, and serves nothing any more. What has come is complete in itself.
            event = SuccessorEvent.ALONE
        self._restore()
        if self._side is not None:
            self._side.restored()
        for taken in self._told.values():
            if _holds(taken.last.client) or _holds(taken.last.hostEnd):
                taken.connection.registerAgain()
        if event is SuccessorEvent.COMPLETE:
            event = self._commit()
        if event is SuccessorEvent.STOPPED:
            self._end("the predecessor goes on")
            return
        self._stages.must(event)
        if not self._allChanged:
            self._reset([number for number in self._taken if number not in self._told])
        count = len(self._taken) + len(self._waiting)
        self._serve()
        if event is SuccessorEvent.ALONE:
            _log.warn(
                "upgrade: the predecessor has died, and {count} of its connections go on here",
                count=count,
            )
            self._close()

    def _takeMoves(self, until: float) -> None:
        """
        @raise ChannelClosed: the predecessor has died.
        """
        while True:
            message, descriptors = self._channel.receive(until)
            if isinstance(message, Moves):
                self._takeConnections(message.hosts, message.connections, descriptors)
                for changed in message.changes:
                    pipes = _pipesOf(changed, descriptors, 0)
                    del descriptors[: len(pipes)]
                    taken = self._taken[changed.number]
                    taken.connection.become(changed, self._heldAt, pipes)
                    taken.last = changed
                    self._told[changed.number] = taken
                self._waiting += zip(message.waiting, descriptors, strict=True)
            elif isinstance(message, Kept):
                self._keepState(descriptors[0])
            elif isinstance(message, AllChanged):
                self._allChanged = True
            elif isinstance(message, AllMoved):
                count = len(self._taken) + len(self._waiting)
                if count != message.connections:
                    raise UpgradeError(f"{count} of {message.connections} connections have come")
                return
            elif isinstance(message, Aborted):
                raise UpgradeError(f"the predecessor goes on: {message.reason}")
            else:
                raise UpgradeError(f"{type(message).__name__} has come at the wrong time")

    def _commit(self) -> SuccessorEvent:
        """
        Tell the predecessor that this process serves.

        @return: what has happened.
        """
        try:
            self._channel.send(Started(), (), self._seconds() + OFFER_LIMIT)
        except ChannelClosed:
            # Has it said that it goes on, or has it died?
            try:
                while True:
                    found = self._channel.tryReceive()
                    if found is None:
                        return SuccessorEvent.ALONE
                    if isinstance(found[0], Aborted):
                        return SuccessorEvent.STOPPED
            except ChannelClosed:
                return SuccessorEvent.ALONE
        return SuccessorEvent.COMPLETE

    def _serve(self) -> None:
        """
        Serve: from here on everything may be read, written and set. Connections that have been
        silent since they were copied go on afterwards, some at a time.
        """
        side = self._side
        assert side is not None  # noqa: S101 - messages come after it was set
        for number in self._told:
            taken = self._taken.pop(number)
            taken.connection.goOn(taken.last)
        self._told.clear()
        if side.loop is not None:
            side.loop.wheel.goOn()
        waiting, self._waiting = self._waiting, []
        for client, descriptor in waiting:
            frontend = side.frontendOf(client.service)
            if frontend is None:
                os.close(descriptor)
            else:
                frontend.moving.takeWaiting(client, descriptor, self._heldAt)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
        side.serve()
        self._goOnSome()

    def _goOnSome(self) -> None:
        """
        Let some of the silent connections go on.
        """
        assert self._side is not None  # noqa: S101 - it serves
        for _ in range(min(GO_ON_AT_ONCE, len(self._taken))):
            _, taken = self._taken.popitem()
            taken.connection.goOn(taken.last)
        if self._taken:
            self._reactor.callLater(0, self._goOnSome)
            return
        self._side.collector.goOn()
        self._isComplete = True
        self._tellGone()

    def _alone(self) -> None:
        """
        Serve without the connections of the predecessor, which is gone: the copies are old by
        now, so that they are reset.
        """
        if self.stage is SuccessorStage.SERVING:
            self._close()
            return
        _log.warn(
            "upgrade: the predecessor has died, and {count} of its connections with it",
            count=len(self._taken),
        )
        self._reset(list(self._taken))
        self._stages.must(SuccessorEvent.ALONE)
        if self._side is not None:
            self._side.restored()
        self._serve()
        self._close()

    def _reset(self, numbers: list[int]) -> None:
        """
        Reset connections of which the copies are old.
        """
        for number in numbers:
            self._taken[number].connection.resetCopy()
            self._drop(number)

    def _close(self) -> None:
        self._reactor.removeReader(self)
        self._channel.close()
        self._tellGone()

    def _tellGone(self) -> None:
        """
        Tell the balancer that the upgrade is over, once the predecessor is gone and all
        connections go on.
        """
        if self._isComplete and self._channel.fileno() < 0 and self._side is not None:
            self._side.predecessorGone()

    def _end(self, reason: str) -> None:
        """
        End this process at once: it has touched nothing, and the predecessor waits.
        """
        self._stages.must(SuccessorEvent.STOPPED)
        try:
            self._channel.trySend(Declined(reason))
        except ChannelError:
            pass
        self.exit(reason)

    def exit(self, reason: str) -> None:
        """
        End the process without any cleaning up, which could remove the files of sockets.
        """
        os.write(2, f"txlb: upgrade: {reason}\n".encode("utf-8", "replace"))
        os._exit(1)


def _pipesOf(
    moved: MovedConnection | ChangedConnection, descriptors: list[int], at: int
) -> list[int]:
    count = 2 * (bool(moved.client.piped) + bool(moved.hostEnd.piped))
    return descriptors[at : at + count]


def _holds(end: EndState) -> bool:
    return bool(end.held or end.piped)


def _otherVersion(version: int) -> str:
    return (
        f"the predecessor speaks version {version} of the protocol of upgrades, and this release "
        f"version {UPGRADE_VERSION}, so that connections can't move; stop it and start this one"
    )
