"""
Tests for L{txlb.application.LoadBalancedService}.
"""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

from twisted.application.service import IService, Service
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import alsoProvides
from zope.interface.verify import verifyObject

from tests.application.balancers import LOCAL, ServiceCase
from tests.proxy.fakes import logOf
from tests.resolve.test_names import FakeResolver
from txlb.application import LoadBalancedService, ProxyListener
from txlb.application._readiness import FIRST_LOOKUPS
from txlb.errors import ListenError, UnknownName
from txlb.model import Listener, ProxyGroup, ProxyHost, ProxyService, TCPAddress
from txlb.pool import Attempt, Event, EventKind, Failure, FailureKind, Outcome
from txlb.proxy import ConnectionRecord


class ListenerNameTests(ServiceCase):
    def test_one(self) -> None:
        """
        The one listener of a service has its name, and is a service itself.
        """
        self.balancer()
        self.assertEqual(self.lbs.getProxyNames(), ["web"])
        listener = self.lbs.getProxyService("web")
        assert isinstance(listener, ProxyListener)
        verifyObject(IService, listener)
        self.assertIs(self.lbs.getServiceNamed("proxies").getServiceNamed("web"), listener)
        self.assertEqual(listener.configuredAddress, TCPAddress("127.0.0.1", 0))
        self.assertEqual(listener.addresses, ())

    def test_several(self) -> None:
        """
        Those of a service that has several are numbered.
        """
        self.balancer(LOCAL, "127.0.0.1:0")
        self.assertEqual(self.lbs.getProxyNames(), ["web-1", "web-2"])

    def test_ofSeveral(self) -> None:
        """
        To ask for a service that has several listeners raises, and names them.
        """
        mail = ProxyService("mail", [LOCAL], [ProxyGroup("main", "leastc", True)])
        self.balancer(LOCAL, "127.0.0.1:0", more=(mail,))
        error = self.assertRaises(UnknownName, self.lbs.getProxyService, "web")
        assert isinstance(error, UnknownName)
        self.assertEqual(error.known, ("web-1", "web-2"))
        # Not: did you mean 'web-2'?
        told = "service 'web' has several listeners; name one: web-1, web-2"
        self.assertEqual(str(error), told)
        self.assertRaises(UnknownName, self.lbs.switchPort, "web", 8080)

    def test_unknown(self) -> None:
        """
        To ask for one that does not exist names those that do.
        """
        self.balancer()
        error = self.assertRaises(UnknownName, self.lbs.getProxyService, "mail")
        assert isinstance(error, UnknownName)
        self.assertEqual(error.known, ("web",))

    def test_otherChildren(self) -> None:
        """
        A service that somebody else put among the proxies is no listener, and
        starts as the others do.
        """
        began: list[str] = []
        self.balancer()
        other = Service()
        other.setName("other")
        other.setServiceParent(self.lbs.proxies)
        self.patch(other, "privilegedStartService", lambda: began.append("privileged"))
        self.assertEqual(self.lbs.getProxyNames(), ["web"])
        self.start()
        self.assertEqual(began, ["privileged"])
        self.assertTrue(other.running)


