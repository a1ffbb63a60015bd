"""
Tests for L{txlb.model._listeners}.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import FrozenInstanceError, replace
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from tests.model.options import OptionalListener
from txlb.errors import AddressError, DuplicateName, ModelError
from txlb.model import (
    AddressLike,
    InheritedAddress,
    Listener,
    ListenerLike,
    ProxyGroup,
    ProxyService,
    TCPAddress,
    UNIXAddress,
    mergeServices,
)

GROUPS = [ProxyGroup("g", enabled=True)]


def web(*listeners: ListenerLike) -> ProxyService:
    return ProxyService("web", listeners, GROUPS)


class ListenerTests(SynchronousTestCase):
    def test_made(self) -> None:
        """
        A listener is made from whatever an address can be written as.
        """
        for given, address in (
            ("127.0.0.1:80", TCPAddress("127.0.0.1", 80)),
            (("::1", 80), TCPAddress("::1", 80)),
            ("unix:/a", UNIXAddress("/a")),
            (UNIXAddress("/a", mode=0o660), UNIXAddress("/a", mode=0o660)),
            ("systemd:web", InheritedAddress("web")),
        ):
            self.assertEqual(Listener(cast(AddressLike, given)).address, address)

    def test_value(self) -> None:
        listener = Listener(":80")
        self.assertEqual(listener, Listener(("", 80)))
        self.assertEqual(hash(listener), hash(Listener("*:80")))
        self.assertEqual(str(listener), "*:80")
        with self.assertRaises(FrozenInstanceError):
            listener.address = TCPAddress("", 81)  # type: ignore[misc]  # it can't be changed

    def test_wrong(self) -> None:
        error = self.assertRaises(AddressError, Listener, "127.0.0.1")
        self.assertIn("has no port", str(error))
        self.assertRaises(AddressError, replace, Listener(":80"), address=5)

    def test_place(self) -> None:
        """
        The rights of a socket's file are no part of its place.
        """
        self.assertEqual(Listener(UNIXAddress("/a", mode=0o666)).place, UNIXAddress("/a"))
        self.assertEqual(Listener(":80").place, TCPAddress("", 80))

    def test_isFixed(self) -> None:
        found = [Listener(each).isFixed for each in (":80", ":0", "unix:/a", "systemd:a")]
        self.assertEqual(found, [True, False, True, True])

    def test_options(self) -> None:
        """
        The text of a listener has its options, without defaults and without secrets.
        """
        self.assertEqual(str(OptionalListener(":80")), "*:80")
        told = str(OptionalListener(":80", limit=5, token="hunter2"))
        self.assertEqual(told, "*:80 limit=5")


class DeferAcceptTests(SynchronousTestCase):
    def test_given(self) -> None:
        self.assertFalse(Listener("127.0.0.1:80").deferAccept)
        self.assertTrue(Listener("127.0.0.1:80", deferAccept=True).deferAccept)
        self.assertTrue(Listener(InheritedAddress("web"), deferAccept=True).deferAccept)

    def test_UNIX(self) -> None:
        """
        A UNIX socket has no such option.
        """
        error = self.assertRaises(ModelError, Listener, "unix:/a", deferAccept=True)
        self.assertEqual(
            str(error),
            "deferAccept of the listener on unix:/a has no effect, as it is a UNIX socket; leave "
            "it out",
        )


class ProxyProtocolTests(SynchronousTestCase):
    """
    Listeners that read PROXY headers.
    """

    def test_made(self) -> None:
        """
        Lists can be given as texts, and networks are written in one way.
        """
        listener = Listener(":80", proxyProtocol="v1 v2", trusted=["10.0.0.0/8", "::ffff:1.2.3.4"])
        self.assertEqual(listener.proxyProtocol, ("v1", "v2"))
        self.assertEqual(listener.trusted, ("10.0.0.0/8", "1.2.3.4"))
        self.assertTrue(listener.hasPreface)
        self.assertFalse(Listener(":80", prefaceTimeout=1).hasPreface)
        self.assertEqual(str(listener), "*:80 proxyProtocol=v1,v2 trusted=10.0.0.0/8,1.2.3.4")
        self.assertEqual(replace(listener, address=":81").trusted, listener.trusted)

    def test_trust(self) -> None:
        """
        A header is believed of trusted sources alone, which a UNIX socket has by its rights.
        """
        for address, told in (
            (":80", "the listener on *:80 needs trusted, .*192.0.2.0/24; any other client"),
            ("systemd:web", "192.0.2.0/24, unix; any other client"),
        ):
            error = self.assertRaises(ModelError, Listener, address, proxyProtocol="v1")
            self.assertRegex(str(error), told.replace("*:", r"\*:"))
        self.assertEqual(Listener("unix:/a", proxyProtocol="v1").trusted, ())
        error = self.assertRaises(ModelError, Listener, ":80", trusted="all")
        self.assertIn("has no effect without proxyProtocol", str(error))

    def test_versions(self) -> None:
        """
        It names a version at least.
        """
        error = self.assertRaises(
            ModelError, Listener, ":80", proxyProtocol="optional", trusted="all"
        )
        self.assertIn("names no version; write v1, v2 or both beside optional", str(error))
        self.assertRaises(ModelError, Listener, ":80", proxyProtocol="v3", trusted="all")

    def test_risks(self) -> None:
        """
        A header that may be missing is a risk.
        """
        self.assertEqual(Listener(":80", proxyProtocol="v1", trusted="all").risks, ())
        [risk] = Listener(":80", proxyProtocol="v1 optional", trusted="all").risks
        self.assertIn("proxyProtocol has optional", risk)


class ServiceTests(SynchronousTestCase):
    """
    The listeners of a service.
    """

    def test_both(self) -> None:
        """
        Addresses and listeners make the same service.
        """
        made = web(":80", ("::1", 81), Listener("unix:/a"))
        listeners = (Listener(":80"), Listener("[::1]:81"), Listener("unix:/a"))
        self.assertEqual(made.listeners, listeners)
        self.assertEqual(made, ProxyService("web", groups=GROUPS, listeners=listeners))
        self.assertEqual(made, ProxyService("web", addresses=listeners, groups=GROUPS))
        self.assertEqual(made.addresses, tuple(each.address for each in listeners))

    def test_replace(self) -> None:
        """
        Options of listeners stay if something else of the service is replaced. Addresses
        that are given replace the listeners, as programs for earlier versions expect.
        """
        made = web(OptionalListener(":80", limit=5))
        self.assertIs(replace(made, retries=1).listeners[0], made.listeners[0])
        changed = replace(made, listeners=(Listener(":81"),))
        self.assertEqual(changed.addresses, (TCPAddress("", 81),))
        changed = replace(made, addresses=[":82"])
        self.assertEqual(changed.listeners, (Listener(":82"),))

    def test_twice(self) -> None:
        """
        Options and rights don't make two listeners of one place possible.
        """
        for first, second, place in (
            (":80", OptionalListener(":80", limit=5), "*:80"),
            (UNIXAddress("/a"), UNIXAddress("/a", mode=0o666), "unix:/a"),
        ):
            error = self.assertRaises(DuplicateName, ProxyService, "web", [first, second], GROUPS)
            self.assertIn(f"listens twice on {place};", str(error))

    def test_wrong(self) -> None:
        for given, told in (
            (8080, "addresses of service 'web' is 8080; it is a list of addresses"),
            (Listener(":80"), "addresses of service 'web' is Listener(address=TCPAddress("),
            ([], "service 'web' listens nowhere"),
        ):
            listeners = cast(Iterable[ListenerLike], given)
            error = self.assertRaises(
                ModelError, ProxyService, "web", groups=GROUPS, listeners=listeners
            )
            self.assertIn(told, str(error))

    def test_unknownSetting(self) -> None:
        error = self.assertRaises(TypeError, ProxyService, "web", [":80"], GROUPS, retires=1)
        self.assertIn("ProxyService.__init__() got an unexpected keyword", str(error))

    def test_signature(self) -> None:
        """
        Tools that show arguments see those of 1.1.0 first, then the settings.
        """
        names = list(inspect.signature(ProxyService).parameters)
        self.assertEqual(names[:5], ["name", "addresses", "groups", "listeners", "maxConnections"])
        self.assertEqual(names[-1], "burstPerClient")

    def test_merged(self) -> None:
        """
        A change of a listener's options is a change of the service's listeners.
        """
        before = web(OptionalListener(":80"))
        mine = web(OptionalListener(":80", limit=5))
        theirs = replace(before, retries=9)
        merged = mergeServices([before], [mine], [theirs])
        self.assertEqual(merged.services, (replace(mine, retries=9),))
        other = web(OptionalListener(":80", limit=6))
        [conflict] = mergeServices([before], [mine], [other]).conflicts
        self.assertEqual(
            str(conflict),
            "service web: listeners is *:80 limit=5 live and *:80 limit=6 in the file; it was *:80",
        )
