"""
Tests for L{txlb.pool._explain} and L{txlb.admin._explained}.
"""

from __future__ import annotations

import json
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._explained import explanationRows
from txlb.interfaces import IScheduler
from txlb.model import ProxyHost
from txlb.pool import Explanation, Failure, FailureKind, HostPool, Outcome
from txlb.schedulers import Key, RoundRobin, schedulerWords


class Plain:
    """
    A policy that says no more than it has to.
    """

    name = "plain"

    def __init__(self, inner: IScheduler) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or name in {"scoreMeans", "predictable"}:
            raise AttributeError(name)
        return getattr(self.inner, name)


def table(explanation: Explanation) -> str:
    """
    Return the lines that a person is shown.
    """
    return "\n".join(str(row["text"]) for row in explanationRows(explanation))


class ExplainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0

    def pool(self, scheduler: str | IScheduler, hosts: list[ProxyHost]) -> HostPool:
        return HostPool(
            scheduler,
            hosts,
            service="web",
            group="prod",
            seconds=lambda: self.now,
            random=Random(3),
        )

    def whys(self, pool: HostPool, excluded: frozenset[Key] = frozenset()) -> dict[str, str]:
        return {host.name: host.why for host in pool.explain("192.0.2.1", excluded).hosts}

    def test_anyWriting(self) -> None:
        """
        A client is asked for as people write it, and gets what it would get if it came.
        """
        hosts = [ProxyHost(f"h{number}", "10.0.0.1", 80 + number) for number in range(20)]
        for scheduler in ("sticky", "maglev"):
            pool = self.pool(scheduler, hosts)
            for number in range(20):
                lease = pool.acquire((f"192.0.2.{number}", 5))
                chosen = lease.host.name
                for client in (
                    f"192.0.2.{number}",
                    f"::ffff:192.0.2.{number}",
                    f"::FFFF:C000:{0x200 + number:x}",
                    (f"::ffff:192.0.2.{number}", 5, 0, 0),
                ):
                    explained = pool.explain(client)
                    assert explained.chosen is not None
                    self.assertEqual(explained.chosen.name, chosen)
                    self.assertEqual(explained.client, f"192.0.2.{number}")
                lease.release(Outcome.DONE)

    def test_why(self) -> None:
        """
        Each host that is passed over says why.
        """
        pool = self.pool(
            "leastc",
            [
                ProxyHost("idle", "10.0.0.1", 80),
                ProxyHost("equal", "10.0.0.2", 80),
                ProxyHost("busy", "10.0.0.3", 80),
                ProxyHost("full", "10.0.0.4", 80, maxConnections=1),
                ProxyHost("zero", "10.0.0.5", 80, 0),
                ProxyHost("down", "10.0.0.6", 80),
                ProxyHost("nameless", "backend.example", 80),
                ProxyHost("drained", "10.0.0.7", 80, state="drain"),
                ProxyHost("closed", "10.0.0.8", 80, state="maintenance"),
            ],
        )
        names = [host.name for host in pool.hosts]
        for wanted in ("busy", "full"):
            others = frozenset(("web", "prod", name) for name in names if name != wanted)
            pool.acquire(None, others)
        others = frozenset(("web", "prod", name) for name in names if name != "down")
        lease = pool.acquire(None, others)
        pool.reportFailed(lease, Failure(FailureKind.REFUSED, "no"))
        lease.release()
        self.assertEqual(
            self.whys(pool),
            {
                "idle": "",
                "equal": "idle scores the same and comes first",
                "busy": "it scores less than idle",
                "full": "it is full: 1 of 1 connections",
                "zero": "its weight is 0",
                "down": "it is down: refused (no)",
                "nameless": "its name has no address",
                "drained": "it is drained",
                "closed": "it is in maintenance",
            },
        )
        whys = self.whys(pool, frozenset({("web", "prod", "idle")}))
        self.assertEqual(whys["idle"], "it is excluded: it was tried for this client")
        self.assertEqual(whys["equal"], "")
        pool.reportLoad("idle", 0.0)
        self.assertEqual(self.whys(pool)["idle"], "it says that it has nothing left")

    def test_leaving(self) -> None:
        pool = self.pool("leastc", [ProxyHost("a", "10.0.0.1", 80)])
        with pool.acquire():
            pool.removeHost("a")
            self.assertEqual(self.whys(pool), {"a": "it was removed, and its last connections end"})
        self.assertEqual(self.whys(pool), {})

    def test_everyPolicy(self) -> None:
        """
        With every policy that leaves nothing to chance the host that is named
        is the one that is chosen next; asking changes nothing.
        """
        for word in schedulerWords():
            hosts = [ProxyHost(f"h{number}", "10.0.0.1", 80, 1 + number % 3) for number in range(6)]
            pool = self.pool(word, hosts)
            chance = Random(5)
            leases = []
            for number in range(60):
                client = (f"192.0.2.{number}", 1)
                explanation = pool.explain(client)
                self.assertEqual(pool.explain(client), explanation)
                lease = pool.acquire(client)
                if explanation.predictable:
                    chosen = explanation.chosen
                    assert chosen is not None
                    self.assertEqual(lease.host.name, chosen.name, word)
                    self.assertEqual(explanation.hosts[0], chosen)
                else:
                    self.assertIsNone(explanation.chosen)
                leases.append(lease)
                if chance.random() < 0.5:
                    leases.pop(chance.randrange(len(leases))).release()

    def test_data(self) -> None:
        """
        It is plain data.
        """
        pool = self.pool("sticky", [ProxyHost("a", "10.0.0.1", 80, 2)])
        data = json.loads(json.dumps(pool.explain(("192.0.2.1", 5)).asDict()))
        self.assertEqual(
            data,
            {
                "service": "web",
                "group": "prod",
                "scheduler": "sticky",
                "scoreMeans": "the place in the client's order of hosts, negated",
                "predictable": True,
                "client": "192.0.2.1",
                "hosts": [
                    {
                        "name": "a",
                        "state": "unchecked",
                        "weight": 2,
                        "effectiveWeight": 2.0,
                        "active": 0,
                        "score": -1.0,
                        "chosen": True,
                        "why": "",
                    }
                ],
            },
        )

    def test_plain(self) -> None:
        """
        A policy that says no more of its scores than it has to counts as one
        that leaves things to chance.
        """
        hosts = [ProxyHost("a", "10.0.0.1", 80), ProxyHost("b", "10.0.0.2", 80)]
        pool = self.pool(Plain(RoundRobin(Random(1))), hosts)  # type: ignore[arg-type]  # it passes all on
        explanation = pool.explain()
        self.assertEqual((explanation.scoreMeans, explanation.predictable), ("", False))
        self.assertIsNone(explanation.chosen)
        self.assertIn("score: as the policy has it", table(explanation))

    def test_table(self) -> None:
        """
        For people.
        """
        pool = self.pool(
            "leastc",
            [
                ProxyHost("web1", "10.0.0.1", 80),
                ProxyHost("web2", "10.0.0.2", 80, 200),
                ProxyHost("spare", "10.0.0.3", 80, 0),
            ],
        )
        with pool.acquire():
            found = table(pool.explain("192.0.2.1"))
        self.assertEqual(
            found,
            "web/prod (leastc): 192.0.2.1 would get web2\n"
            "  score: connections, negated\n"
            "  host   state      weight  active  score\n"
            "  web2   unchecked     200       0      0  chosen\n"
            "  web1   up              1       1     -1  it scores less than web2\n"
            "  spare  drain           0       0      -  its weight is 0",
        )
        pool.setScheduler("rand")
        self.assertIn("any client would get one by chance\n", table(pool.explain()))
        for name in ("web1", "web2"):
            pool.setWeight(name, 0)
        self.assertIn("no host is ready for any client\n", table(pool.explain()))