class StartTests(ServiceCase):
    def test_listensThenAccepts(self) -> None:
        """
        It listens in C{privilegedStartService} and accepts from
        C{startService} on.
        """
        self.balancer()
        self.lbs.privilegedStartService()
        client = self.connectTo(self.lbs.getProxyService("web").addresses[0])
        self.assertEqual(self.reactor.getReaders(), [])
        relay = self.relay()
        self.lbs.startService()
        self.reactor.readable()
        [(_, attempt, _, _)] = relay.started
        self.assertEqual(attempt.dial.clientAddr, client.getsockname())

    def test_unprivileged(self) -> None:
        """
        Whoever is added to an application that runs already listens when it is
        started.
        """
        self.balancer()
        self.lbs.startService()
        self.assertGreater(self.port(), 0)
        self.assertEqual(len(self.reactor.getReaders()), 1)

    def test_taken(self) -> None:
        """
        Where one address can't be had none is listened on, and nothing stays
        open.
        """
        port = self.takenPort()
        self.balancer(LOCAL, ("127.0.0.1", port))
        self.lbs.engine  # noqa: B018 - made before descriptors are counted
        before = set(os.listdir("/proc/self/fd"))
        error = self.assertRaises(ListenError, self.lbs.privilegedStartService)
        self.assertIn(f"127.0.0.1:{port}", str(error))
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        for name in self.lbs.getProxyNames():
            self.assertEqual(self.lbs.getProxyService(name).addresses, ())
        self.assertRaises(ListenError, self.lbs.startService)
        self.assertFalse(self.lbs.running)

    def test_relayIsTold(self) -> None:
        """
        At start the log says which relay each service has, and for how many
        connections there are descriptors.
        """
        log = logOf(self)
        self.balancer()
        self.start()
        relay = self.frontendOf("web").relay
        self.assertEqual([event["relay"] for event in log if "relay" in event], [relay.name])
        [event] = [event for event in log if "capacity" in event]
        self.assertEqual(event["capacity"], self.lbs.engine.connectionLimit.capacity)

    def test_givesWay(self) -> None:
        """
        Other work gives way to the connections of fast relays. Without these, and before the
        start, there are none.
        """
        self.balancer()
        self.lbs.giveWay()
        self.start()
        self.lbs.giveWay()
        looks: list[None] = []
        loop = SimpleNamespace(giveWay=lambda: looks.append(None))
        self.patch(self.lbs.engine, "_loop", loop)
        self.lbs.giveWay()
        self.assertEqual(len(looks), 1)

    def test_records(self) -> None:
        """
        Records of connections go to whoever wants them at the time.
        """
        self.balancer()
        self.start()
        relay = self.relay()
        self.come()
        self.endConnection(relay)
        records: list[ConnectionRecord] = []
        self.lbs.record = records.append
        self.come()
        self.endConnection(relay)
        [record] = records
        self.assertEqual((record.service, record.host, record.outcome), ("web", "h0", "done"))

    def test_events(self) -> None:
        """
        While it runs changes are logged, and the trouble of those who observe
        them too.
        """
        log = logOf(self)
        self.balancer()
        self.start()

        def trouble(_: Event) -> None:
            raise RuntimeError("an observer")

        self.manager.subscribe(trouble)
        self.manager.setWeight("web", "main", "h0", 3)
        [event] = [each["event"] for each in log if "event" in each]
        self.assertIs(event.kind, EventKind.HOST_WEIGHT)
        [error] = [each["error"] for each in log if "error" in each]
        self.assertEqual(str(error), "an observer")
        self.lbs.stopService()
        self.manager.setWeight("web", "main", "h0", 4)
        self.assertEqual(len([each for each in log if "event" in each]), 1)

    def test_hostsComeBack(self) -> None:
        """
        While it runs a host that is out is put back at its time for a trial,
        with no client needed for it.
        """
        self.balancer(hosts=("127.0.0.1:7001", "127.0.0.1:7002"))
        self.start()
        pool = self.manager.getPool("web")
        step = pool.dial().start()
        assert isinstance(step, Attempt)
        step.failed(Failure(FailureKind.REFUSED))
        self.assertEqual(pool.readyCount, 1)
        self.reactor.pump([0.5, 0.5])
        self.assertEqual(pool.readyCount, 2)

    def test_globalReactor(self) -> None:
        """
        Without a reactor of its own it takes the global one when it listens,
        and not before.
        """
        from twisted.internet import reactor  # noqa: PLC0415 - as the service does

        self.balancer()
        lbs = LoadBalancedService(self.manager)
        self.assertIsNone(lbs._reactor)
        lbs.bind()
        self.assertIs(lbs._reactor, reactor)
        lbs.stopService()


class NamesTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.resolver = FakeResolver()
        self.reactor.nameResolver = self.resolver  # type: ignore[assignment] # plays its part

    def test_firstLookup(self) -> None:
        """
        Clients wait in the backlog until the hosts' names have been looked up.
        """
        self.balancer(hosts=("one.example:80",))
        self.start()
        relay = self.relay()
        self.come()
        self.assertEqual(self.reactor.getReaders(), [])
        self.resolver.answer("one.example", "192.0.2.1")
        self.reactor.readable()
        [(_, attempt, _, _)] = relay.started
        self.assertEqual(attempt.address, TCPAddress("192.0.2.1", 80))

    def test_patience(self) -> None:
        """
        But not for longer than five seconds.
        """
        self.balancer(hosts=("one.example:80",))
        self.start()
        self.come()
        self.reactor.pump([0.5] * 9)
        self.assertEqual(self.reactor.getReaders(), [])
        self.reactor.advance(FIRST_LOOKUPS - 4.5)
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(self.manager.getPool("web").readyCount, 1)

    def test_oneAddress(self) -> None:
        """
        One host with an address is enough, be it configured or found: a name that is
        silent holds nobody up.
        """
        self.balancer(hosts=("silent.example:80", "127.0.0.1:7001"))
        self.start()
        relay = self.relay()
        self.come()
        [(_, attempt, _, _)] = relay.started
        self.assertEqual(attempt.host.name, "h1")
        self.resolver.answer("silent.example", "192.0.2.1")
        self.assertEqual(self.manager.getPool("web").readyCount, 2)

    def test_oneAnswer(self) -> None:
        self.balancer(hosts=("silent.example:80", "quick.example:80"))
        self.start()
        relay = self.relay()
        self.come()
        self.assertEqual(relay.started, [])
        self.resolver.answer("quick.example", "192.0.2.1")
        self.reactor.readable()
        [(_, attempt, _, _)] = relay.started
        self.assertEqual(attempt.host.name, "h1")

    def test_otherService(self) -> None:
        """
        A service whose names are silent holds no other one up, and is found out to be
        ready by itself.
        """
        host = ProxyHost("h0", "silent.example", 80)
        groups = [ProxyGroup("main", "leastc", True, [host])]
        more = ProxyService("more", [LOCAL], groups, relay="portable")
        self.balancer(more=(more,))
        self.start()
        relay = self.relay()
        self.come()
        self.assertEqual(len(relay.started), 1)
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.resolver.answer("silent.example", "192.0.2.1")
        self.assertEqual(len(self.reactor.getReaders()), 2)

    def test_newService(self) -> None:
        """
        A service that is added while the balancer runs waits for its first answer too.
        """
        self.balancer()
        self.start()
        [web] = self.manager.services.values()
        host = ProxyHost("h0", "new.example", 80)
        groups = [ProxyGroup("main", "leastc", True, [host])]
        more = ProxyService("more", [LOCAL], groups, relay="portable")
        self.lbs.apply([web, more])
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.resolver.answer("new.example", "192.0.2.1")
        self.assertEqual(len(self.reactor.getReaders()), 2)
        # It was ready, so that its move needs nothing.
        self.manager.getPool("more").setAddresses("h0", ())
        self.lbs.switchPort("more", 0)
        self.assertEqual(len(self.reactor.getReaders()), 2)

    def test_becomesAnothers(self) -> None:
        """
        A listener that is another service's when the first would have begun to accept
        waits for what the other waits for.
        """
        self.balancer(hosts=("one.example:80",))
        self.start()
        listener = self.lbs.getProxyService("web")
        listener.serviceName = "other"
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(self.reactor.getReaders(), [])
        listener.serviceName = "web"

    def test_left(self) -> None:
        """
        A service can cease to accept and begin again. Connections that it has go on, and
        clients that come meanwhile wait in the backlog.
        """
        self.balancer()
        self.start()
        relay = self.relay()
        web, readiness = self.lbs.getProxyService("web"), self.lbs.engine.readiness
        for number in (1, 2):
            self.come()
            self.assertEqual(len(relay.started), 2 * number - 1)
            self.assertTrue(web.isAccepting)
            readiness.hold("standby")
            self.assertFalse(web.isAccepting)
            self.come()
            self.assertEqual(len(relay.started), 2 * number - 1)
            self.assertEqual(relay.aborted, 0)
            self.assertEqual(self.manager.getCounters("web").active, 2 * number - 1)
            readiness.release("standby")
            self.reactor.readable()
            self.assertEqual(len(relay.started), 2 * number)
        for _ in range(4):
            self.endConnection(relay)

    def test_leftAndChanged(self) -> None:
        """
        Neither a move, nor a new service, nor another start makes a balancer accept that is
        not to.
        """
        self.balancer()
        self.lbs.engine.readiness.hold("standby")
        self.start()
        self.assertEqual(self.reactor.getReaders(), [])
        self.lbs.switchPort("web", 0)
        [web] = self.manager.services.values()
        self.lbs.apply([web, replace(web, name="more", listeners=(Listener(LOCAL),))])
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(
            [each.notAccepting for each in self.manager.snapshot()], ["standby", "standby"]
        )
        self.lbs.engine.readiness.release("standby")
        self.assertEqual(len(self.reactor.getReaders()), 2)
        self.assertEqual([each.notAccepting for each in self.manager.snapshot()], ["", ""])

    def test_leftByStop(self) -> None:
        """
        A balancer that has stopped accepts nobody, and says so.
        """
        self.balancer()
        self.start()
        web = self.lbs.getProxyService("web")
        self.successResultOf(self.lbs.stopService())
        self.assertFalse(web.isAccepting)
        [snapshot] = self.manager.snapshot()
        self.assertEqual(snapshot.notAccepting, "the balancer is not running")
        self.lbs.startService()
        [snapshot] = self.manager.snapshot()
        self.assertEqual((web.isAccepting, snapshot.notAccepting), (True, ""))

    def test_sleep(self) -> None:
        """
        While the process sleeps no answer can be read, so that is not counted.
        """
        reactor = self.reactor
        alsoProvides(reactor, IReactorFromThreads)
        self.balancer(hosts=("one.example:80",))
        self.start()
        self.addCleanup(self.lbs.engine.deadlines.stop)
        relay = self.relay()
        self.come()
        reactor.advance(60)
        self.assertEqual(reactor.getReaders(), [])
        self.resolver.answer("one.example", "192.0.2.1")
        reactor.readable()
        self.assertEqual(len(relay.started), 1)

    def test_stoppedBefore(self) -> None:
        """
        One that is stopped before the answer came accepts nobody afterwards.
        """
        self.balancer(hosts=("one.example:80",))
        self.start()
        self.successResultOf(self.lbs.stopService())
        self.resolver.answer("one.example", "192.0.2.1")
        self.reactor.advance(FIRST_LOOKUPS)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.lbs.getProxyService("web").addresses, ())

    def test_stopped(self) -> None:
        """
        After a stop no name is looked up, and in the next run each one once.
        """
        self.balancer()
        self.start()
        self.successResultOf(self.lbs.stopService())
        self.manager.addHost("web", "main", "new", "new.example:80")
        self.assertEqual(self.resolver.names, [])
        self.start()
        self.assertEqual(self.resolver.names, ["new.example"])

    def test_closedBefore(self) -> None:
        """
        A single listener that is stopped before the answer came stays closed.
        """
        self.balancer(hosts=("one.example:80",))
        self.start()
        self.lbs.getProxyService("web").stopService()
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(self.reactor.getReaders(), [])


class TakenOutTests(ServiceCase):
    """
    Hosts whose connections are to be reset.
    """

    def test_cut(self) -> None:
        """
        The relay is told in a turn of its own, and nobody is once it has stopped.
        """
        self.balancer()
        self.start()
        relay = self.relay()
        self.come()
        host = self.manager.getPool("web").getHost("h0")
        self.manager.delHost("web", "main", "h0", force=True)
        self.assertEqual(relay.left, [])
        self.reactor.advance(0)
        self.assertEqual(relay.left, [(host, Outcome.REMOVED)])
        self.endConnection(relay)
        self.end()
        self.assertIsNone(self.manager.onCut)
