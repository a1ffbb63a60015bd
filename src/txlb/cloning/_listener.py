"""
A listening socket that the processes of one application share.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet import address
from twisted.internet.interfaces import IProtocolFactory, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.cloning._beginning import Beginning
from txlb.cloning._countedtcpserver import CountedTCPServer
from txlb.cloning._countedunixserver import CountedUNIXServer
from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._sharing import Sharing, whyNoGrants
from txlb.process import EXHAUSTED, listens

#: Connections that are accepted in one turn of the reactor, if no manager counts them.
BATCH = 32

#: Connections that may wait in a queue. The system's limit may be lower (net.core.somaxconn).
BACKLOG = 4096

#: Where tcpi_unacked stands in the kernel's C{struct tcp_info}: of a listening socket it is
#: the number of connections that wait to be accepted (linux/net/ipv4/tcp.c, tcp_get_info).
_QUEUED_AT = 24
_QUEUED = struct.Struct("=I")
_INFO_SIZE = _QUEUED_AT + _QUEUED.size

#: Seconds after which accepting is tried again then.
EXHAUSTED_PAUSE = 0.1

_log = Logger()


@implementer(IReadDescriptor)
class SharedListener:
    """
    A listening socket that the processes of an application share, and what this process
    has accepted on it. It accepts if it is told to, C{count} connections at a time; or, if
    there is no manager to tell it, by itself.

    A L{CloneGroup} owns it.

    @param name: identifies it in all processes of the application, such as C{tcp-8080}.
    @param sock: listens, and does not block. It is this object's from here.
    @param factory: makes a protocol for each connection.
    @param reactor: watches the connections.
    @param settings: how its connections come to the clones.
    @ivar sharing: how the clones share the connections. It is not what the settings say if the
        manager can't grant them.
    @ivar whyNoGrants: why it can't; empty if it can.
    @ivar accepted: the connections that this process has accepted or was passed so far.
    @ivar connections: those that this process has accepted and that have not ended.
    @ivar admits: tells whether a client that this process has accepted is admitted, by its
        address as C{accept} gives it.
    """

    #: Twisted's transports name the port of their server so.
    _realPortNumber: Any = None

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        factory: IProtocolFactory,
        reactor: Any,
        settings: ListenerSettings | None = None,
    ) -> None:
        self.settings = ListenerSettings.of() if settings is None else settings
        self.whyNoGrants = whyNoGrants()
        self.sharing = self.settings.sharing
        if self.sharing is Sharing.GRANTS and self.whyNoGrants:
            self.sharing = Sharing.QUEUE
        self.name = name
        self.sock = sock
        self.factory = factory
        self.connections: set[Any] = set()
        self.changed: Any = _nothing
        self.admits: Callable[[Any], bool] = _all
        self._reactor = reactor
        self.accepted = 0
        # Where this process accepts: it has a queue of its own if each clone has one.
        self._queue: socket.socket | None = None if self.hasOwnQueue else sock
        self._free = False
        self._serving = False
        self._pause: Any = None
        family = sock.family
        self._countsQueue = family != socket.AF_UNIX and countsQueue(sock)
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        self._transport: Any = CountedTCPServer
        if family == socket.AF_UNIX:
            self._transport = CountedUNIXServer
        else:
            self._realPortNumber = sock.getsockname()[1]

    @property
    def address(self) -> str:
        """
        Where it listens, C{host:port} or C{unix:/path}.
        """
        name = self.sock.getsockname()
        if self.sock.family == socket.AF_UNIX:
            return f"unix:{name}"
        host = f"[{name[0]}]" if self.sock.family == socket.AF_INET6 else name[0]
        return f"{host}:{name[1]}"

    @property
    def countsQueue(self) -> bool:
        """
        Whether the system tells how many connections wait. Linux does so of TCP sockets,
        unless a sandbox forbids the question.
        """
        return self._countsQueue

    @property
    def isGranted(self) -> bool:
        """
        Whether a manager grants the connections. If not, clones accept by themselves.
        """
        return self.sharing is Sharing.GRANTS

    @property
    def isPassed(self) -> bool:
        """
        Whether a balancer reads what clients send first, and passes the connections. Then clones
        accept none, also while no balancer is there.
        """
        return self.sharing is Sharing.PASSED

    @property
    def hasOwnQueue(self) -> bool:
        """
        Whether each clone has an accept queue of its own. C{sock} does not listen then: it keeps
        the address, so that all processes get the same one.
        """
        return self.sharing is Sharing.REUSEPORT

    @property
    def queued(self) -> int:
        """
        The connections that wait to be accepted. If the system does not tell how many there
        are, as of a UNIX socket, 1 stands for any number.
        """
        if not self._countsQueue:
            return len(self._poll.poll(0))
        return queueLength(self.sock)

    def serve(self) -> None:
        """
        Be ready to accept.
        """
        if not self._serving:
            self._serving = True
            self.factory.doStart()

    def acceptFreely(self, free: bool) -> None:
        """
        Accept all connections that come, or only what L{accept} allows.

        @raise OSError: this process has a queue of its own, and can't make it.
        """
        self._free = free = free and not self.isPassed
        if free and self._serving:
            if self._queue is None:
                self._queue = sameAddress(self.sock)
            self._acceptIfRoom()
        else:
            self._reactor.removeReader(self)
            if self.hasOwnQueue:
                self._closeQueue()

    def _acceptIfRoom(self) -> None:
        if self.isGranted or self.room:
            self._reactor.addReader(self)
        else:
            self._reactor.removeReader(self)

    def _closeQueue(self) -> None:
        """
        Leave the clients that come to the queues of other clones. Those that wait are served: the
        system has told them that they are connected.
        """
        if self._queue is not None:
            while self.room and self.accept(1):
                pass
            self._queue.close()
            self._queue = None

    def accept(self, count: int) -> int:
        """
        Accept connections that wait.

        @param count: how many at most.
        @return: how many there were.
        """
        for number in range(count):
            found = self.take()
            if found is None:
                return number
            if self.admits(found[1]):
                self._build(*found)
            else:
                found[0].close()
        return count

    def take(self) -> tuple[socket.socket, Any] | None:
        """
        Accept one connection, and give it no protocol.

        @return: its socket and the address of its client; L{None} if there is none, or this
            process has no descriptors left.
        """
        queue = self._queue
        while self._pause is None and queue is not None:
            try:
                found: tuple[socket.socket, Any] = queue.accept()
            except BlockingIOError:
                return None
            except OSError as problem:
                if problem.errno in EXHAUSTED:
                    self.exhausted(problem)
                continue  # the client has gone meanwhile
            return found
        return None

    def adopt(self, descriptor: int, beginning: Beginning | None = None) -> None:
        """
        Serve a connection that another process has accepted.

        @param descriptor: of its socket. It is this object's from here.
        @param beginning: what that process has read of it; L{None} for nothing.
        """
        sock = socket.socket(fileno=descriptor)
        try:
            peer = sock.getpeername()
        except OSError:
            sock.close()  # the client has gone meanwhile
            return
        self._build(sock, peer, beginning)

    def _build(self, sock: socket.socket, peer: Any, beginning: Beginning | None = None) -> None:
        sock.setblocking(False)
        told = None if beginning is None else beginning.peer
        try:
            protocol = self.factory.buildProtocol(told or self._addressOf(sock, peer))
        except Exception:  # noqa: BLE001 - the application wrote it
            _log.failure("a connection on {name} gets no protocol", name=self.name)
            protocol = None
        if protocol is None:
            sock.close()
            return
        self.accepted += 1
        transport = self._transport(sock, protocol, peer, self, self.accepted, self._reactor)
        self.connections.add(transport)
        self.changed()
        if beginning is not None:
            transport.beginning = beginning
        try:
            protocol.makeConnection(transport)
            if beginning is not None and beginning.data:
                self._reactor.callLater(0, beginning.deliver, transport)
        except Exception:  # noqa: BLE001 - the application wrote it
            _log.failure("a connection on {name} can't begin", name=self.name)
            transport.abortConnection()

    @property
    def room(self) -> int:
        """
        The connections that may be accepted at once now: L{BATCH}, or what is left of
        C{maxConnections}.
        """
        limit = self.settings.maxConnections
        return BATCH if limit is None else max(0, min(BATCH, limit - len(self.connections)))

    def _addressOf(self, sock: socket.socket, peer: Any) -> Any:
        if sock.family == socket.AF_UNIX:
            return address.UNIXAddress(peer or None)
        kind = address.IPv6Address if sock.family == socket.AF_INET6 else address.IPv4Address
        return kind("TCP", *peer)

    def exhausted(self, problem: OSError) -> None:
        """
        Accept nothing for a while, as this process has no descriptors left.
        """
        if self._pause is None:
            _log.warn("{name}: {problem}; clients wait", name=self.name, problem=problem)
            self._reactor.removeReader(self)
            self._pause = self._reactor.callLater(EXHAUSTED_PAUSE, self._goOn)

    def _goOn(self) -> None:
        self._pause = None
        self.acceptFreely(self._free)
        self.changed()

    @property
    def isExhausted(self) -> bool:
        """
        Whether this process has no descriptors left, and accepts nothing for a while.
        """
        return self._pause is not None

    def ended(self, transport: Any) -> None:
        """
        Count a connection no longer.
        """
        self.connections.discard(transport)
        if self._free and not self.isGranted and self._pause is None:
            self._acceptIfRoom()
        self.changed()

    def fileno(self) -> int:
        return -1 if self._queue is None else self._queue.fileno()

    def logPrefix(self) -> str:
        return "txlb.cloning"

    def doRead(self) -> None:
        """
        Accept, without a manager.
        """
        if self._free and self.isGranted:
            self.accept(BATCH)
        elif self._free:
            # One in a turn of the reactor: the other clones look at the queue as well.
            self.accept(min(1, self.room))
            self._acceptIfRoom()

    def doWrite(self) -> None:
        """
        Do nothing: this is an event for the former owner of the descriptor.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Watch on, if the socket still listens: this is an event for the former owner of
        the descriptor.
        """
        if self._free and self._queue is not None and listens(self._queue):
            self._acceptIfRoom()

    def stop(self) -> None:
        """
        Accept nothing more. Connections go on.
        """
        self.acceptFreely(False)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._serving:
            self._serving = False
            self.factory.doStop()

    def close(self) -> None:
        """
        Close the socket. It goes on listening in the other processes. It may be closed
        already.
        """
        self.stop()
        if self._queue is not None:
            self._queue.close()
        self.sock.close()


def _all(_peer: object) -> bool:
    return True


def sameAddress(sock: socket.socket) -> socket.socket:
    """
    Listen where another socket is bound, with a queue of its own. Both have C{SO_REUSEPORT}.

    @return: a socket that does not block.
    @raise OSError: that can't be done; this process may lack the right to use a low port.
    """
    own = socket.socket(sock.family, socket.SOCK_STREAM)
    try:
        reusePort(own)
        own.bind(sock.getsockname())
        own.listen(BACKLOG)
        own.setblocking(False)
    except OSError:
        own.close()
        raise
    return own


def reusePort(sock: socket.socket) -> None:
    """
    Let other sockets have the address that a TCP socket is bound to next.

    @raise OSError: the system can't do that.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def queueLength(sock: socket.socket) -> int:
    """
    Count the connections that wait on a listening TCP socket.

    @raise OSError: the system does not tell.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
    number: int = _QUEUED.unpack_from(info, _QUEUED_AT)[0]
    return number


def countsQueue(sock: socket.socket) -> bool:
    """
    Tell whether the system counts the connections that wait on a listening TCP socket.
    """
    try:
        queueLength(sock)
    except (OSError, AttributeError, struct.error):
        return False
    return True


def _nothing() -> None:
    pass
