"""
The prefaces of the clients of one service.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from txlb.deadlines import Deadlines
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._clientcounts import ClientCounts
from txlb.proxy._destination import Destination
from txlb.proxy._firstlook import FIRST, FirstLook, Place
from txlb.proxy._prefacereader import PrefaceReader
from txlb.wire import Done, Reject

#: If one client has sent nothing yet, so many others are not asked before there is an event. A
#: client that has to make a ClientHello sends it some time after it has connected.
UNASKED = 7


class Entry(Place, Protocol):
    """
    What the frontend needs of the place where a connection has come in, if the connection
    has a preface.

    @ivar isShared: whether several services share the place. Then connections in their
        preface count for no service yet.
    """

    isShared: bool

    def isProxy(self, client: ClientConnection) -> bool:
        """
        Tell whether a connection comes from a proxy that is trusted to tell its client.
        """

    def route(self, client: ClientConnection) -> Destination | Reject:
        """
        Decide where it goes once the preface is read.
        """
        ...


class Prefaces:
    """
    The prefaces of the clients of one service that are being read. It bounds how many of them one
    client has. Owned by the service's frontend.

    A proxy in front is not bounded, as its connections are those of many clients. Each counts for
    its client as soon as the header has told that.

    @ivar reactor: watches the clients that have not sent all; the loop of the fast relay, if the
        service has that, as it takes less for an event.
    """

    def __init__(self, reactor: Any, deadlines: Deadlines) -> None:
        self.reactor = reactor
        self._deadlines = deadlines
        self._readers: dict[PrefaceReader, tuple[Entry, bytes | None]] = {}
        self._perClient = ClientCounts()
        # Clients that are not asked yet.
        self._unasked = 0

    def __len__(self) -> int:
        """
        Count the prefaces that are being read.
        """
        return len(self._readers)

    def whyFull(self, client: ClientConnection, address: object) -> str | None:
        """
        Tell whether one more preface of a client is read.

        @param address: the address of the client, which a proxy may have told.
        @return: the reason if it is not.
        """
        most = client.listener.maxPrefacesPerClient
        if len(self._readers) < most:
            # All clients together have no more than each of them may have.
            return None
        there = self._perClient.of(address)
        if there < most:
            return None
        return f"{there} connections of this client are in their preface (maxPrefacesPerClient)"

    def read(
        self, client: ClientConnection, entry: Entry, verdict: Callable[[Done | Reject], object]
    ) -> Done | Reject | None:
        """
        Read the preface of a connection.

        @param verdict: is called with the verdict, later.
        @return: the verdict, if it is known at once; then C{verdict} is not called.
        """
        fd = client.fd
        os.set_blocking(fd, False)
        data = b""
        if self._unasked:
            self._unasked -= 1
        else:
            try:
                data = os.read(fd, FIRST)
            except OSError:
                # There is nothing yet, or the reader finds what is wrong.
                self._unasked = UNASKED
        if data:
            # All of it may be there by now, and nothing is made, watched or counted.
            found = entry.glance(data)
            if found is not None:
                return found
        address = None if entry.isProxy(client) else client.peer
        reason = self.whyFull(client, address)
        if reason is not None:
            return Reject(reason)
        reader = PrefaceReader(fd, entry.preface(client) if data else FirstLook(entry, client))
        answer = reader.take(data) if data else None
        if answer is not None:
            return answer
        if reader.clientAddr is not None:
            address = reader.clientAddr
            reason = self.whyFull(client, address)
            if reason is not None:
                return Reject(reason)
        self._wait(client, entry, address, reader, verdict)
        return None

    def _wait(
        self,
        client: ClientConnection,
        entry: Entry,
        address: object,
        reader: PrefaceReader,
        verdict: Callable[[Done | Reject], object],
    ) -> None:
        """
        Wait for more of a preface.
        """

        def told(address: object) -> Reject | None:
            reason = self.whyFull(client, address)
            if reason is not None:
                return Reject(reason)
            self._readers[reader] = entry, self._perClient.add(address)
            return None

        def decided(answer: Done | Reject) -> None:
            _, key = self._readers.pop(reader)
            self._perClient.remove(key)
            verdict(answer)

        self._readers[reader] = entry, self._perClient.add(address)
        reader.wait(self.reactor, self._deadlines, decided, told)

    def stop(self, *, shared: bool) -> None:
        """
        Reject the clients whose prefaces are being read.

        @param shared: whether also those at places that several services share.
        """
        for reader, (entry, _) in tuple(self._readers.items()):
            if shared or not entry.isShared:
                reader.stop()
