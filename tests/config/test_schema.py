"""
Tests for L{txlb.config._schema} and L{txlb.config._element}.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import txlb.application  # noqa: F401 - makes the words of checks and probes known
from txlb.config import _schema as schema
from txlb.config._attribute import REQUIRED, Attribute
from txlb.config._element import Element, walk
from txlb.errors import ModelError
from txlb.model import (
    CloneSet,
    HealthCheck,
    HostTLS,
    ListenTLS,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    ResourceProbe,
)
from txlb.model.kinds import Boolean, Number, Seconds, Whole, WholeOr, Word
from txlb.model.settings import settingsOf

#: Elements, and right values of the types that they stand for.
MODELS: list[tuple[Element, Any]] = [
    (schema.HOST, ProxyHost("h", "127.0.0.1", 1)),
    (schema.GROUP, ProxyGroup("g")),
    (schema.SERVICE, ProxyService("s", [("", 1)], [ProxyGroup("g", enabled=True)])),
    (schema.CHECK, HealthCheck("tcp", 1.0)),
    (schema.RESOURCE, ResourceProbe("agent", 1.0)),
    (schema.CLONES, CloneSet("app.tac")),
    (schema.TLS, ListenTLS("certs")),
]


def attributesFor(element: Element, value: Any) -> list[Attribute]:
    """
    Return the attributes of an element that are of a value. Hosts and groups have those of
    L{HostTLS} as well.
    """
    settings = settingsOf(type(value))
    return [each for each in element.attributes if each.field in settings]


#: What a setting needs beside it.
NEEDS: dict[str, dict[str, Any]] = {"passTLVs": {"sendProxy": "v2"}}

#: Settings whose kinds have tests of their own.
OTHER_KINDS = frozenset(
    ("name", "address", "scheduler", "kind", "probe", "timeout", "certificates", "defaultName",
     "alpn", "clientCA", "crl", "tac")
)  # fmt: skip


class ModelTests(SynchronousTestCase):
    """
    The schema and the model say the same.
    """

    def test_everySettingIsRead(self) -> None:
        """
        Every attribute of the schema ends up in the model, and every setting of
        the model has an attribute.
        """
        otherFields = {"ipOrHost", "port", "hosts", "listeners", "groups", "check", "resource",
                       "clones", "discover", "allow", "deny", "options", "origin",
                       "tls"}  # fmt: skip
        for element, value in MODELS:
            fields = {field.name for field in dataclasses.fields(value) if field.init}
            fields -= otherFields - settingsOf(type(value)).keys()
            found = {attribute.field for attribute in attributesFor(element, value)}
            # An address is made of two fields.
            self.assertEqual(found - {"address"}, fields)

    def test_hostTLS(self) -> None:
        """
        Hosts and groups have the settings of TLS, none of which is said by default.
        """
        for element in (schema.HOST, schema.GROUP):
            found = {
                attribute.field: attribute.default
                for attribute in element.attributes
                if attribute.field in settingsOf(HostTLS)
            }
            self.assertEqual(found, dict.fromkeys(settingsOf(HostTLS)))

    def test_defaults(self) -> None:
        for element, value in MODELS:
            for attribute in attributesFor(element, value):
                if attribute.default is REQUIRED or attribute.name in {"name", "interval"}:
                    continue
                made = getattr(value, attribute.field)
                self.assertEqual(attribute.default, made, attribute.name)

    def test_ranges(self) -> None:
        """
        The model takes both ends of each range and nothing beyond.
        """
        for element, value in MODELS:
            for attribute in attributesFor(element, value):
                name, kind = attribute.field, attribute.kind
                if isinstance(kind, Word):
                    right: list[Any] = list(kind.words)
                    wrong: list[Any] = ["", "word"]
                elif isinstance(kind, Boolean):
                    right, wrong = [True, False], ["true", 1, None]
                elif isinstance(kind, (Whole, WholeOr, Seconds, Number)) and name != "timeout":
                    right = [kind.least, kind.most]
                    # A factor may also be 0, and the least of one is above 1.
                    wrong = [kind.least - 0.9 if kind.least % 1 else kind.least - 1, kind.most + 1]
                else:
                    # Names, words of a registry, addresses: tested with their kinds.
                    self.assertIn(name, OTHER_KINDS)
                    continue
                more = NEEDS.get(name, {})
                for each in right:
                    changed = dataclasses.replace(value, **{name: each}, **more)
                    self.assertEqual(getattr(changed, name), each)
                for each in wrong:
                    wrongly = {name: each, **more}
                    self.assertRaises(ModelError, dataclasses.replace, value, **wrongly)


class SchemaTests(SynchronousTestCase):
    """
    The schema makes sense by itself.
    """

    def test_tagsAreUnique(self) -> None:
        elements = {id(element): element for element, _ in walk(schema.CONFIG)}
        tags = [element.tag for element in elements.values()]
        self.assertEqual(len(tags), len(set(tags)))
        self.assertIn("host", tags)

    def test_parents(self) -> None:
        parents = {element.tag: parent for element, parent in walk(schema.CONFIG)}
        self.assertIsNone(parents["config"])
        self.assertIs(parents["host"], schema.GROUP)

    def test_defaultsAreRight(self) -> None:
        """
        Every default is a value of its kind, as written and read again.
        """
        for element, _ in walk(schema.CONFIG):
            for attribute in element.attributes:
                self.assertTrue(attribute.doc.endswith("."), attribute)
                if attribute.default is None or attribute.default is REQUIRED:
                    continue
                text = attribute.kind.write(attribute.default)
                self.assertEqual(attribute.kind.parse(text, "it"), attribute.default)

    def test_oldSwitches(self) -> None:
        """
        What 1.1.0 could switch is off unless it is switched on.
        """
        for element, _ in walk(schema.CONFIG):
            attribute = element.getAttribute("enable")
            if attribute is not None:
                self.assertEqual(attribute.kind, Boolean())
                self.assertIs(attribute.default, False)

    def test_lookUp(self) -> None:
        self.assertIsNone(schema.HOST.getAttribute("colour"))
        self.assertIsNone(schema.HOST.getChild("host"))
        child = schema.GROUP.getChild("host")
        assert child is not None
        self.assertIs(child.element, schema.HOST)
