"""
Tests for L{txlb.resolve}.
"""

from __future__ import annotations

import socket
from random import Random
from typing import Any

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address
from twisted.internet.interfaces import IResolutionReceiver
from zope.interface.verify import verifyObject

from tests.proxy.fakes import ReactorCase
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService, TCPAddress
from txlb.pool import Event, EventKind
from txlb.resolve import NameService
from txlb.resolve._names import AT_ONCE, JITTER
from txlb.resolve._resolution import Resolution


class FakeResolver:
    """
    Answers when the test says so.

    @ivar asked: the receiver of each question that is open, with its name.
    @ivar count: how many questions there were.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.count = 0
        self.error: Exception | None = None

    def resolveHostName(self, receiver: Any, hostName: str, portNumber: int = 0) -> object:
        self.count += 1
        if self.error is not None:
            raise self.error
        receiver.resolutionBegan(None)
        self.asked.append((hostName, receiver))
        return None

    def answer(self, name: str, *addresses: str) -> None:
        """
        Answer the oldest open question for a name.
        """
        index = [asked for asked, _ in self.asked].index(name)
        _, receiver = self.asked.pop(index)
        for address in addresses:
            receiver.addressResolved(IPv4Address("TCP", address, 0))
        receiver.resolutionComplete()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


class NamesCase(ReactorCase):
    interval = 30.0

    def setUp(self) -> None:
        super().setUp()
        self.resolver = FakeResolver()
        self.reactor.nameResolver = self.resolver  # type: ignore[assignment] # plays its part
        self.events: list[Event] = []

    def service(self, *hosts: str, source: Random | None = None) -> NameService:
        """
        A running service, for hosts C{h0}, C{h1} and so on at these addresses.
        """
        configured = [ProxyHost.at(f"h{n}", address) for n, address in enumerate(hosts)]
        group = ProxyGroup("main", "leastc", True, configured)
        web = ProxyService("web", ["127.0.0.1:80"], [group], resolveInterval=self.interval)
        self.manager = proxyManagerFactory([web], seconds=self.reactor.seconds)
        self.manager.subscribe(self.events.append)
        self.pool = self.manager.getPool("web")
        service = NameService(self.manager, self.reactor, self.deadlines, source)
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


class LookupTests(NamesCase):
    def test_names(self) -> None:
        """
        Names are looked up at once, addresses and sockets not at all.
        """
        self.service("one.example:80", "127.0.0.1:80", "[::1]:80", "unix:/x", "two.example:81")
        self.assertEqual(self.resolver.names, ["one.example", "two.example"])

    def test_found(self) -> None:
        """
        A host is at what was found, with its own port, each address once.
        """
        self.service("one.example:8080")
        self.assertFalse(self.pool.getHost("h0").ready)
        self.resolver.answer("one.example", "192.0.2.1", "192.0.2.2", "192.0.2.1")
        host = self.pool.getHost("h0")
        self.assertTrue(host.ready)
        self.assertEqual(
            host.addresses, (TCPAddress("192.0.2.1", 8080), TCPAddress("192.0.2.2", 8080))
        )

    def test_again(self) -> None:
        """
        It is looked up again after the interval, and the new answer counts.
        """
        self.service("one.example:80", source=Random(1))
        self.resolver.answer("one.example", "192.0.2.1")
        self.reactor.pump([1] * 20)
        self.assertEqual(self.resolver.names, [])
        self.reactor.pump([1] * 20)
        self.assertEqual(self.resolver.names, ["one.example"])
        self.resolver.answer("one.example", "192.0.2.9")
        self.assertEqual(self.pool.getHost("h0").address, TCPAddress("192.0.2.9", 80))

    def test_jitter(self) -> None:
        """
        The interval is stretched and shortened by up to a tenth, so that many
        names are not looked up in one burst.
        """
        service = self.service("127.0.0.1:1", source=Random(1))
        waits = [service._later("web", lambda: None).when for _ in range(200)]
        self.assertGreaterEqual(min(waits), 30 * (1 - JITTER))
        self.assertLessEqual(max(waits), 30 * (1 + JITTER))
        self.assertLess(min(waits), 28)
        self.assertGreater(max(waits), 32)

    def test_failed(self) -> None:
        """
        A name without an address is a host that is down; that is told once, and
        the name is looked up again.
        """
        self.service("one.example:80")
        for _ in range(3):
            self.resolver.answer("one.example")
            self.reactor.pump([1] * 35)
        self.assertEqual(self.kinds(), [EventKind.HOST_UNRESOLVED])
        self.assertFalse(self.pool.getHost("h0").ready)
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertTrue(self.pool.getHost("h0").ready)

    def test_lastGoodAnswer(self) -> None:
        """
        Where a later look-up fails the last good answer is kept, which is told
        once for each time that it begins to fail.
        """
        self.service("one.example:80")
        for _ in range(2):
            self.resolver.answer("one.example", "192.0.2.1")
            for _ in range(2):
                self.reactor.pump([1] * 35)
                self.resolver.answer("one.example")
            self.reactor.pump([1] * 35)
        self.assertEqual(self.kinds().count(EventKind.HOST_UNRESOLVED), 2)
        self.assertIn("the last answer is kept", self.events[-1].message)
        host = self.pool.getHost("h0")
        self.assertTrue(host.ready)
        self.assertEqual(host.address, TCPAddress("192.0.2.1", 80))

    def test_raises(self) -> None:
        """
        A resolver that raises is logged and counts as one that found nothing.
        """
        self.resolver.error = RuntimeError("broken")
        service = self.service("one.example:80")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.kinds(), [EventKind.HOST_UNRESOLVED])
        self.assertEqual(service.silentNames("web", "main"), [])
        self.resolver.error = None
        self.reactor.pump([1] * 35)
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertTrue(self.pool.getHost("h0").ready)

    def test_atOnce(self) -> None:
        """
        No more than eight are under way at once; the next begins when one ends.
        """
        hosts = [f"n{n}.example:80" for n in range(20)]
        self.service(*hosts)
        self.assertEqual(len(self.resolver.asked), AT_ONCE)
        self.resolver.answer("n3.example", "192.0.2.1")
        self.assertEqual(len(self.resolver.asked), AT_ONCE)
        self.assertIn("n8.example", self.resolver.names)
        while self.resolver.asked:
            self.resolver.answer(self.resolver.names[0], "192.0.2.1")
        self.assertEqual(self.resolver.count, 20)
        self.assertEqual(self.pool.readyCount, 20)

    def test_otherAddress(self) -> None:
        """
        An address of a kind that has no host in it is passed over.
        """
        answer = Resolution("one.example")
        verifyObject(IResolutionReceiver, answer)
        answer.addressResolved(HostnameAddress(b"one.example", 80))
        answer.addressResolved(IPv4Address("TCP", "192.0.2.1", 0))
        self.assertEqual(answer.addresses, ["192.0.2.1"])

    def test_zone(self) -> None:
        """
        What multicast DNS and the file of hosts say of a link-local address has its
        zone (RFC 4007, 11; C{sin6_scope_id} of getaddrinfo), and an IPv4 address that is
        mapped into IPv6 is that.
        """
        answer = Resolution("one.example")
        for address in (
            IPv6Address("TCP", "fe80::1", 0, 0, socket.if_nametoindex("lo")),
            IPv6Address("TCP", "2001:db8::1", 0),
            IPv6Address("TCP", "::ffff:192.0.2.1", 0),
            IPv4Address("TCP", "192.0.2.1", 0),
        ):
            answer.addressResolved(address)
        self.assertEqual(answer.addresses, ["fe80::1%lo", "2001:db8::1", "192.0.2.1"])


class ChangeTests(NamesCase):
    def test_added(self) -> None:
        """
        A host that is added later is looked up; one with an address is not.
        """
        self.service("127.0.0.1:80")
        self.manager.addHost("web", "main", "new", "new.example:80")
        self.manager.addHost("web", "main", "other", "127.0.0.1:81")
        self.assertEqual(self.resolver.names, ["new.example"])
        self.resolver.answer("new.example", "192.0.2.1")
        self.assertTrue(self.pool.getHost("new").ready)

    def test_removed(self) -> None:
        """
        A host that is removed is looked up no more, and an answer that was on
        its way is nobody's, not even that of a new host of the same name.
        """
        self.service("one.example:80", "two.example:80")
        self.resolver.answer("one.example", "192.0.2.1")
        self.manager.delHost("web", "main", "h0")
        self.manager.delHost("web", "main", "h1")
        self.manager.addHost("web", "main", "h1", "three.example:80")
        self.resolver.answer("two.example", "192.0.2.2")
        self.assertEqual(self.pool.getHost("h1").addresses, ())
        self.resolver.answer("three.example", "192.0.2.3")
        self.assertEqual(self.pool.getHost("h1").address, TCPAddress("192.0.2.3", 80))
        self.reactor.pump([1] * 35)
        self.assertEqual(self.resolver.names, ["three.example"])

    def test_removedWithoutAName(self) -> None:
        """
        To remove a host that was never looked up is no trouble.
        """
        self.service("127.0.0.1:80")
        self.manager.delHost("web", "main", "h0")
        self.assertEqual(self.resolver.asked, [])

    def test_goneMeanwhile(self) -> None:
        """
        An answer for a host that the manager does not know any more, though it
        has told nobody, does no harm.
        """
        service = self.service("one.example:80")
        assert service._unsubscribe is not None
        service._unsubscribe()
        self.manager.delHost("web", "main", "h0")
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(service.silentNames("web", "main"), [])

    def test_stop(self) -> None:
        """
        After a stop nothing is looked up, what is on its way is ignored, and
        changes are not followed.
        """
        service = self.service("one.example:80", "two.example:80")
        self.resolver.answer("one.example", "192.0.2.1")
        service.stopService()
        self.resolver.answer("two.example", "192.0.2.2")
        self.manager.addHost("web", "main", "new", "new.example:80")
        self.reactor.pump([1] * 40)
        self.assertEqual(self.resolver.asked, [])
        self.assertEqual(self.pool.getHost("h1").addresses, ())
        self.assertEqual(len(self.deadlines), 0)

    def test_again(self) -> None:
        """
        It can be started again, and then looks up the hosts that there are by
        then.
        """
        service = self.service("one.example:80", "two.example:80")
        self.assertTrue(service.running)
        service.stopService()
        self.assertFalse(service.running)
        self.assertEqual(service.silentNames("web", "main"), [])
        self.resolver.asked.clear()
        self.manager.delHost("web", "main", "h0")
        service.startService()
        self.assertEqual(self.resolver.names, ["two.example"])

    def test_otherEvents(self) -> None:
        """
        Events that are not about a host being there change nothing.
        """
        self.service("one.example:80")
        self.manager.setWeight("web", "main", "h0", 3)
        self.assertEqual(self.resolver.count, 1)


class SilentTests(NamesCase):
    """
    Names that have no answer.
    """

    def setUp(self) -> None:
        super().setUp()
        self.told = 0

    def tell(self) -> None:
        self.told += 1

    def test_silentNames(self) -> None:
        """
        A name is silent until it has had an answer, good or bad, each told of.
        """
        service = self.service("one.example:80", "two.example:80", "one.example:81")
        service.answered = self.tell
        self.assertEqual(service.silentNames("web", "main"), ["one.example", "two.example"])
        self.assertEqual(service.silentNames("web", "other"), [])
        self.resolver.answer("one.example")
        self.assertEqual(service.silentNames("web", "main"), ["two.example"])
        self.assertEqual(self.told, 2)
        self.resolver.answer("two.example", "192.0.2.1")
        self.assertEqual(service.silentNames("web", "main"), [])
        self.assertEqual(self.told, 3)

    def test_removed(self) -> None:
        """
        A host that is removed is not waited for, which is told of.
        """
        service = self.service("one.example:80")
        service.answered = self.tell
        self.manager.delHost("web", "main", "h0")
        self.assertEqual((service.silentNames("web", "main"), self.told), ([], 1))

    def test_told(self) -> None:
        """
        A look-up that has had no answer for five seconds is told of once, with what
        that means for the host; the answer that comes later is used.
        """
        self.service("one.example:80")
        self.reactor.pump([0.5] * 9)
        self.assertEqual(self.events, [])
        self.reactor.pump([0.5] * 40)
        [event] = self.events
        self.assertEqual(
            str(event),
            "host-unresolved web/main/h0: one.example can't be resolved (no answer for 5 s); it "
            "is down until it has an address",
        )
        # That there is none was said.
        self.resolver.answer("one.example")
        self.assertEqual(len(self.events), 1)
        self.reactor.pump([1] * 45)
        self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(self.kinds()[-1], EventKind.HOST_RESOLVED)
        self.assertEqual(len(self.events), 2)

    def test_toldAgain(self) -> None:
        """
        So is a later one, and that the last answer is kept.
        """
        self.service("one.example:80")
        self.resolver.answer("one.example", "192.0.2.1")
        for _ in range(2):
            self.reactor.pump([1] * 45)
            self.assertIn("(no answer for 5 s); the last answer is kept", self.events[-1].message)
            self.resolver.answer("one.example", "192.0.2.1")
        self.assertEqual(self.kinds().count(EventKind.HOST_UNRESOLVED), 2)

    def test_removedMeanwhile(self) -> None:
        """
        Of a host that is gone nothing is told.
        """
        service = self.service("one.example:80")
        self.manager.delHost("web", "main", "h0")
        self.events.clear()
        self.reactor.pump([1] * 10)
        service._silent(("web", "main", "h0"))
        self.assertEqual(self.events, [])

    def test_shared(self) -> None:
        """
        A name that many hosts have is looked up once for all of them, so that a silent
        one takes the place of one: twenty hosts of it hold up no other name.
        """
        self.service(*(f"silent.example:{80 + n}" for n in range(20)), "quick.example:80")
        self.assertEqual(self.resolver.names, ["silent.example", "quick.example"])
        self.resolver.answer("quick.example", "192.0.2.1")
        self.assertTrue(self.pool.getHost("h20").ready)
        self.resolver.answer("silent.example", "192.0.2.2")
        self.assertEqual(self.pool.readyCount, 21)
        self.assertEqual(self.pool.getHost("h7").address, TCPAddress("192.0.2.2", 87))
        # Each is looked up again, and may again find another under way.
        self.reactor.pump([1] * 40)
        self.assertEqual(sorted(set(self.resolver.names)), ["quick.example", "silent.example"])

    def test_turns(self) -> None:
        """
        The services take turns, and in each the group that gets the clients is first: a
        service with many silent names doesn't take all the places before the others.
        """

        def service(number: int, count: int) -> ProxyService:
            groups = [
                ProxyGroup(name, "leastc", name == "main",
                           [ProxyHost(f"h{n}", f"{name}{n}.s{number}.example", 80)
                            for n in range(count)])
                for name in ("spare", "main")
            ]  # fmt: skip
            return ProxyService(f"s{number}", [f"127.0.0.1:{80 + number}"], groups)

        self.manager = proxyManagerFactory(
            [service(1, 20), service(2, 1), service(3, 2)], seconds=self.reactor.seconds
        )
        names = NameService(self.manager, self.reactor, self.deadlines)
        names.startService()
        self.addCleanup(names.stopService)
        self.assertEqual(
            self.resolver.names,
            ["main0.s1.example", "main0.s2.example", "main0.s3.example", "main1.s1.example",
             "spare0.s2.example", "main1.s3.example", "main2.s1.example", "spare0.s3.example"],
        )  # fmt: skip


class MovedTests(NamesCase):
    """
    Hosts that move, and intervals that change, while the balancer runs.
    """

    def apply(self, address: str, interval: float = 30.0) -> None:
        group = ProxyGroup("main", "leastc", True, [ProxyHost.at("h0", address)])
        web = ProxyService("web", ["127.0.0.1:80"], [group], resolveInterval=interval)
        self.manager.apply([web])

    def test_toAnotherName(self) -> None:
        """
        The new name is looked up at once, and an answer for the old one that
        comes late counts no more.
        """
        self.service("one.example:80")
        self.apply("two.example:80")
        self.assertEqual(self.resolver.names, ["one.example", "two.example"])
        self.resolver.answer("one.example", "10.0.0.1")
        self.assertEqual(self.pool.getHost("h0").addresses, ())
        self.resolver.answer("two.example", "10.0.0.2")
        self.assertEqual(self.pool.getHost("h0").address, TCPAddress("10.0.0.2", 80))

    def test_toAnAddress(self) -> None:
        service = self.service("one.example:80")
        self.apply("10.0.0.3:80")
        self.assertEqual(service.silentNames("web", "main"), [])
        self.resolver.answer("one.example", "10.0.0.1")
        self.assertEqual(self.pool.getHost("h0").address, TCPAddress("10.0.0.3", 80))
        self.reactor.advance(1000)
        self.assertEqual(self.resolver.names, [])

    def test_fromAnAddress(self) -> None:
        self.service("10.0.0.3:80")
        self.apply("one.example:80")
        self.assertEqual(self.resolver.names, ["one.example"])

    def test_interval(self) -> None:
        """
        Another interval holds from the next look-up on.
        """
        self.service("one.example:80")
        self.apply("one.example:80", 2.0)
        self.resolver.answer("one.example", "10.0.0.1")
        self.reactor.advance(2.0 * (1 + JITTER))
        self.assertEqual(self.resolver.names, ["one.example"])

    def test_movedByWhoIsTold(self) -> None:
        """
        An observer of an answer moves the host: the old name is looked up no
        more.
        """
        self.service("one.example:80")

        def move(event: Event) -> None:
            if event.kind is EventKind.HOST_RESOLVED:
                self.apply("10.0.0.3:80")

        self.manager.subscribe(move)
        self.resolver.answer("one.example", "10.0.0.1")
        self.reactor.advance(1000)
        self.assertEqual(self.resolver.names, [])
