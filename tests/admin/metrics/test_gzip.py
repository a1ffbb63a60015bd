"""
Compression in slices.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.metrics import gzipped
from txlb.admin.metrics._gzip import PIECE, newCompressor


class GzipTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        slices = [b"", b"a" * 10, bytes(range(256)) * 2000, b"", b"end"]
        found = list(gzipped(slices))
        self.assertEqual(gzip.decompress(b"".join(found)), b"".join(slices))
        # One piece for each slice, the large one in several, and the rest.
        self.assertEqual(len(found), 4 + -(-256 * 2000 // PIECE) + 1)

    def test_without(self) -> None:
        """
        It works without the package isal, in the same way.
        """
        with mock.patch.dict(sys.modules, {"isal": None}):
            self.assertIsInstance(newCompressor(), type(zlib.compressobj()))
            self.assertEqual(gzip.decompress(b"".join(gzipped([b"x" * 100]))), b"x" * 100)
