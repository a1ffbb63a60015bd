"""
Tests for L{txlb.cloning._ownhosts}.
"""

from __future__ import annotations

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._ownhosts import SERVICE, OwnHosts
from txlb.model import CLONES


class OwnHostsTests(SynchronousTestCase):
    def test_comeAndGo(self) -> None:
        """
        A clone is a host of each listener's pool, with the settings of that listener.
        """
        listeners = [
            mock.Mock(address=f"127.0.0.1:{port}", settings=settings)
            for port, settings in (
                (1, ListenerSettings.of()),
                (2, ListenerSettings.of("sticky", 7)),
            )
        ]
        listeners[0].name, listeners[1].name = "one", "two"
        hosts = OwnHosts(listeners, lambda: 0.0)
        hosts.add("clone0")
        hosts.add("clone0")
        found = [hosts.poolOf(number).getHost("clone0") for number in range(2)]
        self.assertEqual([each.maxConnections for each in found], [None, 7])
        self.assertEqual(hosts.poolOf(1).scheduler.name, "sticky")
        self.assertEqual(hosts.pools.getHost(SERVICE, "one", "clone0").origin, CLONES)
        hosts.drain("clone0")
        self.assertEqual([each.state for each in found], ["drain", "drain"])
        hosts.remove("clone0")
        hosts.advance(1.0)
        self.assertEqual(hosts.poolOf(0).hosts, [])
