"""
Tests for L{txlb.model.Routes} and for what is said of listeners that can't share an address.
"""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import Listener, ProxyGroup, ProxyService, Routes, UNIXAddress, checkingPlaces

PLACE = "192.0.2.1:443"


def at(serverNames: str = "", place: Any = PLACE, **options: Any) -> Listener:
    return Listener(place, serverNames=serverNames, **options)


def routes(**listeners: Listener) -> Routes:
    return Routes(tuple(listeners.items()))


class RoutesTests(SynchronousTestCase):
    def test_names(self) -> None:
        """
        The exact name, then the longest wildcard, then the listener without names.
        """
        found = routes(
            rest=at(),
            wild=at("*.example"),
            longer=at("*.b.example c.example"),
            exact=at("a.b.example"),
        )
        for name, wanted in (
            ("a.b.example", "exact"),
            ("x.a.b.example", "longer"),
            ("y.b.example", "longer"),
            ("c.example", "longer"),
            ("b.example", "wild"),
            ("x.c.example", "wild"),
            ("example", "rest"),
            ("example.org", "rest"),
            (None, "rest"),
        ):
            self.assertEqual(found.find(name), wanted, name)
        self.assertEqual((found.fallback, found.plain), ("rest", None))

    def test_none(self) -> None:
        """
        Without a listener for it a client has no service.
        """
        found = routes(one=at("a.example"))
        self.assertIsNone(found.find("b.example"))
        self.assertIsNone(found.find(None))
        self.assertIsNone(found.fallback)

    def test_protocols(self) -> None:
        """
        The name comes first, then the first protocol of the client that a listener has.
        """
        found = routes(
            a=at("a.example"),
            acme=at("a.example", alpn="acme-tls/1"),
            two=at(alpn="h2"),
            one=at(alpn="http/1.1"),
            wild=at("*.c.example", alpn="h3"),
        )
        for name, alpn, wanted in (
            ("a.example", (), "a"),
            ("a.example", ("h2",), "a"),
            ("a.example", ("x", "acme-tls/1"), "acme"),
            ("b.example", ("h2", "http/1.1"), "two"),
            ("b.example", ("http/1.1", "h2"), "one"),
            ("x.c.example", ("h2", "h3"), "wild"),
            ("x.c.example", ("h2",), "two"),
            ("b.example", ("x",), None),
            (None, (), None),
        ):
            self.assertEqual(found.find(name, alpn), wanted, (name, alpn))

    def test_plain(self) -> None:
        """
        The listener for clients without TLS has those that no other wants, if there is no
        other for them.
        """
        found = routes(tls=at("a.example"), plain=at(plain=True))
        self.assertEqual((found.plain, found.fallback), ("plain", "plain"))
        for order in (("plain", "tls"), ("tls", "plain")):
            pair = {"plain": at(plain=True), "tls": at()}
            found = routes(**{name: pair[name] for name in order})
            self.assertEqual((found.plain, found.fallback), ("plain", "tls"))
        found = routes(both=at("a.example", plain=True))
        self.assertEqual((found.plain, found.fallback), ("both", None))
        self.assertEqual(found.find("a.example"), "both")

    def test_bounded(self) -> None:
        """
        Thousands of protocols and labels cost no look-up for each pair of them, counted in
        calls.
        """
        found = routes(a=at("a.example"), h2=at("*.a", alpn="h2 h3"))
        count = 0

        def profile(_frame: object, event: str, _argument: object) -> None:
            nonlocal count
            count += event in {"call", "c_call"}

        name = ".".join("a" * 127)
        alpn = [str(number) for number in range(8000)] + ["h2"] * 8000
        sys.setprofile(profile)
        try:
            self.assertEqual(found.find(name, alpn), "h2")
        finally:
            sys.setprofile(None)
        self.assertLess(count, 20_000)

    @given(st.text(alphabet="ab.", max_size=30))
    def test_anyName(self, name: str) -> None:
        """
        Any text is a name that some listener has or none.
        """
        found = routes(wild=at("*.a"), rest=at())
        wanted = "wild" if "." in name and name.endswith(".a") else "rest"
        self.assertEqual(found.find(name), wanted)


class SharingTests(SynchronousTestCase):
    def check(self, one: Listener, other: Listener, message: str | None) -> None:
        groups = [ProxyGroup("g", enabled=True)]
        services = [ProxyService("a", [one], groups), ProxyService("b", [other], groups)]
        if message is None:
            for _ in checkingPlaces(services):
                pass
            return
        error = self.assertRaises(ModelError, list, checkingPlaces(services))
        self.assertIn(f"service 'b' listens on {one.place}, which service 'a' has; ", str(error))
        self.assertIn(message, str(error))

    def test_right(self) -> None:
        """
        Listeners that take different clients, and those at different places.
        """
        for one, other in (
            (at(), at("a.example")),
            (at("a.example"), at("b.example *.a.example")),
            (at("a.example"), at("a.example", alpn="h2")),
            (at("a.example", alpn="h2"), at("a.example", alpn="h3")),
            (at(), at(plain=True)),
            (at("a.example"), at("b.example", plain=True)),
            (at(place=":80"), at(place=":81")),
            (at(place=":0"), at(place=":0")),
        ):
            self.check(one, other, None)
            self.check(other, one, None)

    def test_wrong(self) -> None:
        """
        Listeners that want the same clients, or one socket in two ways.
        """
        unix = UNIXAddress("/a")
        trusted = {"proxyProtocol": "v1", "trusted": "all"}
        for one, other, message in (
            (at(), at(), "each listener needs an address of its own, or serverNames"),
            (at("a.example"), at("b.example A.example."), "both want clients of a.example, and"),
            (at("*.a.example"), at("*.a.example"), "both want clients of *.a.example, and"),
            (at("a.b", alpn="h2"), at("a.b", alpn="h3 h2"), "clients of a.b and the protocol h2"),
            (at(alpn="h2"), at(alpn="h2"), "both want clients of the protocol h2, and"),
            (at("a.b", plain=True), at(plain=True), 'both have plain="yes", and only one'),
            (at(), at("a.b", prefaceTimeout=1), "one socket, and their prefaceTimeout differs"),
            (at(), at("a.b", **trusted), "one socket, and their proxyProtocol differs"),
            (
                at(place=unix),
                at("a.b", place=UNIXAddress("/a", mode=0o666)),
                "one socket, and their mode, user or group differs; give both the same",
            ),
        ):
            self.check(one, other, message)


class NameTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """
        Names are kept as clients' names are compared.
        """
        listener = at("A.Example. *.B.example _x.y localhost xn--bcher-kva.example")
        self.assertEqual(
            listener.serverNames,
            ("a.example", "*.b.example", "_x.y", "localhost", "xn--bcher-kva.example"),
        )
        self.assertTrue(listener.readsHello and listener.hasPreface)
        self.assertTrue(at(alpn="h2").hasPreface)
        self.assertFalse(at(plain=True).hasPreface)

    def test_wrong(self) -> None:
        """
        A wildcard stands for all that is in front of a name, and a name is in ASCII.
        """
        for name in ("*", "*.", "a*.b", "a.*.b", ".a", "a..b", "-a", "a:443", "a/b", "a" * 64):
            error = self.assertRaises(ModelError, at, name)
            self.assertIn("such as a.example, or *.b.example for all names under", str(error))
        error = self.assertRaises(ModelError, at, "bücher.example")
        self.assertIn("with xn--", str(error))
        self.assertRaises(ModelError, at, ".".join(["a" * 60] * 5))
        self.assertRaises(ModelError, at, alpn="ä")
