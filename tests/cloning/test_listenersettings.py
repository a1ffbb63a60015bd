"""
Tests for L{txlb.cloning._listenersettings}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import CloningError
from txlb.cloning._listenersettings import ListenerSettings, listenerSettings
from txlb.errors import TxlbError
from txlb.model import HostMapper, ProxyHost
from txlb.schedulers import SCHEDULERS, Scheduler, SchedulerKind, schedulerKinds


class Mine(Scheduler):
    name = "mine"


class ListenerSettingsTests(SynchronousTestCase):
    def test_whyPassed(self) -> None:
        """
        Connections are passed if the choice needs the client, and only then.
        """
        passed = {
            kind.word for kind in schedulerKinds() if ListenerSettings.of(kind.word).whyPassed
        }
        self.assertEqual(passed, {"sticky", "maglev"})
        self.assertIn("admitted", ListenerSettings.of(deny=["192.0.2.0/24"]).whyPassed)
        self.assertIn("admitted", ListenerSettings.of(ratePerClient=5.0).whyPassed)

    def test_plugin(self) -> None:
        """
        The scheduler of a plugin may look at clients, unless it tells that it does not.
        """
        self.assertTrue(SchedulerKind("mine", Mine).needsClient)
        self.assertFalse(SchedulerKind("mine", Mine, looksAtClient=False).needsClient)
        self.assertFalse(SCHEDULERS.get("leastc").needsClient)

    def test_wrong(self) -> None:
        self.assertRaises(TxlbError, listenerSettings, "best")
        self.assertRaises(TxlbError, listenerSettings, "leastc", 0)
        self.assertRaises(TxlbError, listenerSettings, "leastc", None, {"deny": ["nowhere"]})
        error = self.assertRaises(CloningError, listenerSettings, "leastc", None, {"color": 1})
        self.assertIn("'color' is no setting of clones; there are also allow", str(error))

    def test_slowStart(self) -> None:
        self.assertEqual(listenerSettings("roundr", slowStart=5.0).group.slowStart, 5.0)
        self.assertRaises(TxlbError, listenerSettings, "roundr", slowStart=-1.0)

    def test_hosts(self) -> None:
        """
        Of a mapper the host counts. The file's settings of a host are its usual ones.
        """
        far = ProxyHost.at("far", "192.0.2.1:80", 3)
        mapper = HostMapper(proxy="127.0.0.1:1", host="near", address="192.0.2.2:80", weight=2)
        settings = listenerSettings("leastc", 7, hosts=[far, mapper])
        self.assertEqual(settings.group.hosts, (far, mapper.proxyHost()))
        self.assertEqual(settings.usual("near").weight, 2)
        self.assertEqual(settings.usual("clone3").maxConnections, 7)

    def test_wrongHosts(self) -> None:
        """
        What is no host, has the name of a clone, or comes twice, is refused.
        """
        far = ProxyHost.at("far", "192.0.2.1:80")
        wrong: list[tuple[Any, str]] = [
            (far, "give a list of hosts"),
            (["192.0.2.1:80"], "'192.0.2.1:80'; give ProxyHost.at"),
            ([ProxyHost.at("clone0", "192.0.2.1:80")], "'clone0' has the name of a clone"),
            ([far, far], "far"),
        ]
        for hosts, message in wrong:
            error = self.assertRaises(CloningError, listenerSettings, "leastc", hosts=hosts)
            self.assertIn(message, str(error))
