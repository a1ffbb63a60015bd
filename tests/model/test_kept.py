"""
Tests for L{txlb.model._kept}.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import serviceLists
from txlb.model import ProxyGroup, ProxyHost, ProxyService, TCPAddress, keptWhereEqual


class KeptWhereEqualTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """
        What is equal is the very value of before, up to the host: the rest says what it is
        to say.
        """
        hosts = tuple(ProxyHost(name, "127.0.0.1", 7000) for name in "abc")
        web = ProxyService("web", ["127.0.0.1:80"], [ProxyGroup("g", "leastc", True, hosts)])
        mail = replace(web, name="mail", addresses=(TCPAddress("127.0.0.1", 25),))
        again = tuple(replace(each) for each in hosts)
        other = replace(web, groups=(replace(web.groups[0], hosts=again),))
        wanted = (replace(mail), other)
        a, b, c = wanted[1].groups[0].hosts
        changed = replace(wanted[1].groups[0], hosts=(c, replace(b, weight=7), a))
        wanted = (wanted[0], replace(wanted[1], groups=(changed,)))
        found = keptWhereEqual((web, mail), wanted)
        self.assertEqual(found, wanted)
        self.assertIs(found[0], mail)
        kept = found[1].groups[0].hosts
        self.assertIs(kept[0], hosts[2])
        self.assertIs(kept[2], hosts[0])
        self.assertIsNot(kept[1], hosts[1])

    @given(serviceLists(), serviceLists())
    def test_equal(self, before: list[ProxyService], after: list[ProxyService]) -> None:
        """
        The result says the same as what is wanted, whatever was there before.
        """
        self.assertEqual(keptWhereEqual(before, after), tuple(after))
        again = [replace(each) for each in before]
        for one, other in zip(keptWhereEqual(before, again), before, strict=True):
            self.assertIs(one, other)
