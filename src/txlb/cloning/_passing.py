"""
Connections that the manager accepts and passes to clones.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from txlb.cloning._listener import SharedListener
from txlb.cloning._record import Account, Record
from txlb.connecting import hostOf
from txlb.pool import Lease
from txlb.wire import MAX_FIRST, Passed

#: Connections that a clone has been passed and has not confirmed, at most. More wait in the
#: accept queue.
MOST_UNREAD = 64


#: Connections that a balancer has accepted and that wait for a clone, at most.
MOST_WAITING = 1024


@dataclass(slots=True)
class PassedClient:
    """
    A connection that the manager has accepted.

    @ivar fd: its descriptor.
    @ivar peer: the client's address, as C{accept} gives it.
    @ivar address: the client's address, as the pool's policies want it.
    @ivar client: the address that a proxy has told of it; L{None} for none.
    @ivar server: the address that it has connected to, likewise.
    @ivar first: what was read of the connection.
    @ivar relay: takes the connection with a lease on a host that is no clone; L{None} if the
        manager does.
    """

    fd: int
    peer: Any
    address: object
    client: tuple[str, int] | None = None
    server: tuple[str, int] | None = None
    first: bytes = b""
    relay: Callable[[Lease], object] | None = None


class Passing:
    """
    Accepts the connections of one listening socket, and passes them to clones with
    C{SCM_RIGHTS} (unix(7)). A L{Granter} owns it.

    The manager keeps a copy of the descriptor until the clone confirms it. Beside it the
    clone and the manager share a semaphore (eventfd(2) with C{EFD_SEMAPHORE}), which counts
    the descriptors that the clone has not taken. The clone takes one of the count before it
    serves a connection. If the clone hangs or dies, the manager takes the rest of the count:
    each of these connections is the manager's again, and another clone gets it. So exactly
    one process serves a connection, at any moment at which a clone stops.

    @param number: the listener's number in messages.
    @param listener: the socket.
    @param admits: tells which clients are admitted, by their addresses as C{accept} gives
        them.
    @ivar isFed: whether a balancer accepts the connections and gives them here by L{add}, as it
        reads what clients send first.
    """

    def __init__(
        self,
        number: int,
        listener: SharedListener,
        admits: Callable[[Any], bool],
    ) -> None:
        self.isFed = listener.isPassed
        self._number = number
        self._listener = listener
        self._admits = admits
        self._back: deque[PassedClient] = deque()

    @property
    def waits(self) -> int:
        """
        The connections that have come back from a clone and have no other one yet.
        """
        return len(self._back)

    # The clones

    def give(self, account: Account) -> None:
        """
        Give a clone the semaphore for its connections.
        """
        account.token = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def isBehind(self, account: Account) -> bool:
        """
        Tell whether a clone has so many descriptors unread that it gets no more for now.
        """
        return not account.late and account.sent - account.used >= MOST_UNREAD

    def send(self, record: Record, client: PassedClient) -> bool:
        """
        Pass a connection to a clone.

        @return: whether the clone will get it. If not, it is still the manager's.
        """
        account = record.accounts[self._number]
        os.eventfd_write(account.token, 1)
        message = Passed(self._number, client.client, client.server, client.first)
        if record.link.send(message, (client.fd,)):
            account.passed.append(client)
            return True
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(account.token)
        return False

    def confirmed(self, account: Account, count: int) -> None:
        """
        Let go of connections that a clone serves.
        """
        for _ in range(min(count, len(account.passed))):
            client = account.passed.popleft()
            if client.fd >= 0:
                os.close(client.fd)

    def takeBack(self, account: Account) -> int:
        """
        Take back what a clone has not taken yet.

        @return: how many connections that are.
        """
        count = 0
        if account.token < 0:
            return count
        with contextlib.suppress(BlockingIOError):
            while True:
                os.eventfd_read(account.token)
                count += 1
        for _ in range(min(count, len(account.passed))):
            self._back.appendleft(account.passed.pop())
        return count

    def couldNotRead(self, account: Account, place: int) -> None:
        """
        Take back a connection whose descriptor a clone could not receive.

        @param place: how many of those that the clone has not confirmed come before it.
        """
        if place < len(account.passed):
            client = account.passed[place]
            # The clone confirms this one, too.
            account.passed[place] = PassedClient(-1, None, None)
            self._back.append(client)

    def letGo(self, account: Account) -> None:
        """
        Let go of the connections of a clone. Those that it has not taken yet stay its.
        """
        self.confirmed(account, len(account.passed))
        if account.token >= 0:
            os.close(account.token)
            account.token = -1

    def forget(self, account: Account) -> None:
        """
        Let go of what a clone has, which is gone.
        """
        self.takeBack(account)
        self.letGo(account)

    # The clients

    def next(self) -> PassedClient | None:
        """
        Get the next connection: one that came back, or one from the accept queue.

        @return: L{None} if there is none, or the process has no descriptors.
        """
        while not self._back:
            found = None if self.isFed else self._listener.take()
            if found is None:
                return None
            sock, peer = found
            if self._admits(peer):
                return PassedClient(sock.detach(), peer, self._addressOf(peer))
            sock.close()
        return self._back.popleft()

    def add(self, client: PassedClient) -> bool:
        """
        Take a connection that a balancer has accepted and admitted.

        @return: whether there is room, also for the bytes that were read. If not, it is still the
            balancer's.
        """
        if len(self._back) >= MOST_WAITING or len(client.first) > MAX_FIRST:
            return False
        self._back.append(client)
        return True

    def takeAll(self) -> list[PassedClient]:
        """
        Give up the connections for which there is no clone yet.
        """
        clients = list(self._back)
        self._back.clear()
        return clients

    def putBack(self, client: PassedClient) -> None:
        """
        Keep a connection for which there is no clone now.
        """
        self._back.appendleft(client)

    def _addressOf(self, peer: Any) -> object:
        if not isinstance(peer, tuple):
            return f"unix:{self._listener.address}", 0
        return hostOf(peer), peer[1]

    def close(self) -> None:
        """
        Accept nothing more. What clones have not taken yet stays theirs.
        """
        for client in self._back:
            with contextlib.suppress(OSError):
                socket.socket(fileno=client.fd).close()
        self._back.clear()
