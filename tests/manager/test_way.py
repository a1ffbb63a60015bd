"""
Tests for L{txlb.manager._way}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import serviceLists
from txlb.manager import wantedServices
from txlb.manager._way import Way
from txlb.model import ProxyGroup, ProxyHost, ProxyService, changesBetween


def group(name: str, hosts: str) -> ProxyGroup:
    """
    A group with a host for each letter.
    """
    made = tuple(ProxyHost(each, "127.0.0.1", 7000) for each in hosts)
    return ProxyGroup(name, "leastc", True, made)


def web(*groups: ProxyGroup) -> ProxyService:
    return ProxyService("web", ["127.0.0.1:80"], groups)


class WayTests(SynchronousTestCase):
    @settings(max_examples=30)
    @given(serviceLists(), serviceLists(), st.integers(1, 5))
    def test_any(self, before: list[ProxyService], after: list[ProxyService], most: int) -> None:
        """
        Every configuration on the way is valid, few things differ from one to the next,
        and the last one is the one that is wanted.
        """
        last: Sequence[ProxyService] = before
        for services in (*Way(before, after, most), tuple(after)):
            self.assertEqual(wantedServices(services), services)
            hosts = [each for each in changesBetween(last, services).changes if len(each.key) == 3]
            names = {each.key for each in hosts}
            if services != tuple(after):
                self.assertLessEqual(len(names), most)
            last = services
        self.assertEqual(last, tuple(after))

    def test_nothing(self) -> None:
        """
        If nothing differs there is nothing in between.
        """
        service = web(group("g", "abc"))
        self.assertEqual(list(Way([service], [service])), [])

    def hosts(self, way: Way, name: str) -> list[str]:
        """
        The hosts of a group in each slice, C{-} if it is not there.
        """
        found = []
        for (service,) in way:
            groups = {each.name: each for each in service.groups}
            hosts = groups[name].hosts if name in groups else ()
            mark = "*" if name in groups and groups[name].enabled else ""
            found.append("".join(host.name for host in hosts) + mark if name in groups else "-")
        return found

    def test_replaced(self) -> None:
        """
        Hosts come as others go, so that a group never has more than before or in the end,
        nor few ones.
        """
        way = Way([web(group("g", "abcd"))], [web(group("g", "wxyz"))], 2)
        self.assertEqual(self.hosts(way, "g"), ["bcd*", "cdw*", "dwx*", "wxy*", "wxyz*"])

    def test_switched(self) -> None:
        """
        A group has all its hosts before it gets the clients, and the one that goes loses
        them after that.
        """
        before, after = web(group("old", "abc")), web(group("new", "xyz"))
        new = self.hosts(Way([before], [after], 2), "new")
        old = self.hosts(Way([before], [after], 2), "old")
        self.assertEqual(new, ["x", "xyz", "xyz*", "xyz*", "xyz*"])
        self.assertEqual(old, ["abc*", "abc*", "bc", "", "-"])

    def test_removedService(self) -> None:
        """
        A service that goes keeps a host for its clients, until it goes itself.
        """
        gone = ProxyService("gone", ["127.0.0.1:81"], [group("g", "abcdef")])
        stays = web(group("g", "a"))
        found = [
            ["".join(host.name for host in each.groups[0].hosts) for each in services]
            for services in Way([gone, stays], [stays], 2)
        ]
        self.assertEqual(found, [["adef", "a"], ["af", "a"], ["a"]])

    def test_fewHosts(self) -> None:
        """
        A scheduler that takes only so many hosts is used when a group has no more, and no
        slice before that has more than an earlier scheduler takes.
        """
        many = tuple(ProxyHost(f"h{number}", "127.0.0.1", 7000) for number in range(1500))
        large = web(replace(group("g", ""), hosts=many))
        small = web(replace(group("g", ""), hosts=many[:1000], scheduler="maglev"))
        other = web(replace(small.groups[0], hosts=many[500:]))
        for before, after in ((large, small), (small, large), (small, other)):
            for services in Way([before], [after], 400):
                (found,) = services[0].groups
                most = max(len(each.groups[0].hosts) for each in (before, after))
                self.assertLessEqual(len(found.hosts), most)
        words = [services[0].groups[0].scheduler for services in Way([large], [small], 400)]
        self.assertEqual(words, ["leastc", "maglev"])
