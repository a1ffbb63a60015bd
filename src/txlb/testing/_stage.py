"""
The stage for tests of relays: a pool, hosts and clients that a test plays, and a relay
between them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any

from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.model import Listener, ProxyHost
from txlb.pool import Attempt, DialLimits, HostPool, Outcome
from txlb.proxy import ClientConnection, Relayed, Timeouts
from txlb.proxy._sockets import setStreamOptions
from txlb.schedulers import roundr
from txlb.testing._streams import FarHost, Stream, until


class RelayStage:
    """
    The stage of L{txlb.testing.RelayContract}; mixed into a trial test case.
    """

    def makeRelay(
        self, reactor: Any, deadlines: Deadlines, timeouts: Timeouts, ended: Any
    ) -> IRelay:
        """
        Make the relay under test.

        @param ended: the relay calls it with each L{Relayed}.
        """
        raise NotImplementedError("implement makeRelay")

    def setUp(self: Any) -> None:
        """
        Make a pool without hosts, and a relay.
        """
        # Picked up now, because trial chooses it.
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor = reactor
        self.results: list[Relayed] = []
        self.fillers: list[socket.socket] = []
        self.deadlines = Deadlines(reactor, time.monotonic)
        self.addCleanup(self.deadlines.stop)
        self.pool = HostPool(roundr)
        self.relay = self.relayWith(Timeouts())
        self.limits = DialLimits(connectTimeout=10.0, dialTimeout=20.0)

    def relayWith(self: Any, timeouts: Timeouts) -> IRelay:
        """
        Make a relay with other timeouts.
        """
        relay: IRelay = self.makeRelay(self.reactor, self.deadlines, timeouts, self.results.append)
        return relay

    def place(self: Any, **settings: Any) -> FarHost:
        """
        Make the far end of a host, which the pool does not know yet.

        @param settings: those of L{FarHost}.
        """
        return FarHost(self.reactor, **settings)

    def host(self: Any, name: str = "host", **settings: Any) -> FarHost:
        """
        Add a host that the test plays.
        """
        host: FarHost = self.place(**settings)
        self.addCleanup(host.close)
        self.pool.addHost(host.configured(name))
        return host

    def silentHost(self: Any, name: str) -> None:
        """
        Add a host whose backlog is full, so that connecting gets no answer.
        """
        self.pool.addHost(self.silent().configured(name))

    def namedHost(self: Any, name: str, *places: FarHost) -> None:
        """
        Add a host whose name has several addresses.
        """
        self.pool.addHost(ProxyHost(name, "host.example", 80))
        self.pool.setAddresses(name, [place.configured(name).address for place in places])

    def refusing(self: Any) -> FarHost:
        """
        Return an address that refuses connections, and that no host of this test gets.
        """
        place: FarHost = self.place()
        place.refuse()
        self.addCleanup(place.close)
        return place

    def silent(self: Any) -> FarHost:
        """
        Return an address whose backlog is full, so that connecting gets no answer.
        C{fillers} has the connections that fill it.
        """
        host: FarHost = self.place(backlog=0)
        self.addCleanup(host.close)
        fillers = [socket.socket() for _ in range(2)]
        self.fillers += fillers
        for filler in fillers:
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(host.where)
        return host

    def client(self: Any) -> tuple[Stream, int]:
        """
        Connect a client.

        @return: the client, and the descriptor of the balancer's end.
        """
        with socket.socket() as listener:
            # As a listener of the balancer sets them, so that the accepted socket
            # inherits them.
            setStreamOptions(listener)
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
        far.setblocking(False)
        stream = Stream(self.reactor, near)
        self.addCleanup(stream.close)
        return stream, far.detach()

    def begin(self: Any, clientFd: int, **first: bytes) -> None:
        """
        Pass a client to the relay.
        """
        step = self.pool.dial(("127.0.0.1", 1), self.limits).start()
        assert isinstance(step, Attempt)  # noqa: S101 - the test has added a host
        self.relay.start(self.accepted(clientFd), step, **first)

    def accepted(self: Any, clientFd: int) -> ClientConnection:
        """
        @return: the connection of a client as a listener makes it.
        """
        return ClientConnection(clientFd, ("127.0.0.1", 1), Listener("127.0.0.1:80"))

    async def connected(self: Any, host: FarHost, **first: bytes) -> tuple[Stream, Stream]:
        """
        Connect a client and a host through the relay.

        @return: their far ends.
        """
        client, fd = self.client()
        self.begin(fd, **first)
        server = await host.accept()
        self.addCleanup(server.close)
        return client, server

    async def over(self: Any, outcome: Outcome, count: int = 1) -> Relayed:
        """
        Wait for the end of a connection; its outcome must be the expected one, and no
        object may be left.
        """
        await until(self.reactor, lambda: len(self.results) >= count, "the end of the connection")
        self.assertEqual(len(self.results), count)
        result: Relayed = self.results[-1]
        lease = result.lease
        self.assertTrue(lease is not None, "no host was reached")
        if lease is not None:
            self.assertEqual(lease.outcome, outcome)
        self.assertEqual(self.pool.active, 0)
        self.assertEqual(self.relay.connectionCount(), 0)
        return result


def openSockets() -> int:
    """
    Return the number of open sockets of this process. Pipes don't count: the reactor
    opens some of its own when it first runs.
    """
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # what listed them is closed by now
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return count
