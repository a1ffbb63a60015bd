"""
Tests for L{txlb.cluster._records}.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.cluster import LeaderRecord, MemberRecord


class RecordTests(SynchronousTestCase):
    def test_read(self) -> None:
        record = MemberRecord("a", "127.0.0.1:80", "2.0", 5.5, "b", 7, 3, "abc")
        self.assertEqual(MemberRecord.of("a", record.encoded()), record)
        leader = LeaderRecord("a", 5.0)
        self.assertEqual(LeaderRecord.of(leader.encoded()), leader)

    def test_wrong(self) -> None:
        """
        What is wrong in a record is left out, and the name of the key counts.
        """
        told = {
            "name": "b",
            "address": "x" * 1000,
            "version": "\x1b[2J",
            "since": 1e300,
            "term": True,
            "applied": 2**70,
            "leader": 5,
        }
        found = MemberRecord.of("a", json.dumps(told).encode())
        self.assertEqual(found, MemberRecord("a", "x" * 255))
        self.assertEqual(MemberRecord.of("a", b" " * 10_000), MemberRecord("a"))

    @given(
        st.binary(max_size=60)
        | st.dictionaries(
            st.sampled_from(["member", "since", "term", "applied", "digest"]),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        ).map(lambda told: json.dumps(told).encode())
    )
    def test_anything(self, data: bytes) -> None:
        record = MemberRecord.of("a", data)
        self.assertTrue(0 <= record.term < 2**63)
        self.assertTrue(LeaderRecord.of(data).since >= 0)
