"""
Tests for L{txlb.config._build}.
"""

from __future__ import annotations

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import SMALL
from txlb.config import _build, parseConfiguration
from txlb.config._build import hostNames
from txlb.config._nodes import Node
from txlb.config._schema import HOST
from txlb.errors import ConfigurationError, ModelError
from txlb.model import TCPAddress, UNIXAddress


class ModelErrorTests(SynchronousTestCase):
    """
    What the model refuses is a problem of the file, at the element's line.
    """

    def check(self, name: str, line: int) -> None:
        def refuse(*_arguments: object, **_settings: object) -> None:
            raise ModelError("not on Sundays")

        thing = getattr(_build, name)
        self.patch(_build, name, type(name, (), {"__new__": refuse, "at": refuse}))
        error = self.assertRaises(ConfigurationError, parseConfiguration, SMALL, "c.xml")
        self.patch(_build, name, thing)
        self.assertIn(f"c.xml:{line}: not on Sundays", str(error))

    def test_service(self) -> None:
        self.check("ProxyService", 2)

    def test_group(self) -> None:
        self.check("ProxyGroup", 4)

    def test_host(self) -> None:
        self.check("ProxyHost", 5)


class HostNamesTests(SynchronousTestCase):
    """
    What nameless hosts are called.
    """

    def names(self, *given: str | None) -> list[str | None]:
        nodes = []
        for name in given:
            node = Node(etree.fromstring("<host/>"), HOST)
            if name == "/":
                node.wrong.add("name")
            elif name is not None:
                node.values["name"] = name
            nodes.append(node)
        return hostNames(nodes)

    def test_counted(self) -> None:
        self.assertEqual(self.names(None, None), ["host.1", "host.2"])
        self.assertEqual(self.names("a", None, "b", None), ["a", "host.1", "b", "host.2"])

    def test_taken(self) -> None:
        """
        A name that some host has is passed over, wherever that host stands.
        """
        self.assertEqual(
            self.names(None, "host.1", None, "host.3", None),
            ["host.2", "host.1", "host.4", "host.3", "host.5"],
        )

    def test_wrong(self) -> None:
        """
        A wrong name is not a missing one.
        """
        self.assertEqual(self.names("/", None), [None, "host.1"])


class EndpointTests(SynchronousTestCase):
    def test_mode(self) -> None:
        """
        A listener may be the description of an endpoint. Its mode holds unless the element
        has one.
        """
        for attributes, mode in (("", 0o660), ('mode="0666"', 0o666)):
            text = (
                '<config><service name="web">'
                f'<listen ip="unix:/run/web.sock:mode=660" {attributes}/>'
                '<listen ip="tcp:8080"/>'
                '<group name="main" enable="yes"><host ip="tcp:a.example:80"/></group>'
                "</service></config>"
            )
            service = parseConfiguration(text.encode(), "c.xml").services[0]
            self.assertEqual(
                service.addresses,
                (UNIXAddress("/run/web.sock", mode=mode), TCPAddress("0.0.0.0", 8080)),
            )
            self.assertEqual(service.groups[0].hosts[0].ipOrHost, "a.example")
