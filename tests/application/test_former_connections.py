"""
Connections that began before the services were changed: under another relay, of a
service that was removed since, or in a run that is being stopped. What is done to a
host is done to these as well (haproxy 2918).
"""

from __future__ import annotations

import socket
from dataclasses import replace

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.application.balancers import ServiceCase
from tests.application.test_relays import balancerOf
from txlb.model import ProxyGroup, ProxyService, TCPAddress
from txlb.pool import Outcome
from txlb.testing import FarHost
from txlb.testing._streams import until

#: Each relay, and the one that takes its place.
TURNS = (("portable", "fast"), ("fast", "portable"))


class FormerTests(TestCase):
    """
    Under trial's reactor, with both relays.
    """

    async def begin(self, relay: str) -> None:
        """
        A balancer with one connection, which has this relay.
        """
        self.host = FarHost(reactor)
        self.addCleanup(self.host.close)
        self.balancer = balancerOf(reactor, {"web": relay}, (self.host.configured("host"),))
        self.manager = self.balancer.manager
        self.balancer.startService()
        self.addCleanup(self.balancer.stopService)
        self.client, self.server = await self.connected()

    async def connected(self) -> tuple[socket.socket, socket.socket]:
        """
        @return: the far ends of a connection.
        """
        address = self.balancer.getProxyService("web").addresses[0]
        assert isinstance(address, TCPAddress)
        client = socket.create_connection((address.host, address.port))
        self.addCleanup(client.close)
        client.sendall(b"?")
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        # Now the relay knows that it is connected.
        await stream.expect(b"?")
        return client, stream.sock

    def changeRelay(self, relay: str) -> None:
        service = self.manager.getService("web")
        self.balancer.apply([replace(service, relay=relay)])

    def removeService(self) -> None:
        group = ProxyGroup("g", enabled=True)
        self.balancer.apply([ProxyService("other", ["127.0.0.1:0"], [group])])

    async def assertReset(self, sock: socket.socket) -> None:
        """
        The socket is reset within the patience of L{until}.
        """
        sock.setblocking(False)
        errors: list[Exception] = []

        def isReset() -> bool:
            try:
                self.assertEqual(sock.recv(1), None)
            except BlockingIOError:
                return False
            except ConnectionResetError as error:
                errors.append(error)
            return True

        await until(reactor, isReset, "a reset")
        self.assertEqual(len(errors), 1)

    async def test_removed(self) -> None:
        for before, after in TURNS:
            await self.begin(before)
            self.changeRelay(after)
            self.manager.delHost("web", "main", "host", force=True)
            await self.assertReset(self.client)
            await self.assertReset(self.server)

    async def test_drained(self) -> None:
        for before, after in TURNS:
            await self.begin(before)
            self.changeRelay(after)
            self.manager.drain("web", "main", "host", deadline=0.02)
            await self.assertReset(self.client)

    async def test_down(self) -> None:
        for before, after in TURNS:
            await self.begin(before)
            service = self.manager.getService("web")
            group = replace(service.groups[0], whenDown="close")
            self.balancer.apply([replace(service, relay=after, groups=(group,))])
            # The next client finds that the host is gone.
            self.host.close()
            address = self.balancer.getProxyService("web").addresses[0]
            assert isinstance(address, TCPAddress)
            with socket.create_connection((address.host, address.port)):
                await self.assertReset(self.client)

    async def test_clientAddress(self) -> None:
        """
        It is asked for the first time when the connection has a former relay; and
        once more when its service is no longer there.
        """
        for before, after in TURNS:
            await self.begin(before)
            self.changeRelay(after)
            seen = self.server.getpeername()
            self.assertEqual(self.balancer.getClientAddress(*seen), self.client.getsockname())
            await self.begin(before)
            self.removeService()
            seen = self.server.getpeername()
            self.assertEqual(self.balancer.getClientAddress(*seen), self.client.getsockname())

    async def test_removedService(self) -> None:
        """
        A host of a service that is gone has its deadline still.
        """
        for relay, _ in TURNS:
            await self.begin(relay)
            self.manager.delHost("web", "main", "host", deadline=0.02)
            self.removeService()
            await self.assertReset(self.client)

    async def test_timeouts(self) -> None:
        """
        The timeouts of a service are those of all its connections.
        """
        for before, after in TURNS:
            await self.begin(before)
            self.changeRelay(after)
            service = self.manager.getService("web")
            self.balancer.apply([replace(service, idleTimeout=17.0)])
            frontend = self.balancer.engine.frontendOf("web")
            assert frontend is not None
            self.assertEqual(
                {name: relay.timeouts.idle for name, relay in frontend.relays.byName.items()},
                {before: 17.0, after: 17.0},
            )


class RunsTests(ServiceCase):
    """
    Runs of a balancer that was stopped and started within its grace.
    """

    def test_cut(self) -> None:
        """
        A host that is removed leaves the connections of every run, and the end of an
        earlier run doesn't keep this one from hearing of it.
        """
        self.balancer()
        relays, frontends = [], []
        for _ in range(3):
            self.start()
            relays.append(self.relay())
            self.come()
            frontends.append(self.frontend)
            self.lbs.stopService()
        self.start()
        relays.append(self.relay())
        self.lbs.abortConnections()
        self.assertEqual([relay.aborted for relay in relays], [1] * 4)
        self.frontend = frontends[0]
        self.endConnection(relays[0])
        host = self.manager.getPool("web").getHost("h0")
        self.manager.delHost("web", "main", "h0", force=True)
        self.reactor.advance(0)
        left = [(host, Outcome.REMOVED)]
        self.assertEqual([relay.left for relay in relays], [[], left, left, left])
        for number in (1, 2):
            self.frontend = frontends[number]
            self.endConnection(relays[number])
        self.assertIsNotNone(self.manager.onCut)
        self.end()
        self.assertIsNone(self.manager.onCut)
