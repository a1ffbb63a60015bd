"""
Tests for L{txlb.discovery._heardhosts}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery import Entries, FoundHost
from txlb.discovery import _heardhosts as heardhosts
from txlb.discovery._heardhosts import HeardHosts, namesOf

MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["ready", "drain"]),
        st.sampled_from([0.0, 5.0, 9.0]),
    ),
    max_size=20,
)


def host(name: str, port: int = 80, **settings: object) -> FoundHost:
    return FoundHost(name, f"127.0.0.1:{port}", **settings)  # type: ignore[arg-type]


class HeardHostsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.heard = HeardHosts()
        self.now = 0.0

    def take(
        self, *hosts: FoundHost, ttl: float = 9.0, sequence: int | None = None, at: float = 0.0
    ) -> bool:
        return self.heard.take(Entries(hosts), ttl, sequence, at)

    def names(self) -> list[str]:
        return sorted(each.name for each in self.heard.hosts)

    def test_comeAndGo(self) -> None:
        self.assertTrue(self.take(host("a"), host("b")))
        self.assertFalse(self.take(host("a")))
        self.assertTrue(self.take(host("a", weight=2)))
        self.assertTrue(self.take(host("b"), ttl=0))
        self.assertEqual(self.heard.hosts, [host("a", weight=2)])
        self.assertFalse(self.take(host("c"), ttl=0))

    def test_silent(self) -> None:
        """
        A host that is not heard for its time, and half of it, is gone. Those that fell silent
        with it go with it.
        """
        self.take(host("a"), ttl=10)
        self.take(host("b"), ttl=10, at=4)
        self.take(host("c"), ttl=10, at=6)
        self.assertFalse(self.heard.expire(14.9))
        self.assertTrue(self.heard.expire(15.0))
        self.assertEqual(self.names(), ["c"])
        self.assertFalse(self.heard.expire(15.0))
        self.assertTrue(self.take(host("a"), at=15.5))
        self.assertEqual(self.names(), ["a", "c"])

    def test_prolong(self) -> None:
        self.take(host("a"), ttl=10)
        self.heard.prolong(1000)
        self.assertFalse(self.heard.expire(1014))
        self.assertTrue(self.heard.expire(1015))

    def test_prolongMore(self) -> None:
        """
        They may need a while before they can be heard.
        """
        self.take(host("a"), ttl=10)
        self.heard.prolong(1000, 6)
        self.assertFalse(self.heard.expire(1020))
        self.assertTrue(self.heard.expire(1021))

    def test_replays(self) -> None:
        """
        Messages that are older than one that came change nothing, and don't bring back a host
        that has taken leave.
        """
        self.take(host("a", state="drain"), sequence=5)
        self.assertFalse(self.take(host("a"), sequence=5))
        self.assertFalse(self.take(host("a"), sequence=4))
        self.assertFalse(self.take(host("a"), sequence=3, ttl=0))
        self.assertEqual(self.heard.hosts[0].state, "drain")
        self.take(host("a"), sequence=7, ttl=0)
        self.assertFalse(self.take(host("a"), sequence=6))
        self.heard.expire(8)
        self.assertFalse(self.take(host("a"), sequence=6, at=8))
        self.assertTrue(self.take(host("a"), sequence=8, at=8))
        # After its time it is forgotten.
        self.take(host("a"), sequence=100, ttl=0, at=8)
        self.heard.expire(18)
        self.assertTrue(self.take(host("a"), sequence=9, at=18))

    @given(MESSAGES, st.data())
    def test_anyReplay(self, messages: list[tuple[str, str, float]], data: st.DataObject) -> None:
        """
        However often older messages of a stream come again, the hosts are those of the stream.
        """
        plain, again = HeardHosts(), HeardHosts()
        messages = [(each, "ready", 5.0) for each in "abc"] + messages
        for sequence, message in enumerate(messages):
            for each in (plain, again):
                self.pass_(each, message, sequence)
            for older in data.draw(st.lists(st.integers(0, sequence), max_size=3)):
                self.assertFalse(self.pass_(again, messages[older], older))
        self.assertEqual(again.hosts, plain.hosts)

    def pass_(self, heard: HeardHosts, message: tuple[str, str, float], sequence: int) -> bool:
        name, state, ttl = message
        return heard.take(Entries((host(name, state=state),)), ttl, sequence, 0.0)

    def test_twoOfAName(self) -> None:
        """
        The first of two processes that have one name is used while it is heard.
        """
        self.take(host("a", 1))
        self.assertTrue(self.take(host("a", 2)))
        self.assertFalse(self.take(host("a", 2)))
        self.assertEqual(self.heard.hosts, [host("a", 1)])
        (sentence,) = self.heard.wrong
        self.assertIn("announced at 127.0.0.1:2, and also at 127.0.0.1:1", sentence)
        self.heard.expire(14)
        self.assertTrue(self.take(host("a", 2), at=14))
        self.assertEqual(self.heard.hosts, [host("a", 2)])

    def test_wrong(self) -> None:
        self.assertTrue(self.heard.take(Entries((), ("it is bad",)), 9, None, 0))
        self.assertFalse(self.heard.take(Entries((), ("it is bad",)), 9, None, 30))
        self.heard.expire(80)
        self.assertEqual(self.heard.wrong, ["it is bad"])
        self.heard.expire(91)
        self.assertEqual(self.heard.wrong, [])

    def test_bounds(self) -> None:
        self.patch(heardhosts, "MAX_HOSTS", 3)
        self.patch(heardhosts, "MAX_WRONG", 2)
        self.take(*(host(str(each)) for each in range(5)))
        self.assertEqual(len(self.heard.hosts), 3)
        self.assertEqual(len(self.heard.wrong), 1)
        for each in range(5):
            self.heard.refuse(str(each), 0)
        self.assertEqual(len(self.heard.wrong), 2)

    def test_labels(self) -> None:
        found = namesOf([{"name": "a", "address": "b"}, {"address": "b"}, {}, 7])
        self.assertEqual(found, ["the entry of 'a'", "the entry of 'b'", "an entry", "an entry"])
