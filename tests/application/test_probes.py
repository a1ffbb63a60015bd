"""
Tests for L{txlb.application._probes}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txlb.application import _probes
from txlb.config import _words as words
from txlb.config import parseConfiguration
from txlb.errors import ConfigurationError
from txlb.interfaces import IResourceProbe, IResourceProbePlugin
from txlb.model import ResourceProbe
from txlb.model.kinds import Whole
from txlb.resources import Option, ProbeKind, ProbeTarget, makeProbe
from txlb.resources import _registry as registry

CONFIG = b"""
<config><service name="web"><listen ip="127.0.0.1:0"/>
<group name="g" enable="true"><resource probe="moon" phase="3"/></group></service></config>
"""


@implementer(IResourceProbe)
class Moon:
    """
    A probe of somebody else's.
    """

    def __init__(self, options: Mapping[str, Any], reactor: object) -> None:
        self.left = options["phase"] / 4

    def probe(self, target: ProbeTarget) -> Deferred[float | None]:
        return succeed(self.left)


MOON = ProbeKind("moon", "Asks the moon.", Moon, (Option("phase", Whole(0, 4), "Its phase."),))


class DiscoverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(registry, "_kinds", dict(registry._kinds))
        self.patch(words.PROBES, "_variants", dict(words.PROBES._variants))
        self.looked = 0
        self.found: list[object] = [MOON]
        self.patch(_probes, "getPlugins", self.getPlugins)

    def getPlugins(self, interface: object) -> list[object]:
        self.assertIs(interface, IResourceProbePlugin)
        self.looked += 1
        return self.found

    def test_interface(self) -> None:
        self.assertTrue(verifyObject(IResourceProbePlugin, MOON))
        self.assertTrue(IPlugin.providedBy(MOON))

    def test_inAFile(self) -> None:
        """
        A file asks for it by its word, with options of its own.
        """
        text = CONFIG.replace(b"127.0.0.1:0", b"127.0.0.1:8080")
        (service,) = parseConfiguration(text, "config.xml").services
        resource = service.groups[0].resource
        self.assertEqual(resource, ResourceProbe("moon", options={"phase": 3}))
        assert resource is not None
        probe = makeProbe(resource, None)
        assert isinstance(probe, Moon)
        self.assertEqual(probe.left, 0.75)
        self.assertEqual(self.looked, 1)

    def test_inAProgram(self) -> None:
        makeProbe(ResourceProbe("moon", options={"phase": 1}), None)
        _probes.discoverProbes()
        self.assertEqual(self.looked, 2)

    def test_unknown(self) -> None:
        """
        What is in no plugin is unknown, and what is known is not looked for.
        """
        self.found = []
        makeProbe(ResourceProbe("agent"), None)
        self.assertEqual(self.looked, 0)
        text = CONFIG.replace(b"127.0.0.1:0", b"127.0.0.1:8080")
        error = self.assertRaises(ConfigurationError, parseConfiguration, text, "config.xml")
        self.assertIn("one of agent, http", str(error))

    def test_wrong(self) -> None:
        """
        A plugin that is wrong does no harm to others.
        """
        self.found = [object(), ProbeKind("agent", "Taken.", Moon), MOON]
        makeProbe(ResourceProbe("moon", options={"phase": 1}), None)
        self.assertEqual(self.looked, 1)
