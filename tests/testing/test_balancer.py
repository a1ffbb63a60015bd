"""
Tests for L{txlb.testing.MemoryBalancer} and its parts. They are tests of a balancer, too:
what they see is what its users would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txlb.config import parseConfiguration
from txlb.errors import AddressError, ModelError, UnknownName
from txlb.model import (
    HealthCheck,
    HostMapper,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    UNIXAddress,
)
from txlb.testing import MemoryBalancer, MemoryClient, _balancer, _network


def mappers(*names: str, **settings: Any) -> list[HostMapper]:
    return [
        HostMapper(proxy="127.0.0.1:80", host=name, address=f"10.0.0.{number}:80", **settings)
        for number, name in enumerate(names, 1)
    ]


class BalancerCase(SynchronousTestCase):
    def balancer(
        self, services: Iterable[HostMapper | ProxyService] | None = None, **settings: Any
    ) -> MemoryBalancer:
        wanted = mappers("a", "b") if services is None else services
        self.made = MemoryBalancer(wanted, **settings)
        self.addCleanup(self.end)
        return self.made

    def end(self) -> None:
        if self.made.service.running:
            self.made.stop()
        self.assertEqual(self.made.clock.getDelayedCalls(), [])

    def group(self, *hosts: ProxyHost, **settings: Any) -> list[ProxyService]:
        group = ProxyGroup("main", enabled=True, hosts=hosts, **settings)
        return [ProxyService("web", ["127.0.0.1:80"], [group])]

    def sentTo(self, count: int, **settings: Any) -> list[str | None]:
        """
        @return: where clients are sent to, who stay.
        """
        return [self.made.connect(**settings).host for _ in range(count)]


class FailoverTests(BalancerCase):
    def test_turns(self) -> None:
        self.balancer(mappers("a", "b", "c"))
        self.assertEqual(self.sentTo(6), ["a", "b", "c"] * 2)

    def test_dies(self) -> None:
        """
        A host that refuses is out, its clients are reset, and the next ones go on to
        another without noticing. When it is back it gets one client, then its share.
        """
        balancer = self.balancer()
        first, second = balancer.connect(), balancer.connect()
        self.assertEqual((first.host, second.host), ("a", "b"))
        self.assertEqual(balancer.host("a").connections, 1)
        balancer.host("a").die()
        balancer.advance(0.1)
        self.assertEqual((first.isOpen, second.isOpen), (False, True))
        self.assertEqual(self.sentTo(3), ["b"] * 3)
        self.assertEqual(balancer.state("a"), "down")
        balancer.advance(1.0)
        self.assertEqual(balancer.state("a"), "due")
        self.assertEqual(self.sentTo(1), ["b"])
        self.assertEqual(balancer.state("a"), "down")
        balancer.host("a").comeBack()
        balancer.advance(2.0)
        self.assertEqual(self.sentTo(1), ["a"])
        self.assertEqual(balancer.state("a"), "up")
        self.assertEqual(
            [event.kind.value for event in balancer.events],
            ["host-down", "host-trial", "host-trial", "host-trial", "host-up"],
        )

    def test_hangs(self) -> None:
        """
        A host that does not answer costs its client the time to connect.
        """
        balancer = self.balancer()
        balancer.host("a").hang()
        client = balancer.connect()
        self.assertEqual((client.host, client.isOpen), (None, True))
        balancer.advance(4.9)
        self.assertIsNone(client.host)
        balancer.advance(0.2)
        self.assertEqual((client.host, balancer.state("a")), ("b", "down"))

    def test_hangsAndComesBack(self) -> None:
        balancer = self.balancer()
        balancer.host("a").hang()
        client = balancer.connect()
        balancer.host("a").comeBack()
        self.assertEqual(client.host, "a")

    def test_nobodyLeft(self) -> None:
        balancer = self.balancer()
        balancer.host("a").die()
        balancer.host("b").die()
        client = balancer.connect()
        self.assertEqual((client.host, client.isOpen), (None, False))
        refused = balancer.manager.getCounters("proxy1").refused
        self.assertEqual({kind.value for kind, count in refused.items() if count}, {"unreachable"})

    def test_longTime(self) -> None:
        """
        What is due within a step is done at its time: the trials of a day are 60 s apart
        in the end.
        """
        balancer = self.balancer(mappers("a"))
        balancer.host("a").die()
        balancer.connect()
        balancer.advance(0.9)
        self.assertEqual(balancer.state("a"), "down")
        balancer.advance(86_400.0)
        self.assertEqual(balancer.state("a"), "due")
        self.assertEqual(balancer.clock.seconds(), 86_400.9)


class BytesTests(BalancerCase):
    def test_bothWays(self) -> None:
        balancer = self.balancer()
        balancer.host("a").reply = lambda data: b"a heard " + data
        client = balancer.connect()
        client.send(b"one")
        client.send(b"two")
        self.assertEqual(balancer.host("a").received, b"onetwo")
        self.assertEqual(client.received, b"a heard onea heard two")
        snapshot = balancer.manager.snapshot()[0].groups[0].hosts[0]
        self.assertEqual((snapshot.bytesIn, snapshot.bytesOut), (6, 22))

    def test_ends(self) -> None:
        """
        One that finishes is finished with; one that resets is gone at its host.
        """
        balancer = self.balancer(mappers("a"))
        balancer.host("a").reply = bytes.upper
        client = balancer.connect()
        client.send(b"x")
        client.finish()
        self.assertEqual((client.received, client.isOpen), (b"X", False))
        client = balancer.connect()
        client.reset()
        balancer.advance(0.1)
        self.assertEqual((client.isOpen, balancer.host("a").connections), (False, 0))
        self.assertIn("closed host=a", repr(client))
        self.assertEqual(repr(balancer.host("a")), "<MemoryHost 10.0.0.1:80 connections=0>")

    def test_earlyBytes(self) -> None:
        """
        What a client sends before it has a host waits with the client.
        """
        balancer = self.balancer(mappers("a"))
        balancer.host("a").hang()
        client = balancer.connect()
        client.send(b"question")
        client.finish()
        self.assertEqual(balancer.host("a").received, b"")
        balancer.host("a").comeBack()
        self.assertEqual(balancer.host("a").received, b"question")
        self.assertFalse(client.isOpen)

    def test_proxyHeader(self) -> None:
        services = self.group(ProxyHost("a", "10.0.0.1", 80), sendProxy="v1")
        balancer = self.balancer(services)
        client = balancer.connect(address="192.0.2.7")
        header = b"PROXY TCP4 192.0.2.7 127.0.0.1 %d 80\r\n" % client.address[1]
        self.assertEqual(balancer.host("a").received, header)

    def test_endless(self) -> None:
        """
        Hosts and clients that send to and fro for ever are a mistake of the test's.
        """
        self.patch(_balancer, "MOST_ROUNDS", 50)
        balancer = self.balancer(mappers("a"))
        host = balancer.host("a")
        host.reply = lambda data: data
        client = balancer.connect()

        class Echo(bytearray):
            def __iadd__(self, data: Any) -> Self:  # type: ignore[misc]
                client._transport.send(data)
                return self

        client.received = Echo()
        self.assertRaises(AssertionError, client.send, b"x")
        host.reply = None


class SettingsTests(BalancerCase):
    def test_sticky(self) -> None:
        """
        Clients have addresses.
        """
        hosts = [ProxyHost(f"h{n}", f"10.0.0.{n}", 80) for n in range(1, 9)]
        self.balancer(self.group(*hosts, scheduler="sticky"))
        for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
            self.assertEqual(len(set(self.sentTo(5, address=address))), 1)
        found = {self.made.connect(address=f"192.0.2.{n}").host for n in range(40)}
        self.assertGreater(len(found), 4)

    def test_chance(self) -> None:
        """
        It is the same in each run, and another with another seed.
        """
        found = []
        for seed in (1, 1, 2):
            self.balancer(mappers("a", "b", lbType="rand"), seed=seed)
            found.append(self.sentTo(20))
            self.made.stop()
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0], found[2])

    def test_queue(self) -> None:
        """
        A client that waits gets the room that another leaves, or gives up in time, or
        goes away.
        """
        one = ProxyHost("a", "10.0.0.1", 80, maxConnections=1)
        balancer = self.balancer(self.group(one, maxQueue=3))
        first, second, third = (balancer.connect() for _ in range(3))
        self.assertEqual((first.host, second.host, third.host), ("a", None, None))
        third.reset()
        balancer.advance(1.0)
        self.assertEqual(balancer.manager.snapshot()[0].groups[0].waiting, 1)
        first.finish()
        self.assertEqual(second.host, "a")
        fourth = balancer.connect()
        balancer.advance(5.1)
        self.assertEqual((fourth.host, fourth.isOpen), (None, False))

    def test_drain(self) -> None:
        balancer = self.balancer()
        client = balancer.connect()
        balancer.manager.drain("proxy1", "group1", "a", deadline=10)
        self.assertEqual(self.sentTo(3), ["b"] * 3)
        balancer.advance(9.9)
        self.assertTrue(client.isOpen)
        balancer.advance(0.2)
        self.assertFalse(client.isOpen)

    def test_mayNotComeIn(self) -> None:
        group = ProxyGroup("main", enabled=True, hosts=[ProxyHost("a", "10.0.0.1", 80)])
        service = ProxyService("web", ["127.0.0.1:80"], [group], deny=["192.0.2.9"])
        balancer = self.balancer([service])
        self.assertFalse(balancer.connect(address="192.0.2.9").isOpen)
        self.assertTrue(balancer.connect().isOpen)

    def test_file(self) -> None:
        """
        A configuration file's services will do, with names and sockets, each with an
        address of its own.
        """
        text = b"""<config>
          <service name="web"><listen ip="127.0.0.1:80"/><listen ip="unix:/run/web"/>
            <group name="g" enable="yes"><host name="a" ip="a.example:80"/>
              <host name="b" ip="b.example:80"/><host name="c" ip="unix:/run/c"/></group>
          </service>
          <service name="mail"><listen ip="*:25"/>
            <group name="g" enable="yes"><host name="a" ip="a.example:80"/></group></service>
        </config>"""
        balancer = self.balancer(parseConfiguration(text, "c.xml").services)
        # The one whose name needs no look-up is there first.
        self.assertEqual(self.sentTo(3), ["c", "a", "b"])
        self.assertEqual(self.sentTo(2, listener="web-2"), ["c", "a"])
        self.assertEqual(self.sentTo(1, listener="mail"), ["a"])
        balancer.host("c").die()
        self.assertEqual(balancer.state("web/g/c"), "up")
        self.assertEqual(set(self.sentTo(4)), {"a", "b"})
        self.assertIs(balancer.host("web/g/a"), balancer.host("mail/g/a"))
        self.assertRaises(UnknownName, balancer.connect, "web-3")
        self.assertRaises(UnknownName, balancer.host, "d")
        self.assertRaises(UnknownName, balancer.state, "d")


class ChecksTests(BalancerCase):
    def checked(self, check: Any) -> MemoryBalancer:
        return self.balancer(mappers("a", "b", check=check))

    def test_kinds(self) -> None:
        """
        Checks find out whether a host accepts, and no more. None of them is a client.
        """
        for check in (
            "tcp",
            HealthCheck("http", options={"path": "/health"}),
            HealthCheck("script", options={"program": "/bin/false"}),
        ):
            balancer = self.checked(check)
            balancer.advance(2.0)
            self.assertEqual((balancer.state("a"), balancer.state("b")), ("up", "up"))
            balancer.host("b").die()
            balancer.advance(6.1)
            self.assertEqual((balancer.state("a"), balancer.state("b")), ("up", "down"))
            balancer.host("a").hang()
            balancer.advance(8.1)
            self.assertEqual(balancer.state("a"), "down")
            for name in "ab":
                balancer.host(name).comeBack()
            balancer.advance(4.1)
            self.assertEqual((balancer.state("a"), balancer.state("b")), ("up", "up"))
            self.assertEqual(balancer.host("a").connections, 0)
            self.assertEqual(sorted(map(str, self.sentTo(2))), ["a", "b"])
            balancer.stop()

    def test_function(self) -> None:
        """
        A function is asked, and is on the clock: one that takes longer than it has has
        failed.
        """
        answers: list[Callable[[], object]] = [lambda: True]
        balancer = self.checked(HealthCheck(lambda _: answers[0](), 1.0, fall=1, rise=1))
        balancer.advance(1.0)
        self.assertEqual(balancer.state("a"), "up")
        answers[0] = Deferred
        balancer.advance(2.1)
        self.assertEqual(balancer.state("a"), "down")
        answers[0] = lambda: True
        balancer.advance(2.1)
        self.assertEqual(balancer.state("a"), "up")


class LiveTests(BalancerCase):
    def test_switchPort(self) -> None:
        balancer = self.balancer()
        client = balancer.connect()
        balancer.service.switchPort("proxy1", 8080)
        self.assertEqual(
            list(map(str, balancer.service.getProxyService("proxy1").addresses)), ["127.0.0.1:8080"]
        )
        self.assertEqual((client.isOpen, balancer.connect().host), (True, "b"))
        self.assertRaises(AddressError, balancer.service.switchPort, "proxy1", "nowhere")

    def test_socketFile(self) -> None:
        """
        There is none whose mode could be changed.
        """
        group = ProxyGroup("main", enabled=True, hosts=[ProxyHost("a", "10.0.0.1", 80)])
        service = ProxyService("web", [UNIXAddress("/nowhere/web")], [group])
        balancer = self.balancer([service])
        wanted = [UNIXAddress("/nowhere/web", mode=0o666)]
        balancer.service.apply([ProxyService("web", wanted, [group])])
        self.assertEqual(self.sentTo(1), ["a"])

    def test_apply(self) -> None:
        balancer = self.balancer()
        balancer.service.apply(mappers("a", "b", "c"))
        self.assertEqual(self.sentTo(3), ["a", "b", "c"])

    def test_stop(self) -> None:
        """
        Open connections end, and nobody new is served.
        """
        balancer = self.balancer()
        clients = [balancer.connect() for _ in range(3)]
        balancer.stop()
        self.assertFalse(any(client.isOpen for client in clients))
        self.assertRaises(AssertionError, balancer.connect, "proxy1")

    def test_fastRelay(self) -> None:
        """
        There is none, and who asks for it is told.
        """
        group = ProxyGroup("main", enabled=True, hosts=[ProxyHost("a", "10.0.0.1", 80)])
        service = ProxyService("web", ["127.0.0.1:80"], [group], relay="fast")
        error = self.assertRaises(ModelError, MemoryBalancer, [service])
        self.assertIn("this reactor opens no sockets", str(error))

    def test_again(self) -> None:
        """
        Something that is due again and again is a mistake of somebody's.
        """
        self.patch(_network, "MOST_CALLS", 10)
        balancer = self.balancer()

        def again() -> None:
            self.call = balancer.clock.callLater(0.001, again)

        again()
        self.assertRaises(AssertionError, balancer.advance, 1.0)
        self.call.cancel()
        self.patch(_network, "MOST_CALLS", 1000)

    def test_address(self) -> None:
        client = self.balancer().connect(address="2001:db8::7")
        self.assertIsInstance(client, MemoryClient)
        self.assertEqual(client.address[0], "2001:db8::7")
        self.assertEqual(client.service, "proxy1")
