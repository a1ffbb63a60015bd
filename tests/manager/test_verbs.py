"""
Tests for the changes that L{txlb.manager} makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.model.options import OptionalListener
from tests.registries import keepRegistries
from tests.watched import Watched
from txlb.errors import AddressError, DuplicateName, ModelError, TxlbError, UnknownName
from txlb.interfaces import IHost
from txlb.model import ProxyHost, TCPAddress, UNIXAddress
from txlb.pool import Event
from txlb.schedulers import SCHEDULERS, Scheduler, registerScheduler


class ChangeTests(SynchronousTestCase):
    """
    Each change changes configuration and pool, tells of it, and gives the
    events back.
    """

    def setUp(self) -> None:
        self.watched = Watched()
        self.manager = self.watched.manager

    def assertTold(self, events: tuple[Event, ...], *messages: str) -> None:
        self.assertEqual([str(event) for event in events], list(messages))
        self.assertEqual(list(events), self.watched.told)
        self.assertEqual({event.when for event in events}, {50.0} if events else set())
        self.assertTrue(self.watched.agrees())
        self.watched.told.clear()

    def test_addHost(self) -> None:
        events = self.manager.addHost("web", "main", "d", "[::1]:9", 3)
        self.assertTold(events, "host-added web/main/d: added at [::1]:9")
        self.assertEqual(self.manager.getHost("web", "main", "d"), ProxyHost("d", "::1", 9, 3))
        self.manager.addHost("web", "main", "e", "unix:/run/e")
        self.assertEqual(self.manager.getHost("web", "main", "e").address, UNIXAddress("/run/e"))
        chosen = {self.manager.getPool("web").acquire().host.name for _ in range(4)}
        self.assertEqual(chosen, {"a", "b", "d", "e"})

    def test_delHost(self) -> None:
        lease = self.manager.getPool("web").acquire()
        events = self.manager.delHost("web", "main", "a")
        self.assertTold(events, "host-removed web/main/a: removed, 1 connections left")
        self.assertRaises(UnknownName, self.manager.getHost, "web", "main", "a")
        lease.release()
        self.assertEqual(
            [str(event) for event in self.watched.told], ["host-gone web/main/a: gone"]
        )

    def test_delHostAt(self) -> None:
        """
        Where an address is given it has to be that host's, however written.
        """
        before = self.watched.state()
        error = self.assertRaises(
            AddressError, self.manager.delHost, "web", "main", "a", "127.0.0.1:7001"
        )
        self.assertEqual(
            str(error),
            "host 'a' of web/main is at 127.0.0.1:7000, not at 127.0.0.1:7001; nothing was removed",
        )
        self.assertEqual(self.watched.state(), before)
        self.manager.addHost("web", "main", "six", "[::1]:1")
        self.manager.delHost("web", "main", "a", "127.0.0.1:7000")
        self.manager.delHost("web", "main", "six", "[0:0::1]:1")
        self.assertEqual([host.name for host in self.manager.getGroup("web", "main").hosts], ["b"])

    def test_addAgain(self) -> None:
        """
        The name of a host that was removed is free at once.
        """
        lease = self.manager.getPool("web").acquire()
        self.manager.delHost("web", "main", "a")
        self.manager.addHost("web", "main", "a", "127.0.0.1:9")
        self.assertTrue(self.watched.agrees())
        states = [h.state for h in self.manager.snapshot()[0].groups[0].hosts if h.name == "a"]
        self.assertEqual(states, ["unchecked", "leaving"])
        lease.release()

    def test_setWeight(self) -> None:
        events = self.manager.setWeight("web", "main", "a", 0)
        self.assertTold(events, "host-weight web/main/a: weight 1 -> 0")
        self.assertEqual(self.manager.getHost("web", "main", "a").weight, 0)
        self.assertEqual(self.manager.getPool("web").acquire().host.name, "b")
        self.assertTold(self.manager.setWeight("web", "main", "a", 0))

    def test_setScheduler(self) -> None:
        lease = self.manager.getPool("web").acquire()
        events = self.manager.setScheduler("web", "main", "roundrobin")
        self.assertTold(events, "scheduler-changed web/main: scheduler leastc -> roundr")
        self.assertEqual(self.manager.getGroup("web", "main").scheduler, "roundr")
        self.assertEqual((lease.host.active, self.manager.getPool("web").active), (1, 1))

    def test_switchGroup(self) -> None:
        lease = self.manager.getPool("web").acquire()
        events = self.manager.switchGroup("web", "main", "spare")
        self.assertTold(
            events, "group-switched web/spare: gets the connections of web instead of main"
        )
        self.assertEqual(self.manager.getService("web").enabledGroup.name, "spare")
        self.assertEqual(self.manager.getPool("web").acquire().host.name, "c")
        self.assertIsNone(lease.outcome)
        enabled = [group.enabled for group in self.manager.snapshot()[0].groups]
        self.assertEqual(enabled, [False, True])

    def test_switchToItself(self) -> None:
        """
        To switch to the group that is enabled is no change.
        """
        before = self.watched.state()
        self.assertTold(self.manager.switchGroup("web", "main", "main"))
        self.assertEqual(self.watched.state(), before)

    def test_listenerMoved(self) -> None:
        events = self.manager.listenerMoved("web", 1, TCPAddress("127.0.0.1", 8081))
        self.assertTold(
            events, "listener-moved web: listener moved from 127.0.0.1:81 to 127.0.0.1:8081"
        )
        self.assertEqual(self.manager.snapshot()[0].addresses, ("127.0.0.1:80", "127.0.0.1:8081"))

    def test_listenerMovedWithOptions(self) -> None:
        """
        A listener that gets another address keeps its options.
        """
        service = self.manager.getService("web")
        self.manager.apply([replace(service, listeners=(OptionalListener(":80", limit=5),))])
        self.manager.listenerMoved("web", 0, TCPAddress("", 81))
        moved = self.manager.getService("web").listeners
        self.assertEqual(moved, (OptionalListener(":81", limit=5),))


class WrongChangeTests(SynchronousTestCase):
    """
    A change that can't be made is not made in part.
    """

    def test_nothingDone(self) -> None:
        watched = Watched()
        m = watched.manager
        before = watched.state()
        moved = TCPAddress("127.0.0.1", 80)
        changes: list[tuple[Callable[[], object], type[TxlbError], str]] = [
            (lambda: m.addHost("x", "main", "d", "h:1"), UnknownName, "no service is called 'x'"),
            (lambda: m.addHost("web", "x", "d", "h:1"), UnknownName, "is called 'x'"),
            (
                lambda: m.addHost("web", "main", "a", "h:1"),
                DuplicateName,
                "group 'main' of service 'web' has a host 'a' already, at 127.0.0.1:7000; choose",
            ),
            (lambda: m.addHost("web", "main", "", "h:1"), ModelError, "a host needs a name"),
            (lambda: m.addHost("web", "main", "d", "h"), AddressError, "'h' has no port"),
            (lambda: m.addHost("web", "main", "d", "h:1", -1), ModelError, "weight of host 'd'"),
            (lambda: m.delHost("web", "main", "x"), UnknownName, "is called 'x'"),
            (lambda: m.delHost("web", "x", "a"), UnknownName, "is called 'x'"),
            (lambda: m.delHost("x", "main", "a"), UnknownName, "is called 'x'"),
            (lambda: m.delHost("web", "main", "a", "h"), AddressError, "'h' has no port"),
            (lambda: m.setWeight("web", "main", "x", 1), UnknownName, "is called 'x'"),
            (lambda: m.setWeight("web", "main", "a", 65536), ModelError, "weight of host 'a'"),
            (lambda: m.setScheduler("web", "main", "best"), UnknownName, "'best'"),
            (lambda: m.setScheduler("web", "x", "rand"), UnknownName, "is called 'x'"),
            (lambda: m.switchGroup("web", "main", "x"), UnknownName, "is called 'x'"),
            (lambda: m.switchGroup("web", "x", "main"), UnknownName, "is called 'x'"),
            (
                lambda: m.switchGroup("web", "spare", "main"),
                ModelError,
                "group 'spare' of service 'web' is not the enabled one; that is 'main'",
            ),
            (lambda: m.listenerMoved("x", 0, moved), UnknownName, "is called 'x'"),
            (lambda: m.listenerMoved("web", 1, moved), DuplicateName, "listens twice on"),
        ]
        for change, error, words in changes:
            raised = self.assertRaises(error, change)
            self.assertIn(words, str(raised))
            self.assertEqual(watched.state(), before, words)
            self.assertEqual(watched.told, [], words)

    def test_faultyPolicy(self) -> None:
        """
        A policy of a plugin that raises as it is made, or as it is given its
        hosts, is refused, and the configuration and the pool stay as they were.
        """

        class Unmade(Scheduler):
            name = "unmade"

            def __init__(self, random: Random) -> None:
                raise RuntimeError("no table found")

        class Picky(Scheduler):
            name = "picky"

            def hostAdded(self, host: IHost) -> None:
                raise RuntimeError("no such host")

        keepRegistries(self, SCHEDULERS)
        for policy in (Unmade, Picky):
            registerScheduler(policy.name, policy)
            watched = Watched()
            before = watched.state()
            error = self.assertRaises(
                ModelError, watched.manager.setScheduler, "web", "main", policy.name
            )
            self.assertIn("can't be used for group 'main' of service 'web'", str(error))
            self.assertEqual((watched.state(), watched.told), (before, []))
            watched.manager.setWeight("web", "main", "a", 3)
            self.assertEqual(len(watched.told), 1)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["add", "del", "weight", "scheduler", "switch"]),
                st.sampled_from(["web", "mail", "x"]),
                st.sampled_from(["main", "spare", "x"]),
                st.sampled_from(["a", "b", "c", "d", ""]),
                st.integers(-1, 4),
            ),
            max_size=30,
        )
    )
    def test_anyChanges(self, changes: list[tuple[str, str, str, str, int]]) -> None:
        """
        Whatever is tried, what is configured is what the pools have, each
        service has one group that gets its connections, and a change that
        raises changes nothing.
        """
        watched = Watched()
        m = watched.manager
        words = ["rand", "roundr", "leastc", "weightr", "weightlc", "sticky"]
        for what, service, group, host, number in changes:
            before = watched.state()
            watched.told.clear()
            try:
                if what == "add":
                    events = m.addHost(service, group, host, "127.0.0.1:1", number)
                elif what == "del":
                    events = m.delHost(service, group, host)
                elif what == "weight":
                    events = m.setWeight(service, group, host, number)
                elif what == "scheduler":
                    events = m.setScheduler(service, group, words[number])
                else:
                    events = m.switchGroup(service, group, ["main", "spare", "x"][number % 3])
            except TxlbError:
                self.assertEqual((watched.state(), watched.told), (before, []))
            else:
                self.assertEqual(list(events), watched.told)
            self.assertTrue(watched.agrees())
            for each in m.services.values():
                self.assertEqual(sum(each.enabled for each in each.groups), 1)
