"""
The process that has the connections, and gives them to its successor.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Deadline, Deadlines
from txlb.errors import TxlbError
from txlb.process import KILLED, StartedProcess
from txlb.upgrade._channel import ENDED, Channel, ChannelError
from txlb.upgrade._givingside import GivingSide
from txlb.upgrade._stages import PredecessorEvent, PredecessorStage, PredecessorState
from txlb.upgrade._successor import ENVIRONMENT
from txlb.upgrade._transfer import Transfer, memoryOf
from txlb.upgrade._upgraded import Upgraded
from txlb.wire import (
    MAX_UPGRADE_DESCRIPTORS,
    UPGRADE_VERSION,
    Aborted,
    Declined,
    Offer,
    Prepared,
    Ready,
    Started,
    UpgradeError,
    upgradeRefusal,
)

#: Seconds that the successor has until it could serve: it imports, reads its configuration, and
#: looks names up.
START_LIMIT = 60.0

#: Seconds that it has to take copies.
COPY_LIMIT = 60.0

#: Seconds for which this process serves nothing, at most.
FREEZE_LIMIT = 2.0

#: Seconds between two messages with copies, so that clients are served.
PAUSE = 0.0005

#: Connections of which descriptors are closed at once, if others are still served here.
CLOSED_AT_ONCE = 200

#: The reason for which ssh sessions stay.
SESSIONS = "ssh sessions"

_log = Logger()


@implementer(IReadDescriptor)
class Predecessor:
    """
    The process that has the connections. One upgrade is under way at a time. Owned by the
    service of the process.

    @param side: the balancer.
    @param reactor: watches the channel.
    @param deadlines: where its deadlines wait.
    @param launch: starts the successor; by default a process of the same command line.

    """

    def __init__(
        self,
        side: GivingSide,
        reactor: Any,
        deadlines: Deadlines,
        launch: Callable[..., StartedProcess] = StartedProcess,
    ) -> None:
        self._side = side
        self._reactor = reactor
        self._deadlines = deadlines
        self._launch = launch
        self._state = PredecessorState()
        self._process: StartedProcess | None = None
        self._channel: Channel | None = None
        self._transfer: Transfer | None = None
        self._deadline: Deadline | None = None
        self._call: Any = None
        self._done: Deferred[Upgraded] | None = None
        self._began = 0.0
        self._listeners: frozenset[str] = frozenset()

    @property
    def stage(self) -> PredecessorStage:
        """
        How far it is.
        """
        return self._state.state

    # The beginning

    @property
    def isUnderWay(self) -> bool:
        """
        Whether an upgrade is under way, so that L{begin} fails.
        """
        return not self._state.takes(PredecessorEvent.ASKED)

    def begin(self) -> Deferred[Upgraded]:
        """
        Start the successor.

        @return: fires when it serves; this process leaves then. It fails with L{TxlbError} if
            that can't begin, or the successor fails; this process goes on then.
        """
        if self.isUnderWay:
            return fail(TxlbError(f"an upgrade is under way already ({self.stage.value})"))
        self._began = self._deadlines.seconds()
        try:
            channel, theirs = Channel.pair()
        except OSError as error:
            return fail(TxlbError(f"no process can be started: {error.strerror}"))
        number = theirs.fileno()
        variables = {**self._side.environment, ENVIRONMENT: str(number)}
        try:
            self._process = self._launch(variables, (number,))
        except OSError as error:
            channel.close()
            what = "" if error.filename is None else f" ({error.filename})"
            return fail(TxlbError(f"no process can be started: {error.strerror}{what}"))
        finally:
            theirs.close()
        self._channel = channel
        self._state.must(PredecessorEvent.ASKED)
        _log.info("upgrade: process {pid} starts", pid=self._process.pid)
        done = self._done = Deferred()
        self._limit(START_LIMIT, "was not ready")
        self._reactor.addReader(self)
        try:
            for offer, descriptors in self._offers():
                channel.send(offer, descriptors, time.monotonic() + FREEZE_LIMIT)
        except (ChannelError, OSError) as error:
            self._failed(_words(error))
        return done

    def _offers(self) -> Iterator[tuple[Offer, list[int]]]:
        changes = self._side.changes
        if changes:
            memory = memoryOf(changes, "changes")
            try:
                yield Offer(UPGRADE_VERSION, more=True, changes=True), [2, memory]
            finally:
                os.close(memory)
        some: list[tuple[str, int]] = []
        descriptors: list[int] = [2]
        for address, sockets in self._side.listening():
            if len(descriptors) + len(sockets) > MAX_UPGRADE_DESCRIPTORS:
                yield Offer(UPGRADE_VERSION, listeners=some, more=True), descriptors
                some, descriptors = [], [2]
            some.append((address, len(sockets)))
            descriptors += [sock.fileno() for sock in sockets]
        yield Offer(UPGRADE_VERSION, listeners=some, more=True), descriptors
        inherited = self._side.inherited()
        names = [name for name, _ in inherited]
        last = Offer(UPGRADE_VERSION, inherited=names, pidFile=self._side.pidFile)
        yield last, [2, *(number for _, number in inherited)]

    def _limit(self, seconds: float, what: str) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._deadlines.after(
            seconds, lambda: self._failed(f"it {what} within {seconds:g} s")
        )

    # Messages

    def fileno(self) -> int:
        return -1 if self._channel is None else self._channel.fileno()

    def logPrefix(self) -> str:
        return "txlb.upgrade.Predecessor"

    def connectionLost(self, reason: Failure) -> None:
        """
        Do nothing: reading tells when the successor is gone.
        """

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event of the former owner of the descriptor.
        """

    def doRead(self) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            found = channel.tryReceive()
        except (ChannelError, UpgradeError) as error:
            self._failed(str(error))
            return
        if found is None:
            return
        message, _ = found
        if isinstance(message, Declined):
            self._failed(message.reason)
        elif isinstance(message, Ready) and self.stage is PredecessorStage.STARTING:
            self._ready(message)
        elif isinstance(message, Prepared) and self.stage is PredecessorStage.COPYING:
            # Not in the turn of an event.
            self._call = self._reactor.callLater(0, self._freeze)
        else:
            self._failed(f"it sent {type(message).__name__} at the wrong time")

    def _ready(self, message: Ready) -> None:
        refusal = upgradeRefusal(message.version)
        if refusal:
            self._failed(refusal)
            return
        channel = self._channel
        assert channel is not None  # noqa: S101 - a message has come through it
        self._state.must(PredecessorEvent.READY)
        self._listeners = frozenset(message.listeners)
        self._limit(COPY_LIMIT, "did not take the copies of connections")
        self._side.collector.rest()
        self._transfer = Transfer(channel, self._side, frozenset(message.services))
        self._transfer.begin()
        self._copy()

    def _copy(self) -> None:
        """
        Send some copies, and the next ones after a moment.
        """
        self._call = None
        transfer = self._transfer
        if transfer is None:
            return
        try:
            more = transfer.copySome() or not transfer.endCopies()
        except (ChannelError, OSError) as error:
            self._failed(_words(error))
            return
        if more:
            self._call = self._reactor.callLater(PAUSE, self._copy)

    # The end

    def _freeze(self) -> None:
        """
        Give everything that is left, and wait for the answer. Nothing else runs in this process
        meanwhile, so that nothing is read, written or accepted.
        """
        self._call = None
        loop = self._side.loop
        if loop is not None and loop.inTurn:
            self._call = self._reactor.callLater(0, self._freeze)
            return
        channel, transfer = self._channel, self._transfer
        if channel is None or transfer is None or self.stage is not PredecessorStage.COPYING:
            return
        self._state.must(PredecessorEvent.PREPARED)
        if loop is not None:
            loop.closePending()
        # No other code runs meanwhile, so that no other clock of this process goes on.
        frozen = time.monotonic()
        problem = self._giveRest(channel, transfer, frozen + FREEZE_LIMIT)
        took = time.monotonic() - frozen
        if problem:
            self._failed(f"{problem}; nothing was served for {took:.3f} s", aborted=True)
        else:
            self._handedOver(transfer, took)

    def _giveRest(self, channel: Channel, transfer: Transfer, until: float) -> str:
        """
        @return: why the successor does not serve; empty if it does.
        """
        try:
            transfer.giveRest(until)
            message, _ = channel.receive(until)
            if isinstance(message, Started):
                return ""
            problem = message.reason if isinstance(message, Declined) else "an unknown answer"
        except (ChannelError, UpgradeError, OSError) as error:
            problem = _words(error)
        return self._callOff(channel, problem)

    def _callOff(self, channel: Channel, problem: str) -> str:
        """
        Call the upgrade off, and find out whether the successor was quicker. From here on it
        can't start any more.

        @return: why it does not serve, in its own words if it has said so; empty if it does.
        """
        try:
            channel.trySend(Aborted(problem))
        except ChannelError:
            pass
        channel.shutdown()
        try:
            while True:
                found = channel.tryReceive()
                if found is None:
                    return problem
                if isinstance(found[0], Started):
                    return ""
                if isinstance(found[0], Declined):
                    problem = found[0].reason
        except (ChannelError, UpgradeError):
            return problem

    def _handedOver(self, transfer: Transfer, took: float) -> None:
        """
        Leave, as the successor serves.
        """
        self._state.must(PredecessorEvent.STARTED)
        process, done = self._process, self._done
        assert process is not None  # noqa: S101 - it has answered
        self._side.handedOver(process.pid, self._listeners)
        stays = dict(transfer.stays)
        if self._side.sessions:
            stays[SESSIONS] = self._side.sessions
        result = Upgraded(process.pid, transfer.count, stays)
        closing = transfer.commit()
        next(closing)
        self._forget()
        process.forget()
        _log.info(
            "upgrade: process {pid} serves, {moved} connections have moved, nothing was served for "
            "{ms:.1f} ms, {seconds:.2f} s after the start; connections that stay: {stays}",
            pid=process.pid,
            moved=result.moved,
            ms=took * 1e3,
            seconds=self._deadlines.seconds() - self._began,
            stays=", ".join(f"{count} ({why})" for why, count in result.stays.items()) or "none",
        )
        if done is not None:
            done.callback(result)
        self._closeSome(closing, CLOSED_AT_ONCE if result.stays else None)

    def _closeSome(self, closing: Iterator[None], most: int | None) -> None:
        """
        Close descriptors of what has moved.

        @param most: of how many connections at once; L{None} for all.
        """
        for count, _ in enumerate(closing, 1):
            if count == most:
                self._reactor.callLater(0, self._closeSome, closing, most)
                return
        self._side.leave()

    def _forget(self) -> None:
        """
        Let go of everything that an upgrade has.
        """
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        if self._transfer is not None:
            # It rests from the beginning of the transfer on.
            self._side.collector.goOn()
            self._transfer.stop()
            self._transfer = None
        if self._channel is not None:
            self._reactor.removeReader(self)
            self._channel.close()
            self._channel = None
        self._process = self._done = None

    def _failed(self, reason: str, aborted: bool = False) -> None:
        """
        Go on, as the successor does not serve.
        """
        process, channel, done = self._process, self._channel, self._done
        if process is None:
            return
        if channel is not None and not aborted:
            reason = _declined(channel) or reason
            try:
                channel.trySend(Aborted(reason))
            except ChannelError:
                pass
        how = process.kill()
        if reason.endswith(ENDED) or not reason:
            # It closes the channel some time before the system says that it has ended.
            how = how.removeprefix(KILLED).removeprefix(": ")
            reason = f"the successor has ended ({how})" if how else "the successor has ended"
        self._state.must(PredecessorEvent.FAILED)
        self._forget()
        _log.warn("upgrade: {reason}. This process goes on, nothing is lost", reason=reason)
        if done is not None:
            done.errback(TxlbError(f"this process goes on: {reason}"))

    def stop(self) -> None:
        """
        Call an upgrade off that is under way.
        """
        if self._process is not None:
            self._failed("this process is being stopped")


def _words(error: Exception) -> str:
    """
    Write an error, without the system's number of it.
    """
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _declined(channel: Channel) -> str:
    """
    Look whether the successor has said why it ends.
    """
    try:
        while True:
            found = channel.tryReceive()
            if found is None:
                return ""
            if isinstance(found[0], Declined):
                return found[0].reason
    except (ChannelError, UpgradeError):
        return ""
