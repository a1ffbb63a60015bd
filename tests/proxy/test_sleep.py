"""
The portable relay and prefaces in a process that sleeps; see
L{tests.proxy.fast.test_sleep}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import error as neterror
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure as TwistedFailure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.proxy.fakes import accepted
from tests.proxy.test_connect import Connected
from tests.sleeping import SleepingClock
from txlb.connecting import ConnectFailed, endpointOf
from txlb.deadlines import CATCH_UP, Deadlines
from txlb.interfaces import IPreface
from txlb.model import ProxyHost
from txlb.pool import (
    Attempt,
    DialLimits,
    FailureKind,
    GaveUpReason,
    HostPool,
    Lease,
    Outcome,
)
from txlb.proxy import PortableRelay, PrefaceReader, Relayed, Timeouts, connectTo
from txlb.proxy._pair import Pair
from txlb.testing import FlowTransport
from txlb.wire import Done, NeedMore, Reject

#: Seconds that the process sleeps: longer than any timeout of these tests.
SLEEP = 60.0


class PairTests(SynchronousTestCase):
    """
    A pair that is silent.
    """

    def begin(self, timeouts: Timeouts) -> None:
        self.clock = SleepingClock()
        self.outcomes: list[Outcome] = []
        pool = HostPool(hosts=[ProxyHost("host", "192.0.2.1", 80)], seconds=self.clock.seconds)
        lease: Lease = pool.acquire()
        pair = Pair(Deadlines(self.clock, self.clock.seconds), timeouts, self.outcomes.append)
        self.host = FlowTransport(pair.host)
        pair.claim(lease)
        self.client = FlowTransport(pair.client)
        pair.begin(b"", b"")

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))

    def test_idle(self) -> None:
        """
        What is read in the turns after a sleep counts before the deadline that passed
        in it.
        """
        self.begin(Timeouts(idle=10))
        self.clock.sleep(SLEEP)
        self.client.send(b"question")
        self.clock.decide()
        self.assertEqual((self.host.take(), self.outcomes), (b"question", []))
        self.wait(9.5)
        self.assertEqual(self.outcomes, [])
        self.wait(1)
        self.assertEqual(self.outcomes, [Outcome.IDLE_TIMEOUT])

    def test_stillIdle(self) -> None:
        """
        Where nothing comes it ends once it has been silent for long enough without the
        sleep.
        """
        self.begin(Timeouts(idle=10))
        self.wait(5)
        self.clock.sleep(SLEEP)
        self.clock.decide()
        self.wait(3)
        self.assertEqual(self.outcomes, [])
        self.wait(2 + CATCH_UP + 1)
        self.assertEqual(self.outcomes, [Outcome.IDLE_TIMEOUT])

    def test_halfClosed(self) -> None:
        """
        The same where one side has finished.
        """
        self.begin(Timeouts(fin=10))
        self.client.finish()
        self.clock.sleep(SLEEP)
        self.host.send(b"answer")
        self.clock.decide()
        self.assertEqual((self.client.take(), self.outcomes), (b"answer", []))


class SleepingReactor(MemoryReactor, SleepingClock):
    """
    A reactor that connects nobody by itself.
    """

    def __init__(self) -> None:
        MemoryReactor.__init__(self)
        SleepingClock.__init__(self)


class ConnectTests(SynchronousTestCase):
    """
    A host that is being connected to.
    """

    def setUp(self) -> None:
        self.reactor: Any = SleepingReactor()
        self.deadlines = Deadlines(self.reactor, self.reactor.seconds)
        self.pool = HostPool(
            "roundr",
            [ProxyHost(name, "127.0.0.1", 7001) for name in ("a", "b")],
            seconds=self.reactor.seconds,
        )
        step = self.pool.dial(None, DialLimits(connectTimeout=2, dialTimeout=4)).start()
        assert isinstance(step, Attempt)
        self.attempt = step
        self.protocol = Protocol()
        self.connecting = connectTo(self.reactor, self.deadlines, step, self.protocol)

    def test_connected(self) -> None:
        """
        One that has answered while the process slept was reached.
        """
        self.reactor.sleep(SLEEP)
        factory = self.reactor.tcpClients[-1][2]
        factory.buildProtocol(None).makeConnection(Connected(40000, 7001))
        self.reactor.decide()
        self.assertIs(self.successResultOf(self.connecting), self.protocol)

    def test_connecting(self) -> None:
        """
        One that has not answered yet has as much time as before.
        """
        self.reactor.sleep(SLEEP)
        self.reactor.decide()
        self.reactor.pump([0.1] * 19)
        self.assertNoResult(self.connecting)
        self.reactor.pump([0.1] * round(10 * CATCH_UP + 2))
        error = self.failureResultOf(self.connecting, ConnectFailed).value
        self.assertIs(error.failure.kind, FailureKind.TIMEOUT)


class SearchTests(SynchronousTestCase):
    """
    The search of a client, by the portable relay.
    """

    def test_nextHost(self) -> None:
        """
        If a host refuses after a sleep the search goes on to the next one. One that has
        taken too long while the process was awake is over.
        """
        reactor: Any = SleepingReactor()
        deadlines = Deadlines(reactor, reactor.seconds)
        ended: list[Relayed] = []
        relay = PortableRelay(reactor, deadlines, Timeouts(), ended.append)
        relay.makeEndpoint = endpointOf
        hosts = [ProxyHost(name, "127.0.0.1", 7001) for name in ("a", "b", "c")]
        pool = HostPool("roundr", hosts, seconds=reactor.seconds)
        step = pool.dial(None, DialLimits(connectTimeout=4, dialTimeout=4)).start()
        assert isinstance(step, Attempt)
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        relay.start(accepted(ours.detach()), step)
        reactor.sleep(SLEEP)
        factory, connector = reactor.tcpClients[-1][2], reactor.connectors[-1]
        refused = neterror.ConnectionRefusedError(111, "refused")
        factory.clientConnectionFailed(connector, TwistedFailure(refused))
        self.assertEqual((len(reactor.tcpClients), ended), (2, []))
        reactor.pump([0.1] * round(10 * (4 + CATCH_UP + 1)))
        [result] = ended
        assert result.gaveUp is not None
        self.assertIs(result.gaveUp.reason, GaveUpReason.TIMEOUT)
        self.assertEqual(len(reactor.tcpClients), 2)


@implementer(IPreface)
class LinePreface:
    """
    A line.
    """

    maxBytes = 16
    timeout = 3.0

    def feed(self, data: bytes) -> object:
        """
        See L{IPreface.feed}.
        """
        return Done(None, None, data) if data.endswith(b"\n") else NeedMore()

    def end(self, reason: str) -> Done | Reject:
        """
        See L{IPreface.end}.
        """
        return Reject(reason)


class PrefaceTests(SynchronousTestCase):
    """
    A client whose preface is being read.
    """

    def setUp(self) -> None:
        self.reactor = SleepingReactor()
        self.ours, self.client = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.client.close)
        self.ours.setblocking(False)
        self.verdicts: list[Done | Reject] = []
        deadlines = Deadlines(self.reactor, self.reactor.seconds)
        self.reader = PrefaceReader(self.ours.fileno(), LinePreface())
        self.reader.wait(self.reactor, deadlines, self.verdicts.append, lambda _: None)

    def test_there(self) -> None:
        """
        What has come while the process slept is read.
        """
        self.client.sendall(b"line\n")
        self.reactor.sleep(SLEEP)
        self.reader.doRead()
        self.reactor.decide()
        self.assertEqual(self.verdicts, [Done(None, None, b"line\n")])

    def test_inPieces(self) -> None:
        """
        The rest has as much time as before.
        """
        self.client.sendall(b"li")
        self.reactor.sleep(SLEEP)
        self.reader.doRead()
        self.reactor.decide()
        self.reactor.pump([0.1] * 29)
        self.assertEqual(self.verdicts, [])
        self.reactor.pump([0.1] * round(10 * CATCH_UP + 2))
        self.assertEqual(self.verdicts, [Reject("it was not complete within 3 s")])
