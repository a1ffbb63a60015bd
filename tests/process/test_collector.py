"""
Tests for L{txlb.process._collector}.
"""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.application.balancers import ServiceCase
from txlb.manager import _observers
from txlb.model import ProxyHost
from txlb.process import Collector, _collector


class Knot:
    """
    An object that refers to itself, so that the collector alone can free it.
    """

    def __init__(self) -> None:
        self.itself = self


def stopCollecting(case: SynchronousTestCase) -> None:
    """
    Leave the collector to a test alone.
    """
    gc.collect()
    gc.disable()
    case.addCleanup(gc.enable)


class CollectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(_collector, "MANY", 100)
        self.collector = Collector()
        self.addCleanup(self.collector.leave)

    def test_own(self) -> None:
        """
        What is there at the start is permanent, and a full collection looks at nothing of it.
        """
        self.collector.own()
        self.assertTrue(self.collector.owned)
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertLess(len(gc.get_objects()), 1000)
        self.collector.leave()
        self.assertFalse(self.collector.owned)
        self.assertEqual(gc.get_freeze_count(), 0)

    def test_young(self) -> None:
        """
        It looks at new objects less often, and as before after the end.
        """
        before = gc.get_threshold()
        self.collector.own()
        self.assertEqual(gc.get_threshold()[:2], (_collector.YOUNG, _collector.LOOKS))
        self.collector.leave()
        self.assertEqual(gc.get_threshold(), before)

    def test_notOurs(self) -> None:
        """
        Objects that an application has made permanent are its own matter.
        """
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.collector.own()
        self.assertFalse(self.collector.owned)
        self.collector.leave()
        self.assertGreater(gc.get_freeze_count(), 10_000)

    def test_restsTwice(self) -> None:
        """
        It rests until the last of those that want it to rest has done.
        """
        gc.enable()
        self.collector.rest()
        self.collector.rest()
        self.collector.goOn()
        self.assertFalse(gc.isenabled())
        self.collector.goOn()
        self.assertTrue(gc.isenabled())

    def test_restedBefore(self) -> None:
        """
        If it did not run before, it does not run afterwards.
        """
        stopCollecting(self)
        self.collector.rest()
        self.collector.goOn()
        self.assertFalse(gc.isenabled())

    def test_many(self) -> None:
        """
        The many objects of a change are permanent at its end. Few are not.
        """
        stopCollecting(self)
        self.collector.own()
        before = gc.get_freeze_count()
        self.collector.rest()
        few = [[] for _ in range(10)]  # type: ignore[var-annotated]  # of nothing
        self.collector.goOn()
        self.assertLessEqual(gc.get_freeze_count(), before)
        self.collector.rest()
        many = [[] for _ in range(1000)]  # type: ignore[var-annotated]  # likewise
        self.collector.goOn()
        self.assertGreater(gc.get_freeze_count(), before + len(many) - len(few))
        del many
        self.assertLess(gc.get_freeze_count(), before + 500)

    def test_application(self) -> None:
        """
        In the process of an application the objects of a change count as old ones.
        """
        stopCollecting(self)
        self.collector.rest()
        knot = Knot()
        self.collector.goOn()
        self.assertEqual(gc.get_freeze_count(), 0)
        self.assertTrue(any(each is knot for each in gc.get_objects(generation=2)))

    def test_growth(self) -> None:
        """
        Garbage that was permanent goes before there is too much of it, however many changes
        there are.
        """
        stopCollecting(self)
        self.collector.own()
        first = gc.get_freeze_count()
        self.patch(_collector, "GROWTH", 1.05)
        most, gone = 0, []
        for _ in range(20):
            self.collector.rest()
            knots: Any = [Knot() for _ in range(first // 100)]
            gone.append(weakref.ref(knots[0]))
            self.collector.goOn()
            # Python does this when a quarter more objects have become old.
            gc.collect()
            del knots
            most = max(most, gc.get_freeze_count())
        self.assertLess(most, first * 1.15)
        self.assertGreater(most, first)
        self.assertIsNone(gone[0]())

    def test_freed(self) -> None:
        """
        Objects that were freed do not count, however many changes there are.
        """
        stopCollecting(self)
        self.collector.own()
        first = gc.get_freeze_count()
        self.patch(_collector, "GROWTH", 1.2)
        for _ in range(30):
            self.collector.rest()
            many: list[list[int]] = [[] for _ in range(first // 50)]
            self.collector.goOn()
            self.assertGreater(gc.get_freeze_count(), len(many))
            del many

    def test_connections(self) -> None:
        """
        The objects of many connections, which a full collection leaves, are permanent after it,
        and are freed with their connections. Few are not.
        """
        stopCollecting(self)
        # Python 3.12 has some of its own.
        first = gc.get_freeze_count()
        self.patch(_collector, "OLD", 1000)
        self.collector.own()
        before = gc.get_freeze_count()
        few = [[] for _ in range(500)]  # type: ignore[var-annotated]  # of nothing
        gc.collect()
        self.assertLessEqual(gc.get_freeze_count(), before)
        many = [[] for _ in range(1000)]  # type: ignore[var-annotated]  # likewise
        gc.collect(1)
        self.assertLessEqual(gc.get_freeze_count(), before)
        gc.collect()
        self.assertGreater(gc.get_freeze_count(), before + len(few) + len(many) - 100)
        del few, many
        self.assertLess(gc.get_freeze_count(), before + 200)
        self.collector.leave()
        gc.collect()
        self.assertLessEqual(gc.get_freeze_count(), first)

    def test_thawed(self) -> None:
        """
        While the next full collection is awaited nothing is made permanent.
        """
        stopCollecting(self)
        self.collector.own()
        self.patch(_collector, "GROWTH", 0.5)
        for _ in range(2):
            self.collector.rest()
            many = [[] for _ in range(1000)]  # type: ignore[var-annotated]  # of nothing
            self.collector.goOn()
            self.assertEqual(gc.get_freeze_count(), 0)
        gc.collect()
        self.assertGreater(gc.get_freeze_count(), len(many))


class ReloadTests(ServiceCase):
    """
    Changes of all hosts, in a process whose objects are permanent.
    """

    def test_replaced(self) -> None:
        """
        Hosts that were replaced are freed without the collector: so no memory is lost, however
        often all of them are replaced.
        """
        self.patch(_observers, "HISTORY", 10)
        self.balancer()
        self.start()
        web = self.manager.getService("web")
        stopCollecting(self)
        # Until a program begins to write its log, Twisted keeps it.
        self.patch(globalLogPublisher, "_observers", [])
        collector = self.lbs.slices.collector
        collector.own()
        self.addCleanup(collector.leave)
        self.patch(_collector, "MANY", 1)

        def change(number: int) -> int:
            hosts = [ProxyHost(f"h{number}-{n}", "127.0.0.1", 7001 + n) for n in range(50)]
            self.lbs.apply([replace(web, groups=(replace(web.groups[0], hosts=tuple(hosts)),))])
            del hosts
            # The log of the events has its time.
            for _ in range(100):
                self.reactor.advance(0.1)
            return len(gc.get_objects()) + gc.get_freeze_count()

        counts = [change(number) for number in range(30)]
        self.assertGreater(gc.get_freeze_count(), 10_000)
        # Each host is some ten objects.
        self.assertLess(counts[-1] - counts[4], 250, counts)
