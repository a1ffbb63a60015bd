"""
Tests for L{txlb.model._origins}, and for hosts with an origin elsewhere in the model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import (
    ProxyGroup,
    ProxyHost,
    ProxyService,
    changesBetween,
    mergeServices,
    ownedByPeople,
    withFound,
)


def host(name: str, **settings: int) -> ProxyHost:
    """
    A host. One whose name begins with C{f} was found by a source.
    """
    origin = "dns:web.example" if name.startswith("f") else ""
    return replace(ProxyHost(name, "127.0.0.1", 7001, origin=origin), **settings)  # type: ignore[arg-type]


def services(*names: str, group: str = "prod", **groups: tuple[str, ...]) -> list[ProxyService]:
    """
    One service with a group of hosts of these names, and more groups.
    """
    made = [ProxyGroup(group, enabled=True, hosts=map(host, names))]
    made += [ProxyGroup(name, hosts=map(host, hosts)) for name, hosts in groups.items()]
    return [ProxyService("web", [":80"], made)]


def names(found: tuple[ProxyService, ...]) -> list[str]:
    return [each.name for each in found[0].groups[0].hosts]


class HostTests(SynchronousTestCase):
    def test_default(self) -> None:
        self.assertEqual(ProxyHost("a", "127.0.0.1", 1).origin, "")

    def test_wrong(self) -> None:
        for wrong, told in (
            (5, "origin of host 'a' is 5; it is the name of a source, 1 to 255 printable"),
            ("x" * 256, "it is the name of a source"),
            ("a\nb", "it is the name of a source"),
            ("file", "origin of host 'a' is 'file', which the status says of hosts that people"),
            ("live", "leave it out for such a host"),
        ):
            origin = cast(str, wrong)
            error = self.assertRaises(ModelError, ProxyHost, "a", "127.0.0.1", 1, origin=origin)
            self.assertIn(told, str(error))

    def test_told(self) -> None:
        """
        A difference tells which source has found a host.
        """
        found = changesBetween(services("a"), services("a", "f1"))
        self.assertEqual(
            found.lines,
            ["host web/prod/f1 added (127.0.0.1:7001, weight 1, found by dns:web.example)"],
        )


class OwnedByPeopleTests(SynchronousTestCase):
    def test_nothingFound(self) -> None:
        """
        Services without found hosts are the very same, so that nothing compares them.
        """
        made = services("a", "b", spare=("c",))
        self.assertIs(ownedByPeople(made)[0], made[0])

    def test_found(self) -> None:
        made = services("a", "f1", "b", spare=("c",), other=("f2",))
        found = ownedByPeople(made)
        self.assertEqual(found, tuple(services("a", "b", spare=("c",), other=())))
        self.assertIs(found[0].groups[1], made[0].groups[1])


class WithFoundTests(SynchronousTestCase):
    def test_places(self) -> None:
        """
        Found hosts stand behind the host behind which they stood, in their order.
        """
        for people, running, wanted in (
            ("a b", "a b", "a b"),
            ("a b", "a f1 b f2", "a f1 b f2"),
            ("a b", "f1 f2 a b", "f1 f2 a b"),
            ("b a", "a f1 b f2", "b f2 a f1"),
            ("b", "a f1 b", "f1 b"),
            ("a c b", "a f1 f2 b", "a f1 f2 c b"),
            ("", "a f1", "f1"),
        ):
            found = withFound(services(*people.split()), services(*running.split()))
            self.assertEqual(" ".join(names(found)), wanted)

    def test_nothingFound(self) -> None:
        made = services("a", spare=("b",))
        self.assertIs(withFound(made, services("a", "b"))[0], made[0])
        found = withFound(made, services("a", spare=("b", "f")))
        self.assertIs(found[0].groups[0], made[0].groups[0])

    def test_noPlace(self) -> None:
        """
        Without its group or service a found host is gone. If people have a host of its name,
        that is the host.
        """
        made = services("a", group="other")
        self.assertEqual(withFound(made, services("a", "f1")), tuple(made))
        renamed = [replace(made[0], name="mail")]
        self.assertEqual(withFound(renamed, services("f1", group="other")), tuple(renamed))
        theirs = replace(host("f1"), origin="", weight=9)
        group = replace(made[0].groups[0], hosts=[theirs])
        taken = [replace(made[0], groups=[group])]
        found = withFound(taken, services("f1", "f2", group="other"))
        self.assertEqual(names(found), ["f1", "f2"])
        self.assertIs(found[0].groups[0].hosts[0], theirs)

    @given(st.permutations(["a", "b", "c", "f1", "f2", "f3"]))
    def test_undone(self, order: list[str]) -> None:
        """
        What people own, with what was found, are the services from which both came.
        """
        running = services(*order)
        self.assertEqual(withFound(ownedByPeople(running), running), tuple(running))


class MergeTests(SynchronousTestCase):
    """
    Found hosts stay when a file is loaded again, and stand in nobody's way.
    """

    def test_nothing(self) -> None:
        before, running = services("a", "b"), services("a", "f1", "b")
        self.assertEqual(mergeServices(before, running, before).services, tuple(running))

    def test_changed(self) -> None:
        """
        A change of the file goes together with found hosts, and with live changes.
        """
        before = services("a", "b")
        merged = mergeServices(before, services("a", "f1", "b", "live"), services("a", "new"))
        self.assertEqual(names(merged.services), ["a", "f1", "new", "live"])

    def test_groupGone(self) -> None:
        """
        A group in which hosts were found was not changed by people: to remove it from the
        file is no conflict.
        """
        before = services("a", spare=("b",))
        merged = mergeServices(before, services("a", spare=("b", "f1")), services("a"))
        self.assertEqual(merged.conflicts, ())
        self.assertEqual(merged.services, tuple(services("a")))
