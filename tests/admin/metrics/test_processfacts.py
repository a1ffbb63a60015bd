"""
The facts of this process that metrics show.
"""

from __future__ import annotations

import os
import resource
import time
from types import SimpleNamespace
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.metrics._processfacts import MOST_COUNTED, ProcessFacts


class ProcessFactsTests(SynchronousTestCase):
    def test_own(self) -> None:
        facts = ProcessFacts()
        assert facts.residentBytes is not None
        assert facts.virtualBytes is not None
        assert facts.startSeconds is not None
        self.assertGreater(facts.residentBytes, 1_000_000)
        self.assertGreater(facts.virtualBytes, facts.residentBytes)
        self.assertGreater(facts.cpuSeconds, 0)
        # A day is a bound, and no measurement.
        self.assertLess(facts.startSeconds, time.time() + 86_400)

    def test_missing(self) -> None:
        """
        On a system without proc(5) these are left out.
        """
        facts = ProcessFacts(folder="/nowhere")
        self.assertIsNone(facts.residentBytes)
        self.assertIsNone(facts.virtualBytes)
        self.assertIsNone(facts.startSeconds)
        self.assertIsNone(facts.descriptors)

    def test_name(self) -> None:
        """
        The name of a process may have brackets and blanks.
        """
        folder = self.mktemp()
        os.mkdir(folder)
        with open(os.path.join(folder, "stat"), "w", encoding="utf-8") as file:
            file.write("7 (a) b) S " + " ".join(map(str, range(4, 53))))
        found = ProcessFacts(folder=folder).startSeconds
        assert found is not None
        boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        self.assertLess(abs(found - boot - 22 / os.sysconf("SC_CLK_TCK")), 60)

    def test_descriptors(self) -> None:
        """
        The number is what the kernel tells, as it does since Linux 6.2. Otherwise descriptors are
        counted, but not if there are many.
        """
        self.assertGreater(ProcessFacts().descriptors or 0, 2)
        for told, connections, wanted in ((77, 0, 77), (0, MOST_COUNTED, None), (0, 0, 2)):
            status = SimpleNamespace(st_size=told)
            with (
                mock.patch.object(os, "stat", return_value=status),
                mock.patch.object(os, "listdir", return_value=["0", "1"]),
            ):
                self.assertEqual(ProcessFacts(connections).descriptors, wanted)

    def test_noLimit(self) -> None:
        infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        with mock.patch.object(resource, "getrlimit", return_value=infinite):
            self.assertIsNone(ProcessFacts().limit)
