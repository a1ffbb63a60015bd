"""
Tests for L{txlb.model._cluster}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError
from txlb.model import Cluster

URL = "http://127.0.0.1:2379"


class ClusterTests(SynchronousTestCase):
    def test_urls(self) -> None:
        one = Cluster("prod", f"etcd:{URL}")
        self.assertEqual((one.urls, one.mode, one.member), ((URL,), "active-standby", None))
        two = Cluster("prod", f"etcd:{URL}  https://b.example:2379/", mode="active-active")
        self.assertEqual(two.urls, (URL, "https://b.example:2379/"))

    def test_wrong(self) -> None:
        wrong: tuple[tuple[dict[str, Any], str], ...] = (
            ({"election": URL}, "election of cluster 'prod'"),
            ({"election": "etcd:"}, "election of cluster 'prod'"),
            ({"election": "consul:" + URL}, "election of cluster 'prod'"),
            ({"mode": "standby"}, "mode of cluster 'prod'"),
            ({"ttl": 1}, "ttl of cluster 'prod'"),
            ({"ttl": 61}, "ttl of cluster 'prod'"),
            ({"member": "a/b"}, "no name for a member"),
            ({"name": ""}, "a cluster needs a name"),
            ({"prefix": "a b"}, "prefix of cluster 'prod'"),
            ({"passwordFile": "p"}, "write the user as well"),
        )
        for settings, words in wrong:
            with self.subTest(settings):
                given: dict[str, Any] = {"name": "prod", "election": f"etcd:{URL}", **settings}
                error = self.assertRaises(ModelError, Cluster, **given)
                self.assertIn(words, str(error))
