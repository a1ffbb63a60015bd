"""
Tests for L{txlb.application._handedchanges}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.application import withChanges
from txlb.application._handedchanges import handedChanges
from txlb.config import Configuration, parseConfiguration
from txlb.errors import ConfigurationConflict, StateError, TxlbError
from txlb.health import Target
from txlb.manager import ProxyManager
from txlb.model import HealthCheck, ProxyHost, ProxyService, TCPAddress

FILE = """<config>
  <!-- the shop -->
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="main" scheduler="leastc" enable="yes">
      <host name="a" ip="192.0.2.1:80" weight="2"/>
      <host name="b" ip="192.0.2.2:80"/>
    </group>
    <group name="found" scheduler="roundr">
      <discover from="dns" name="web.example"/>
      <host name="c" ip="192.0.2.3:80"/>
    </group>
  </service>
</config>
"""


def isWell(_target: Target) -> bool:
    """
    A check that no file can name.
    """
    return True


class HandedChangesTests(SynchronousTestCase):
    """
    Tests for L{handedChanges} and L{withChanges}.
    """

    def setUp(self) -> None:
        self.loaded = self.parsed(FILE)
        self.manager = ProxyManager(self.loaded.services)

    def parsed(self, text: str) -> Configuration:
        return parseConfiguration(text.encode("utf-8"), "/etc/txlb.xml")

    def handed(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            json.dumps(handedChanges(self.loaded, tuple(self.manager.services.values())))
        )
        return found

    def find(self, *hosts: ProxyHost) -> None:
        """
        Let a source find hosts.
        """
        (service,) = self.manager.services.values()
        group = service.getGroup("found")
        self.manager.apply([service.withGroup(replace(group, hosts=(*hosts, *group.hosts)))])

    def names(self, services: Iterable[ProxyService], group: str) -> list[str]:
        (service,) = services
        return [host.name for host in service.getGroup(group).hosts]

    def test_nothing(self) -> None:
        """
        Without live changes there is nothing to hand over, and the new file counts.
        """
        self.assertEqual(self.handed(), {})
        self.assertIs(withChanges(self.loaded, {}), self.loaded.services)

    def test_merged(self) -> None:
        """
        Live changes and those of the new file are both there: weights, drains, hosts that came and
        went, the group, the address of the listener.
        """
        manager = self.manager
        manager.setWeight("web", "main", "a", 7)
        manager.drain("web", "main", "b")
        manager.addHost("web", "main", "live", "192.0.2.9:80")
        manager.switchGroup("web", "main", "found")
        manager.listenerMoved("web", 0, TCPAddress("127.0.0.1", 8181))
        more = FILE.replace("</group>", '<host name="new" ip="192.0.2.4:80"/></group>', 1)
        new = self.parsed(more.replace('"leastc"', '"weightlc"'))
        (service,) = withChanges(new, self.handed())
        main = service.getGroup("main")
        self.assertEqual([host.name for host in main.hosts], ["a", "b", "new", "live"])
        self.assertEqual((main.getHost("a").weight, main.getHost("b").state), (7, "drain"))
        self.assertEqual((main.scheduler, service.enabledGroup.name), ("weightlc", "found"))
        self.assertEqual([str(each) for each in service.addresses], ["127.0.0.1:8181"])
        self.assertEqual(withChanges(self.loaded, self.handed()), tuple(manager.services.values()))

    def test_conflict(self) -> None:
        """
        What contradicts the new file is an error that says so, as for reload.
        """
        self.manager.setWeight("web", "main", "a", 7)
        new = self.parsed(FILE.replace('weight="2"', 'weight="5"'))
        error = self.assertRaises(ConfigurationConflict, withChanges, new, self.handed())
        self.assertIn("weight", str(error))

    def test_found(self) -> None:
        """
        The hosts of a source stay at their places, with what was changed of them, as long as the
        group has a source.
        """
        found = ProxyHost("f", "192.0.2.7", 80, 3, 9, origin="dns:web.example")
        self.find(found)
        self.manager.drain("web", "found", "f")
        handed = self.handed()
        services = withChanges(self.loaded, handed)
        self.assertEqual(services, tuple(self.manager.services.values()))
        self.assertEqual(self.names(services, "found"), ["f", "c"])
        without = self.parsed(FILE.replace('<discover from="dns" name="web.example"/>', ""))
        self.assertEqual(self.names(withChanges(without, handed), "found"), ["c"])

    def test_notInAFile(self) -> None:
        """
        What a file can't say can't be handed over, and the error says what it is.
        """
        self.manager.setCheck("web", "main", HealthCheck(isWell))
        error = self.assertRaises(TxlbError, self.handed)
        self.assertIn("can't be handed over", str(error))

    def test_refused(self) -> None:
        """
        What can't be right is refused.
        """
        self.find(ProxyHost("f", "192.0.2.7", 80, origin="dns:web.example"))
        self.manager.setWeight("web", "main", "a", 7)
        handed = self.handed()
        (row,) = handed["found"]
        for broken in (
            {"loaded": 1},
            {"loaded": "%"},
            {"running": "AAAA"},
            {"found": 1},
            {"found": [1]},
            {"found": [{**row, "address": "nowhere"}]},
            {"found": [{**row, "place": -1}]},
            {"found": [{**row, "weight": "x"}]},
        ):
            self.assertRaises(StateError, withChanges, self.loaded, {**handed, **broken})
        self.assertRaises(StateError, withChanges, self.loaded, 1)
        self.assertEqual(withChanges(self.loaded, {"other": 1}), self.loaded.services)
