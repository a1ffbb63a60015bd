"""
Tests for L{txlb.cloning._usage}.
"""

from __future__ import annotations

import resource

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._usage import residentMemory


class MemoryTests(SynchronousTestCase):
    def test_own(self) -> None:
        """
        It is that of a Python with Twisted: some MiB at least.
        """
        self.assertGreater(residentMemory(), 8 * 1024)

    def test_pages(self) -> None:
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("1000 50 40 1 0 30 0\n")
        self.assertEqual(residentMemory(path), 50 * resource.getpagesize() // 1024)

    def test_unknown(self) -> None:
        path = self.mktemp()
        self.assertEqual(residentMemory(path), 0)
        for text in ("", "1000", "1000 many"):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            self.assertEqual(residentMemory(path), 0)
