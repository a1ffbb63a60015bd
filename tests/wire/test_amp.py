"""
Tests for L{txlb.wire._amp}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import BoxError, BoxReader, encodeBox

BOXES = st.lists(
    st.dictionaries(
        st.text(min_size=1, max_size=20), st.text(max_size=100), min_size=1, max_size=5
    ),
    max_size=5,
)


class BoxTests(SynchronousTestCase):
    @given(BOXES, st.integers(1, 50))
    def test_always(self, boxes: list[dict[str, str]], size: int) -> None:
        """
        What is written is read, however it is cut, and it is what Twisted writes.
        """
        data = b"".join(map(encodeBox, boxes))
        reader = BoxReader()
        found = []
        for begin in range(0, len(data), size):
            found += reader.feed(data[begin : begin + size])
        self.assertEqual(found, boxes)
        theirs = [
            {key.decode("utf-8"): value.decode("utf-8") for key, value in box.items()}
            for box in amp.parseString(data)
        ]
        self.assertEqual(theirs, boxes)

    @given(st.binary(max_size=300))
    def test_garbage(self, data: bytes) -> None:
        """
        Anything else is no AMP, or goes on.
        """
        try:
            BoxReader(most=200).feed(data)
        except BoxError:
            pass

    def test_tooLong(self) -> None:
        for values in ({"k" * 256: "v"}, {"k": "v" * 65_536}, {"": "v"}):
            self.assertRaises(BoxError, encodeBox, values)
        long = encodeBox({"k": "v" * 60_000})
        self.assertEqual(len(BoxReader(most=60_100).feed(long)), 1)
        self.assertRaises(BoxError, BoxReader(most=60_000).feed, long)

    def test_noText(self) -> None:
        """
        A file's name need not be text.
        """
        self.assertIn(b"\xff", encodeBox({"path": "\udcff"}))
        self.assertEqual(BoxReader().feed(encodeBox({"path": "\udcff"})), [{"path": "�"}])
