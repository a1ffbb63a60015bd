"""
Running the conversations of checks.

A balancer of 500 hosts makes 250 checks a second. So their sockets are not
transports of the reactor's: on Linux they are in an epoll of their own, which the
reactor watches as one descriptor, as the fast relay does. Elsewhere the reactor
watches each.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor, IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Deadlines
from txlb.health._line import WRITE, Conversation, Line
from txlb.health._race import LineRace, Reach
from txlb.health._verdict import CheckEnded, Verdict, verdictOf

#: How many events are taken at a time.
MAX_EVENTS = 256


class Watcher(Protocol):
    """
    Tells when a descriptor can be read or written.
    """

    def watch(self, fd: int, want: int, call: Callable[[], None]) -> None:
        """
        Call C{call} whenever C{fd} is ready for C{want}; instead of what it was
        watched for before.
        """

    def forget(self, fd: int) -> None:
        """
        Watch it no more; before it is closed.
        """

    def look(self) -> None:
        """
        Do now what can be done now, if that is cheap.
        """

    def stop(self) -> None:
        """
        Watch nothing any more.
        """


class Sockets:
    """
    Runs the conversations of checks. Owned by the heartbeat.

    @param reactor: watches.
    @param deadlines: where timeouts wait; by default on this process's monotonic clock.

    @ivar watcher: what tells when a descriptor is ready.
    """

    def __init__(
        self, reactor: Any, watcher: Watcher | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._ownsDeadlines = deadlines is None
        self._deadlines = Deadlines(reactor, time.monotonic) if deadlines is None else deadlines
        if watcher is not None:
            self.watcher = watcher
        elif hasattr(select, "epoll"):
            self.watcher = EpollWatcher(reactor)
        else:
            self.watcher = ReactorWatcher(reactor)

    def run(self, line: Line, conversation: Conversation) -> Deferred[Verdict]:
        """
        Run a check.

        @return: fires with what it found. Where it is cancelled it fires with
            what it was waiting for in vain. It fails with whatever a check
            raises that is neither L{OSError} nor L{CheckEnded}.
        """
        return _Run(self.watcher, self._deadlines, line, conversation).done

    def look(self) -> None:
        """
        Finish what can be finished now; after a batch of checks was begun.
        """
        self.watcher.look()

    def stop(self) -> None:
        """
        Free what is held. No check may be under way.
        """
        self.watcher.stop()
        if self._ownsDeadlines:
            self._deadlines.stop()


class _Run:
    """
    One conversation under way.
    """

    __slots__ = (
        "_conversation",
        "_deadlines",
        "_line",
        "_race",
        "_want",
        "_watched",
        "_watcher",
        "done",
    )

    def __init__(
        self, watcher: Watcher, deadlines: Deadlines, line: Line, conversation: Conversation
    ) -> None:
        self._watcher = watcher
        self._deadlines = deadlines
        self._race: LineRace | None = None
        self._line = line
        self._conversation = conversation
        self._watched = -1
        self._want = 0
        self.done: Deferred[Verdict] = Deferred(self._cancel)
        self._step()

    def _step(self) -> None:
        try:
            want = next(self._conversation)
        except StopIteration as stop:
            self._end(stop.value)
        except CheckEnded as ended:
            self._end(ended.verdict)
        except OSError as error:
            self._end(verdictOf(error, self._line.address))
        except Exception:  # noqa: BLE001 - whoever runs checks logs what is wrong with one
            self._free()
            self.done.errback(Failure())
        else:
            if isinstance(want, Reach):
                self._race = LineRace(want, self._watcher, self._deadlines, self._step)
                self._race.begin()
                return
            # Another socket object may stand for it by now, on the same descriptor.
            if want != self._want:
                self._want = want
                self._watched = self._line.fileno()
                self._watcher.watch(self._watched, want, self._step)

    def _end(self, verdict: Verdict) -> None:
        self._free()
        if self._line.wentElsewhere:
            verdict = replace(verdict, address=self._line.address)
        self.done.callback(verdict)

    def _free(self) -> None:
        if self._race is not None:
            self._race.end()
        if self._watched >= 0:
            self._watcher.forget(self._watched)
            self._watched = -1
        self._line.close()

    def _cancel(self, deferred: Deferred[Verdict]) -> None:
        doing = self._line.doing
        self._conversation.close()
        self._free()
        deferred.callback(Verdict(False, doing))


@implementer(IReadDescriptor)
class EpollWatcher:
    """
    An epoll of its own, which the reactor watches as one descriptor while there
    is anything in it.

    @param reactor: watches it.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll: select.epoll | None = None
        self._calls: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, want: int, call: Callable[[], None]) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)
        if fd in self._calls:
            self._epoll.modify(fd, want)
        else:
            self._epoll.register(fd, want)
        self._calls[fd] = call

    def forget(self, fd: int) -> None:
        del self._calls[fd]
        if self._epoll is not None:
            # Closing would do, unless a process that was forked has a copy.
            self._epoll.unregister(fd)

    def look(self) -> None:
        if self._calls:
            self.doRead()

    def fileno(self) -> int:
        return -1 if self._epoll is None else self._epoll.fileno()

    def doRead(self) -> None:
        if self._epoll is None:
            return
        ready = [(fd, self._calls.get(fd)) for fd, _ in self._epoll.poll(0, MAX_EVENTS)]
        for fd, call in ready:
            # One may be closed in this turn, and its number be another's by now.
            if call is not None and self._calls.get(fd) is call:
                call()

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event that it took for the former owner of
        the descriptor in the same turn: the epoll is never written to.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Have the epoll watched again. An epoll has no peer that could be gone, so the event
        was meant for the former owner of its descriptor, or the reactor ends.
        """
        if self._epoll is not None:
            self._reactor.addReader(self)

    def logPrefix(self) -> str:
        return "txlb.health"

    def stop(self) -> None:
        if self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None


class ReactorWatcher:
    """
    Lets the reactor watch each descriptor.

    @param reactor: watches.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._watched: dict[int, _Descriptor] = {}

    def watch(self, fd: int, want: int, call: Callable[[], None]) -> None:
        if fd in self._watched:
            self.forget(fd)
        add = self._reactor.addWriter if want == WRITE else self._reactor.addReader
        self._watched[fd] = _Descriptor(fd, call, add)

    def forget(self, fd: int) -> None:
        descriptor = self._watched.pop(fd)
        descriptor.isForgotten = True
        self._reactor.removeReader(descriptor)
        self._reactor.removeWriter(descriptor)

    def look(self) -> None:
        pass

    def stop(self) -> None:
        for fd in tuple(self._watched):
            self.forget(fd)


@implementer(IReadWriteDescriptor)
class _Descriptor:
    """
    A descriptor for the reactor to watch.

    @param call: is called for each of its events.
    @param add: has the reactor watch it, for reading or for writing.

    @ivar isForgotten: whether it is watched no more.
    """

    def __init__(
        self, fd: int, call: Callable[[], None], add: Callable[[_Descriptor], object]
    ) -> None:
        self._fd = fd
        self._call = call
        self._add = add
        self.isForgotten = False
        add(self)

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        self._call()

    def doWrite(self) -> None:
        self._call()

    def connectionLost(self, reason: Failure) -> None:
        """
        Have it watched again, and call. An error of the socket is for the conversation to
        find; without one the event was meant for the former owner of the descriptor.
        """
        if not self.isForgotten:
            self._add(self)
            self._call()

    def logPrefix(self) -> str:
        return "txlb.health"
