"""
The benchmarks of what is done beside connections compute.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

import txlb.application  # noqa: F401 - so that files can ask for every kind of check
from benchmarks.beside import Beside, Comparison, Round
from benchmarks.configurations import (
    HOST,
    LISTEN,
    configuration,
    hostElements,
    quietHosts,
    service,
)
from txlb.config import parseConfiguration


class FakeBeside:
    """
    Takes the costs that a test has for the ways, in the order in which they are measured.
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def measure(self, action: Any, _seconds: float) -> Round:
        name, cost = action()
        self.names.append(name)
        return Round(100, 0, cost, cost / 1000, cost / 100, 0.001, 0.0005, 2**20)


class ComparisonTests(SynchronousTestCase):
    def compare(self, cost: float) -> tuple[Comparison, FakeBeside]:
        beside = FakeBeside()
        noise = iter([1.0, 1.1, 0.9] * 2)
        comparison = Comparison(
            {
                "none": lambda: ("none", 100.0),
                "again": lambda: ("again", 100.0 * next(noise)),
                "page": lambda: ("page", cost),
            }
        )
        comparison.run(cast(Beside, beside), 0.0, 0.0)
        return comparison, beside

    def test_order(self) -> None:
        """
        There are three rounds at least, and every second one goes the other way.
        """
        _, beside = self.compare(100.0)
        forth, back = ["none", "again", "page"], ["page", "again", "none"]
        self.assertEqual(beside.names, [*back, *forth, *back])

    def test_verdicts(self) -> None:
        for cost, words in ((101.0, ": within the A/A spread"), (150.0, ": NOT within")):
            comparison, _ = self.compare(cost)
            pair, line = comparison.verdicts("CPU", lambda each: each.cpu)
            self.assertIn("A/A: 1.000 (0.950 to 1.050, 3 rounds)", pair)
            self.assertIn(words, line)
            self.assertIn(f"{cost / 100:.3f}", line)

    def test_table(self) -> None:
        comparison, _ = self.compare(100.0)
        head, *lines = comparison.table()
        self.assertIn("p99", head)
        self.assertEqual(len(lines), 3)
        self.assertIn("100.0 µs", lines[0])


class ConfigurationTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """
        What the functions write is a file that a balancer takes.
        """
        text = configuration(
            service("web", LISTEN, hostElements([HOST])),
            service(
                "more",
                "127.0.0.1:81",
                quietHosts(600),
                scheduler="rand",
                ofListener='<tls certificates="folder"/>',
                ofGroup='<check type="tcp"/>',
            ),
            '  <control socket="control"/>',
        )
        text = text.replace("{port}", "80").replace("{host}", "7001")
        made = parseConfiguration(text.encode(), "benchmark.xml", files=False)
        web, more = made.services
        self.assertEqual([str(each.address) for each in web.enabledGroup.hosts], ["127.0.0.1:7001"])
        group = more.enabledGroup
        addresses = {str(each.address) for each in group.hosts}
        self.assertEqual((len(addresses), group.scheduler), (600, "rand"))
        self.assertIsNotNone(group.check)
        self.assertIsNotNone(more.listeners[0].tls)
