"""
Tests for L{LoadBalancedService.getClientAddress}.
"""

from __future__ import annotations

import socket

from tests.application.balancers import ServiceCase
from txlb.application.service import _hostAndPort
from txlb.errors import UnknownConnection


class GetClientAddressTests(ServiceCase):
    def host(self) -> socket.socket:
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        listener.settimeout(10)
        return listener

    def test_known(self) -> None:
        """
        It is the client's address, from before the host is connected until the
        connection is over.
        """
        listener = self.host()
        lbs = self.balancer(hosts=(f"127.0.0.1:{listener.getsockname()[1]}",), relay="fast")
        self.start()
        self.assertRaises(UnknownConnection, lbs.getClientAddress, "127.0.0.1", 1)
        client = self.come()
        self.reactor.readable()
        server, _ = listener.accept()
        self.addCleanup(server.close)
        seen = server.getpeername()
        self.assertEqual(lbs.getClientAddress(*seen), client.getsockname())
        self.assertEqual(lbs.getClientAddress(*seen, *server.getsockname()), client.getsockname())
        lbs.stopService()
        self.assertEqual(lbs.getClientAddress(*seen), client.getsockname())
        lbs.abortConnections()
        self.assertRaises(UnknownConnection, lbs.getClientAddress, *seen)

    def test_twoRuns(self) -> None:
        """
        While one run is stopping and another has begun, both are asked.
        """
        listener = self.host()
        lbs = self.balancer(hosts=(f"127.0.0.1:{listener.getsockname()[1]}",), relay="fast")
        self.start()
        client = self.come()
        self.reactor.readable()
        server, _ = listener.accept()
        self.addCleanup(server.close)
        lbs.stopService()
        self.start()
        self.assertEqual(lbs.getClientAddress(*server.getpeername()), client.getsockname())
        self.assertRaises(UnknownConnection, lbs.getClientAddress, "127.0.0.1", 1)
        lbs.abortConnections()

    def test_notRunning(self) -> None:
        """
        A balancer that does not run knows none.
        """
        error = self.assertRaises(
            UnknownConnection, self.balancer().getClientAddress, "127.0.0.1", 1
        )
        self.assertIn("does not run", str(error))

    def test_otherAddresses(self) -> None:
        """
        A preface may know a client by something else than a pair.
        """
        self.assertEqual(_hostAndPort("unix:/x"), ("unix:/x", 0))
