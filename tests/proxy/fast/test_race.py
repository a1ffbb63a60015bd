"""
A host with several addresses, and a loop that the test turns by hand. What holds for
both relays is in the contract.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fast.stage import HandTurned, elsewhere, readSome, reset
from txlb.connecting import NO_PORTS, STAGGER
from txlb.model import ProxyHost, TCPAddress
from txlb.pool import DialLimits, Failure, FailureKind, GaveUpReason, Host, Outcome
from txlb.proxy import ConnectionTable
from txlb.proxy.fast._targets import Target

#: What connecting to a place that takes no ports more says.
NO_PORT = (errno.EADDRNOTAVAIL, "Cannot assign requested address")


class RaceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = HandTurned(limits=DialLimits(connectTimeout=5.0, dialTimeout=10.0))
        self.addCleanup(self.stage.close)

    def place(self, backlog: int | None = 16) -> socket.socket:
        """
        @param backlog: 0 for a place that does not answer; L{None} for one that refuses.
        @return: a place where a host may be.
        """
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        if backlog is not None:
            sock.listen(backlog)
        if backlog == 0:
            for _ in range(2):
                filler = socket.socket()
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(sock.getsockname())
        return sock

    def host(self, *places: socket.socket) -> Host:
        """
        Add a host with these addresses.
        """
        self.stage.pool.addHost(ProxyHost("host", "host.example", 80))
        addresses = [TCPAddress(*place.getsockname()) for place in places]
        self.stage.pool.setAddresses("host", addresses)
        return self.stage.pool.getHost("host")

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        for _ in range(round(seconds / 0.02)):
            self.stage.reactor.advance(0.02)
            self.stage.turn()

    def end(self, client: socket.socket, place: socket.socket) -> None:
        """
        The connection that came to a place is used, and ended in good order.
        """
        self.stage.turn(3)
        server, _ = place.accept()
        with server:
            server.sendall(b"hello")
            self.stage.turn(3)
            self.assertEqual(readSome(client, 10), b"hello")
        client.close()
        self.stage.turn(5)
        result = self.stage.results[-1]
        assert result.lease is not None
        self.assertIs(result.lease.outcome, Outcome.DONE)
        self.assertEqual((self.stage.pool.active, self.stage.relay.connectionCount()), (0, 0))
        self.assertEqual(len(self.stage.deadlines), self.wheels())

    def wheels(self) -> int:
        """
        @return: how many deadlines wait that are nobody's in particular.
        """
        return int(self.stage.loop.wheel._next is not None)


class FastRaceTests(RaceCase):
    def test_oneAddress(self) -> None:
        """
        A host with one address has no race, near or far.
        """
        place = self.place()
        self.host(place)
        with mock.patch("txlb.proxy.fast._search.AddressRace", side_effect=AssertionError):
            for far in (False, True):
                client, fd = self.stage.client()
                with elsewhere() if far else contextlib.nullcontext():
                    self.stage.begin(fd)
                self.end(client, place)

    def test_nearFirst(self) -> None:
        """
        Nor has one that is near and answers at the first address.
        """
        place = self.place()
        self.host(place, self.place())
        with mock.patch("txlb.proxy.fast._search.AddressRace", side_effect=AssertionError):
            client, fd = self.stage.client()
            self.stage.begin(fd)
        self.end(client, place)

    def test_refusedLater(self) -> None:
        """
        The next address is tried when the loop tells of a refusal, without waiting.
        """
        good = self.place()
        host = self.host(self.place(None), good)
        client, fd = self.stage.client()
        with elsewhere():
            self.stage.begin(fd)
            self.stage.turn(3)
        self.end(client, good)
        self.assertEqual(host.address, host.addresses[1])

    def test_resetAtOnce(self) -> None:
        """
        A host that answers and resets before the loop tells of it was reached: the
        client gets what it said.
        """
        good = self.place()
        host = self.host(self.place(None), good)
        client, fd = self.stage.client()
        with elsewhere():
            self.stage.begin(fd)
            # The refusal, and no more.
            self.stage.loop.turn(0.0, 1)
            server, _ = good.accept()
            server.sendall(b"go away")
            reset(server)
            self.stage.turn(3)
        self.assertEqual(readSome(client, 10), b"go away")
        self.wait(1)
        result = self.stage.results[-1]
        assert result.lease is not None
        self.assertIs(result.lease.outcome, Outcome.HOST_RESET)
        self.assertEqual((host.counters.failures, host.address), (0, host.addresses[1]))

    def test_origins(self) -> None:
        """
        Each connection of a race is known by whose it is, those that are begun before
        somebody asks and those after; the one that wins stays known, the others not.
        """
        silent, good = self.place(0), self.place()
        self.host(silent, good)
        table = self.stage.relay.table
        assert isinstance(table, ConnectionTable)
        client, fd = self.stage.client()
        self.stage.begin(fd)
        self.assertEqual(len(table), 0)
        table.tracking = True
        self.stage.relay.trackConnections()
        self.stage.relay.trackConnections()
        self.assertEqual(len(table), 1)
        self.stage.reactor.advance(STAGGER)
        self.assertEqual(len(table), 2)
        self.stage.turn(3)
        self.assertEqual(len(table), 1)
        server, (_, port) = good.accept()
        server.close()
        self.assertEqual(table.clientOf("127.0.0.1", port), ("127.0.0.1", 1))
        client.close()
        self.stage.turn(5)
        self.assertEqual(len(table), 0)

    def test_originOfTheFirst(self) -> None:
        """
        So is the first that was noted before there was a race, and what is aborted.
        """
        self.host(self.place(0), self.place(0))
        table = self.stage.relay.table
        table.tracking = True
        _, fd = self.stage.client()
        self.stage.begin(fd)
        self.assertEqual(len(table), 1)
        self.wait(2 * STAGGER)
        self.assertEqual(len(table), 2)
        self.stage.relay.abortAll()
        self.assertEqual(len(table), 0)

    def test_leaveHost(self) -> None:
        """
        A host that is taken out during a race is left for the next one.
        """
        host = self.host(self.place(0), self.place(0))
        _, fd = self.stage.client()
        self.stage.begin(fd)
        self.wait(2 * STAGGER)
        other = self.place()
        before = self.stage.ownSockets()
        self.stage.pool.addHost(ProxyHost("other", *other.getsockname()))
        self.stage.relay.leaveHost(host, Outcome.HOST_DOWN)
        self.assertEqual(self.stage.results, [])
        self.stage.relay.leaveHost(host, Outcome.DRAIN_TIMEOUT)
        self.stage.turn(3)
        server, _ = other.accept()
        server.close()
        self.stage.turn(3)
        self.assertEqual(host.counters.failures, 0)
        self.assertLess(self.stage.ownSockets(), before)
        self.stage.relay.abortAll()

    def test_broken(self) -> None:
        """
        What breaks during a race ends that client, and no other.
        """
        self.host(self.place(None), self.place())
        client, fd = self.stage.client()
        with (
            elsewhere(),
            mock.patch("txlb.proxy.fast._targets.Targets.failed", side_effect=RuntimeError("odd")),
        ):
            self.stage.begin(fd)
            self.stage.turn(3)
        self.assertEqual(readSome(client, 1), b"")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((self.stage.pool.active, self.stage.relay.connectionCount()), (0, 0))

    def test_noPorts(self) -> None:
        """
        Want of ports towards one address is no fault of the others; if there is none
        towards any, the client is closed and the host stays in.
        """
        good = self.place()
        host = self.host(self.place(), good)
        connect, bad = Target.connect, {host.addresses[0]}

        def withoutPorts(target: Target) -> object:
            if target.address in bad:
                raise OSError(*NO_PORT)
            return connect(target)

        with mock.patch.object(Target, "connect", withoutPorts):
            client, fd = self.stage.client()
            self.stage.begin(fd)
            self.end(client, good)
            bad.add(host.addresses[1])
            _, fd = self.stage.client()
            self.stage.begin(fd)
        gaveUp = self.stage.results[-1].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertEqual(
            (gaveUp.reason, gaveUp.failure.kind), (GaveUpReason.LOCAL, FailureKind.PORTS)
        )
        self.assertIn(NO_PORTS.detail, gaveUp.failure.detail)
        self.assertEqual(host.counters.failures, 0)

    def test_noDescriptors(self) -> None:
        """
        Without descriptors no other address is tried.
        """
        host = self.host(self.place(), self.place())
        _, fd = self.stage.client()
        with mock.patch.object(
            Target, "connect", side_effect=OSError(errno.EMFILE, "none")
        ) as tried:
            self.stage.begin(fd)
        gaveUp = self.stage.results[-1].gaveUp
        assert gaveUp is not None
        self.assertIs(gaveUp.reason, GaveUpReason.LOCAL)
        self.assertEqual((tried.call_count, host.counters.failures), (1, 0))

    def test_connectedToItself(self) -> None:
        """
        A socket that is connected to itself is no answer, whichever address it is.
        """
        good = self.place()
        self.host(self.place(), self.place(), good)
        told = iter([True, True, False])
        with (
            mock.patch("txlb.proxy.fast._search.isSelfConnected", lambda _: next(told)),
            mock.patch("txlb.proxy.fast._race.isSelfConnected", lambda _: next(told)),
            mock.patch("txlb.proxy.fast._targets.FIRST_EPHEMERAL", 1),
        ):
            client, fd = self.stage.client()
            self.stage.begin(fd)
            self.stage.turn(5)
        self.end(client, good)

    def test_failsAtOnce(self) -> None:
        """
        An address that fails within the call is followed by the next.
        """
        good = self.place()
        host = self.host(self.place(), self.place(), good)
        connect = Target.connect

        def unreachable(target: Target) -> object:
            sock, number = connect(target)
            return sock, number if target.address == host.addresses[2] else errno.ENETUNREACH

        with mock.patch.object(Target, "connect", unreachable):
            client, fd = self.stage.client()
            self.stage.begin(fd)
            self.stage.turn(2)
        self.end(client, good)

    def test_idleAfterwards(self) -> None:
        """
        A connection that a race has brought about has its idle timeout, be it that the
        first address failed before there was any deadline.
        """
        self.stage.relay.timeouts = type(self.stage.relay.timeouts)(idle=1.0)
        good = self.place()
        host = self.host(self.place(None), good)
        for _ in range(2):
            client, fd = self.stage.client()
            self.stage.begin(fd)
            self.stage.turn(3)
            server, _ = good.accept()
            self.addCleanup(server.close)
            self.wait(1.5)
            result = self.stage.results[-1]
            assert result.lease is not None
            self.assertIs(result.lease.outcome, Outcome.IDLE_TIMEOUT)
            client.close()
            host.address = host.addresses[0]

    def test_deadline(self) -> None:
        """
        The wheel keeps no shorter time than the race.
        """
        self.host(self.place(0), self.place(0))
        _, fd = self.stage.client()
        self.stage.begin(fd)
        self.wait(5.1)
        self.assertEqual(self.stage.results, [])
        self.wait(0.4)
        gaveUp = self.stage.results[-1].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertEqual(gaveUp.failure.kind, Failure(FailureKind.TIMEOUT).kind)
        self.assertEqual(gaveUp.failure.detail.count("no answer in time"), 2)
