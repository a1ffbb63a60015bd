"""
Tests for L{txlb.discovery._catalogs}.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery._catalogs import FORMS, entriesIn
from txlb.discovery._entries import DocumentError, Entries


def consul(**settings: Any) -> dict[str, Any]:
    """
    Make an instance as Consul lists it.
    """
    service = {
        "ID": "web/1",
        "Service": "web",
        "Address": "10.1.10.12",
        "Port": 8000,
        "Weights": {"Passing": 10, "Warning": 2},
        "Meta": {"version": "4", "long": "x" * 300},
        **settings.pop("service", {}),
    }
    return {
        "Node": {"Node": "n1", "Address": "10.0.0.1", "Datacenter": "dc1"},
        "Service": service,
        "Checks": [{"Status": "passing"}],
        **settings,
    }


class CatalogTests(SynchronousTestCase):
    def read(self, form: str, *entries: object) -> Entries:
        return entriesIn(json.dumps(entries).encode(), form).of(("web", "main"))

    def test_txlb(self) -> None:
        (host,) = self.read("txlb", {"address": "127.0.0.1:80"}).hosts
        self.assertEqual(host.address, "127.0.0.1:80")

    def test_consul(self) -> None:
        (host,) = self.read("consul", consul()).hosts
        self.assertEqual(
            (host.name, host.address, host.weight), ("n1:web-1", "10.1.10.12:8000", 10)
        )
        self.assertEqual(dict(host.metadata), {"version": "4"})

    def test_consulOfNode(self) -> None:
        """
        An instance without an address is at that of its node.
        """
        (host,) = self.read("consul", consul(service={"Address": "", "Weights": None})).hosts
        self.assertEqual((host.address, host.weight), ("10.0.0.1:8000", 1))
        (host,) = self.read("consul", consul(service={"Address": "fd00::1"})).hosts
        self.assertEqual(host.address, "[fd00::1]:8000")

    def test_consulStates(self) -> None:
        warning, critical = ({"Status": each} for each in ("warning", "critical"))
        (host,) = self.read("consul", consul(Checks=[warning, {"Status": "passing"}])).hosts
        self.assertEqual(host.weight, 2)
        self.assertEqual(self.read("consul", consul(Checks=[warning, critical])), Entries())

    def test_nomad(self) -> None:
        (host,) = self.read(
            "nomad",
            {
                "Address": "127.0.0.1",
                "AllocID": "177160af",
                "Datacenter": "dc1",
                "ID": "_nomad-task-177160af-redis-cache-db",
                "JobID": "example",
                "Port": 29702,
                "ServiceName": "redis",
                "Tags": [],
            },
        ).hosts
        self.assertEqual(
            (host.name, host.address),
            ("_nomad-task-177160af-redis-cache-db", "127.0.0.1:29702"),
        )
        self.assertEqual(dict(host.metadata), {"job": "example", "datacenter": "dc1"})

    def test_wrong(self) -> None:
        """
        A wrong entry does not affect the others.
        """
        found = self.read("consul", consul(), 7, {"Service": {}}, consul(service={"Port": 0}))
        self.assertEqual(len(found.hosts), 1)
        self.assertEqual(len(found.wrong), 3)
        self.assertRaises(DocumentError, entriesIn, b'{"a": 1}', "nomad")

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["Service", "Node", "Checks", "Status", "ID", "Address", "Port", "Weights"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
        ),
        st.sampled_from(FORMS),
    )
    def test_anything(self, entry: object, form: str) -> None:
        found = self.read(form, entry)
        self.assertLessEqual(len(found.hosts) + len(found.wrong), 1)
