"""
Tests for L{benchmarks.ports}.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.ports import MOST_BLOCKS, SIZE, Ports
from benchmarks.programs import ROOT

#: Ports that nothing else seeks. Tests may run at the same time: each has some of its own.
DIFFER, OTHER, BUSY, DESCRIPTORS = 18_000, 18_200, 18_400, 18_600

TAKE = """
from benchmarks.ports import Ports
ports = Ports({first}, {last})
print(*(ports.take() for _ in range({count})))
"""


class PortsTests(SynchronousTestCase):
    def test_differ(self) -> None:
        """
        Each port is within the range, and none is given twice before all blocks were.
        """
        ports = Ports(DIFFER, DIFFER + 2 * SIZE)
        taken = {ports.take() for _ in range(SIZE)}
        self.assertTrue(taken <= set(range(DIFFER, DIFFER + 2 * SIZE)))

    def test_otherProcess(self) -> None:
        """
        Another process gets ports of other blocks, and an error if there are none.
        """
        ports = Ports(OTHER, OTHER + 2 * SIZE)
        mine = {ports.take() for _ in range(3)}
        theirs = self.other(3)
        self.assertEqual(len(theirs), 3)
        self.assertEqual({(each - OTHER) // SIZE for each in theirs | mine}, {0, 1})
        second = Ports(OTHER, OTHER + 2 * SIZE)
        second.take()
        self.assertRaises(LookupError, Ports(OTHER, OTHER + 2 * SIZE).take)

    def test_busy(self) -> None:
        """
        A port on which something listens, at whatever loopback address, is not given.
        """
        with socket.socket() as listener:
            listener.bind(("127.0.0.9", BUSY + 3))
            listener.listen(1)
            ports = Ports(BUSY, BUSY + 4)
            taken = {ports.take() for _ in range(3)}
        self.assertNotIn(BUSY + 3, taken)

    def test_descriptors(self) -> None:
        """
        A process has some blocks at a time: those that it took first are free again.
        """
        ports = Ports(DESCRIPTORS, DESCRIPTORS + (MOST_BLOCKS + 2) * SIZE)
        before = len(os.listdir("/dev/fd"))
        for _ in range((MOST_BLOCKS + 1) * SIZE):
            ports.take()
        self.assertLessEqual(len(os.listdir("/dev/fd")), before + MOST_BLOCKS)

    def other(self, count: int) -> set[int]:
        program = TAKE.format(first=OTHER, last=OTHER + 2 * SIZE, count=count)
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60
        )
        return {int(each) for each in done.stdout.split()}
