"""
Tests for L{txlb.cloning._settings}.
"""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import CloningError, availableCPUs
from txlb.cloning._settings import processCount


class CountTests(SynchronousTestCase):
    def test_number(self) -> None:
        self.assertEqual([processCount(1), processCount(256)], [1, 256])

    def test_wrong(self) -> None:
        for wrong, said in ((0, "1 to 256"), (-1, "1 to 256"), (257, "1 to 256"), (True, "whole")):
            with self.assertRaisesRegex(CloningError, said):
                processCount(wrong)
        with self.assertRaisesRegex(CloningError, "'many'.*'auto'"):
            processCount("many")
        with self.assertRaisesRegex(CloningError, "2.5"):
            processCount(2.5)

    def test_auto(self) -> None:
        self.assertEqual(processCount("auto"), availableCPUs())


class CPUTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.inner = self.root / "system.slice" / "app.service"
        self.inner.mkdir(parents=True)
        self.own = self.root / "own"
        self.own.write_text("0::/system.slice/app.service\n")
        self.patch(os, "sched_getaffinity", lambda _: set(range(8)))

    def count(self) -> int:
        return availableCPUs(str(self.root), str(self.own))

    def test_affinity(self) -> None:
        self.assertEqual(self.count(), 8)

    def test_quota(self) -> None:
        """
        A part of a CPU counts as one.
        """
        (self.inner / "cpu.max").write_text("250000 100000\n")
        self.assertEqual(self.count(), 3)
        (self.inner / "cpu.max").write_text("1000 100000\n")
        self.assertEqual(self.count(), 1)

    def test_above(self) -> None:
        """
        The quotas of the groups above count as well.
        """
        (self.inner / "cpu.max").write_text("max 100000\n")
        (self.root / "system.slice" / "cpu.max").write_text("400000 100000\n")
        self.assertEqual(self.count(), 4)
        (self.root / "cpu.max").write_text("200000 100000\n")
        self.assertEqual(self.count(), 2)

    def test_unknown(self) -> None:
        """
        What can't be read is no limit.
        """
        (self.inner / "cpu.max").write_text("nonsense\n")
        self.assertEqual(self.count(), 8)
        self.own.write_text("1:cpu:/\n")
        self.assertEqual(self.count(), 8)
        self.assertEqual(availableCPUs(str(self.root), str(self.root / "none")), 8)

    def test_oneAtLeast(self) -> None:
        with mock.patch.object(os, "sched_getaffinity", return_value=set()):
            self.assertEqual(self.count(), 1)
