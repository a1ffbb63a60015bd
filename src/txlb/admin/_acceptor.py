"""
Accepting the connections of a manhole.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.admin._factory import ManholeFactory
from txlb.admin._log import log
from txlb.deadlines import Deadline, Deadlines, Throttle
from txlb.process import EXHAUSTED, listens
from txlb.proxy import EXHAUSTED_PAUSE


@implementer(IReadDescriptor)
class Acceptor:
    """
    One listening socket, whose connections are accepted one at a time as a
    L{txlb.admin._work.Job}. The others wait in the system's backlog. Owned by a
    L{txlb.admin._running.Running}.

    @param sock: the socket, which is this one's to close.
    @param reactor: watches it, and reads from the clients that are accepted.
    @param factory: makes their protocols.
    """

    #: One source for the clients of all.
    source = "accepting"
    stage = 0

    def __init__(
        self, sock: socket.socket, reactor: Any, deadlines: Deadlines, factory: ManholeFactory
    ) -> None:
        self.cost = 0.0
        self._sock = sock
        self._reactor = reactor
        self._deadlines = deadlines
        self._factory = factory
        self._throttle = Throttle(deadlines, _say)
        self._pause: Deadline | None = None

    def start(self) -> None:
        """
        Accept from now on.
        """
        self._pause = None
        self._reactor.addReader(self)

    def stop(self) -> None:
        """
        Accept no more, and close the socket.
        """
        if self._pause is not None:
            self._pause.cancel()
        self._reactor.removeReader(self)
        self._factory.work.remove(self)
        self._throttle.flush()
        self._sock.close()

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "txlb.admin.Acceptor"

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket if it listens no more. Otherwise the event was meant for the former
        owner of its descriptor, or the reactor ends: watch it again.
        """
        if listens(self._sock):
            self._reactor.addReader(self)
        else:
            self._sock.close()

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event that it took for the former owner of
        the descriptor in the same turn: a listening socket is never written to.
        """

    def doRead(self) -> None:
        self._reactor.removeReader(self)
        self._factory.work.add(self)

    def work(self) -> bool:
        """
        Accept one.
        """
        try:
            sock, name = self._sock.accept()
        except BlockingIOError:
            self.start()
            return False
        except OSError as error:
            if error.errno in EXHAUSTED:
                self._wait(error)
                return False
            # This client has gone already, or a firewall refused it.
            return True
        with sock:
            try:
                self._letIn(sock, name)
            except OSError:
                # It has gone meanwhile.
                pass
            except Exception:  # noqa: BLE001 - one client's trouble is not the next one's
                log.failure("a connection of the manhole could not be taken")
        return True

    def _letIn(self, sock: socket.socket, name: Any) -> None:
        if self._factory.admits(_address(sock.family, name)):
            self._factory.logins.giveWay()
            sock.setblocking(False)
            # The reactor takes a copy of the descriptor; the caller closes ours.
            self._reactor.adoptStreamConnection(sock.fileno(), sock.family, self._factory)

    def _wait(self, error: OSError) -> None:
        self._pause = self._deadlines.after(EXHAUSTED_PAUSE, self.start)
        self._throttle.happened(error)


def _say(times: int, error: OSError) -> None:
    log.warn(
        "the manhole accepts no clients for {pause} s, {times} times now: {reason}",
        pause=EXHAUSTED_PAUSE,
        times=times,
        reason=error.strerror,
    )


def _address(family: int, name: Any) -> IAddress:
    if family == socket.AF_INET:
        return IPv4Address("TCP", *name)
    if family == socket.AF_INET6:
        return IPv6Address("TCP", *name)
    return UNIXAddress(None)
