"""
Tests for L{txlb.wire._stomp}.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import (
    MAX_STOMP_BODY,
    MAX_STOMP_HEAD,
    MAX_STOMP_HEADERS,
    StompFrame,
    StompFrameError,
    StompReader,
    encodeStomp,
    parseHeartBeat,
)
from txlb.wire._stomp import COMMANDS

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NAMES = TEXTS.filter(lambda text: text and text != "content-length")
ESCAPED = st.builds(
    StompFrame,
    st.sampled_from(["SEND", "MESSAGE", "ERROR"]),
    st.dictionaries(NAMES, TEXTS, max_size=5),
    st.binary(max_size=200),
)
WITHOUT_BODY = st.builds(
    StompFrame,
    st.sampled_from(["SUBSCRIBE", "RECEIPT", "DISCONNECT", "ACK", "BEGIN"]),
    st.dictionaries(NAMES, TEXTS, max_size=5),
)
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=20)
FIRST = st.builds(
    StompFrame,
    st.sampled_from(["CONNECT", "STOMP", "CONNECTED"]),
    st.dictionaries(
        LINES.filter(lambda text: text and ":" not in text and text != "content-length"),
        LINES,
        max_size=5,
    ),
)
FRAMES = st.lists(ESCAPED | WITHOUT_BODY | FIRST, max_size=5)

#: What hostile peers send: pieces that a frame has, in any order.
PIECES = st.lists(
    st.sampled_from(
        [
            *(each.encode() for each in sorted(COMMANDS)),
            b"\n",
            b"\r\n",
            b"\r",
            b"\0",
            b":",
            b"\\",
            b"\\n",
            b"\\x",
            b"content-length:",
            b"content-length:3\n",
            b"content-length:-1\n",
            b"content-length:99999999999999999999\n",
            b"heart-beat:0,0\n",
            b"\xff",
            b"abc",
            b"a:b\n",
            b"\n\n",
        ]
    )
    | st.binary(max_size=8),
    max_size=40,
).map(b"".join)


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """
    Cut bytes.
    """
    places = [0, *sorted(each % (len(data) + 1) for each in cuts), len(data)]
    return [data[one:two] for one, two in pairwise(places)]


def outcome(parts: Iterable[bytes]) -> tuple[list[StompFrame], str]:
    """
    Return the frames of some parts, and the error at their end.
    """
    # Small bounds are reached.
    reader = StompReader(4, 60, 40)
    frames: list[StompFrame] = []
    for part in parts:
        for at in range(len(part)):
            try:
                frames += reader.feed(part[at : at + 1])
            except StompFrameError as error:
                return frames, str(error)
            assert reader.held <= 60 + 40 + 1
    return frames, ""


class ContractTests(SynchronousTestCase):
    @given(FRAMES, st.lists(st.integers(0, 10_000), max_size=10), st.booleans())
    def test_roundTrip(self, frames: list[StompFrame], cuts: list[int], beats: bool) -> None:
        """
        What is written is read, however it is cut, with heart-beats between frames or without.
        """
        between = b"\n\r\n" if beats else b""
        data = between.join([encodeStomp(each) for each in frames])
        reader = StompReader()
        found = [frame for part in pieces(data, cuts) for frame in reader.feed(part)]
        self.assertEqual(found, frames)
        self.assertEqual(reader.held, 0)

    @given(PIECES, st.lists(st.integers(0, 10_000), max_size=10))
    def test_hostile(self, data: bytes, cuts: list[int]) -> None:
        """
        Other bytes are frames, or go on, or are an error of the codec. How they are cut makes no
        difference.
        """
        reader = StompReader(4, 60, 40)
        frames, said = outcome([data])
        found: list[StompFrame] = []
        try:
            for part in pieces(data, cuts):
                found += reader.feed(part)
        except StompFrameError:
            # Frames of the same piece are lost, and a long one may be too long in two ways.
            self.assertTrue(said)
            self.assertEqual(found, frames[: len(found)])
            self.assertRaises(StompFrameError, reader.feed, b"\n")
            self.assertEqual(reader.held, 0)
        else:
            self.assertEqual((found, said), (frames, ""))

    def test_memory(self) -> None:
        """
        A peer that never ends a frame can have no more of the memory than one frame.
        """
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for begin, part in (
            (b"", b"\n" * 65_536),
            (b"SEND\n", b"a" * 65_536),
            (b"SEND\n", b"a:b\n" * 16_384),
            (b"SEND\n\n", b"a" * 65_536),
            (b"SEND\ncontent-length:1000000\n\n", b"\0" * 65_536),
        ):
            reader = StompReader()
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            failed = False
            for each in (begin, *[part] * 200):
                try:
                    reader.feed(each)
                except StompFrameError:
                    failed = True
            self.assertEqual(failed, begin != b"")
            peak = tracemalloc.get_traced_memory()[1] - before
            self.assertLess(peak, 4 * (MAX_STOMP_HEAD + MAX_STOMP_BODY))

    def test_linear(self) -> None:
        """
        A long frame that comes byte by byte is looked at only where it is new: each search
        begins near the end.
        """
        for head in (b"SEND\n\n", b"SEND\ncontent-length:20000\n\n"):
            reader = StompReader()
            reader.feed(head)
            for _ in range(20_000):
                self.assertEqual(reader.feed(b"x"), [])
                self.assertLessEqual(reader.held - reader._searched, 20_000)
            if reader._length is None:
                self.assertEqual(reader._searched, reader.held)
            (frame,) = reader.feed(b"\0")
            self.assertEqual(len(frame.body), 20_000)


class ReaderTests(SynchronousTestCase):
    def read(self, data: bytes) -> list[StompFrame]:
        return StompReader().feed(data)

    def test_linesEnd(self) -> None:
        """
        Lines may end with CR LF.
        """
        for end in (b"\n", b"\r\n"):
            data = end.join([b"", b"RECEIPT", b"receipt-id:7", b"", b"\0"])
            self.assertEqual(self.read(data), [StompFrame("RECEIPT", {"receipt-id": "7"})])

    def test_escapes(self) -> None:
        self.assertEqual(
            self.read(b"MESSAGE\na\\c\\\\:b\\n\\r\\c\\\\n\n\n\0"),
            [StompFrame("MESSAGE", {"a:\\": "b\n\r:\\n"})],
        )
        # The first frames have none, and a colon may stand in a value.
        self.assertEqual(
            self.read(b"CONNECTED\nserver:a\\n\\x:b\n\n\0"),
            [StompFrame("CONNECTED", {"server": "a\\n\\x:b"})],
        )
        self.assertEqual(self.read(b"MESSAGE\na:b:c\n\n\0"), [StompFrame("MESSAGE", {"a": "b:c"})])

    def test_firstCounts(self) -> None:
        (frame,) = self.read(b"MESSAGE\na:1\na:2\ncontent-length:1\ncontent-length:9\n\nx\0")
        self.assertEqual((frame.get("a"), frame.get("b"), frame.body), ("1", "", b"x"))

    def test_bodies(self) -> None:
        """
        With a length a body may have NULs in it; without one it ends with the first.
        """
        found = self.read(b"MESSAGE\ncontent-length:3\n\n\0\0\0\0MESSAGE\n\nab\0\n\nMESSAGE\n\n\0")
        self.assertEqual([each.body for each in found], [b"\0\0\0", b"ab", b""])

    def test_wrong(self) -> None:
        for data, said in (
            (b"HELLO\n\n\0", "'HELLO' is no command"),
            (b"\0\n\n", "NUL in its headers"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no command"),
            (b"SEND\n:x\n\n\0", "is no header"),
            (b"SEND\nx\n\n\0", "is no header"),
            (b"SEND\na:b\rc\n\n\0", "is no header"),
            (b"SEND\na:\\t\n\n\0", "has no meaning"),
            (b"SEND\na:\\\n\n\0", "has no meaning"),
            (b"SEND\na:\xff\n\n\0", "no UTF-8"),
            (b"SEND\na:\0\n\n\0", "NUL"),
            (b"SEND\ncontent-length:x\n\n\0", "length of a body is 'x'"),
            (b"SEND\ncontent-length:1\n\nab\0", "does not end with NUL"),
            (b"SEND\ncontent-length:%d\n\n" % (MAX_STOMP_BODY + 1), "body of a frame has more"),
            (b"SEND\n\n" + b"x" * (MAX_STOMP_BODY + 1), "body of a frame has more"),
            (b"RECEIPT\n\nx\0", "RECEIPT has a body"),
            (b"SEND\n" + b"a:b\n" * (MAX_STOMP_HEADERS + 1) + b"\n\0", "more than 64 headers"),
            (b"SEND\n" + b"a" * MAX_STOMP_HEAD, "command and headers of a frame have more"),
        ):
            with self.subTest(data[:60]):
                self.assertIn(said, str(self.assertRaises(StompFrameError, self.read, data)))

    def test_bounds(self) -> None:
        """
        What is as long as it may be is read.
        """
        frame = StompFrame(
            "SEND", {str(each): "x" for each in range(MAX_STOMP_HEADERS - 1)}, b"x" * MAX_STOMP_BODY
        )
        self.assertEqual(self.read(encodeStomp(frame)), [frame])
        most = MAX_STOMP_HEAD - len("SEND\na:\ncontent-length:0\n\n")
        frame = StompFrame("SEND", {"a": "x" * most})
        self.assertEqual(self.read(encodeStomp(frame)), [frame])


class WriterTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        self.assertEqual(
            encodeStomp(StompFrame("SEND", {"a": "b:\n"}, b"\0")),
            b"SEND\na:b\\c\\n\ncontent-length:1\n\n\0\0",
        )
        self.assertEqual(
            encodeStomp(StompFrame("CONNECT", {"passcode": "a:\\b"})),
            b"CONNECT\npasscode:a:\\b\n\n\0",
        )

    def test_wrong(self) -> None:
        many = {str(each): "x" for each in range(MAX_STOMP_HEADERS)}
        for frame in (
            StompFrame("HELLO"),
            StompFrame("SEND", {"content-length": "3"}),
            StompFrame("SEND", {"": "3"}),
            StompFrame("SEND", {"a": "\0"}),
            StompFrame("SEND", {"a": "\ud800"}),
            StompFrame("SEND", many),
            StompFrame("SEND", {"a": "x" * MAX_STOMP_HEAD}),
            StompFrame("SEND", {}, b"x" * (MAX_STOMP_BODY + 1)),
            StompFrame("SUBSCRIBE", {}, b"x"),
            StompFrame("CONNECT", {"a:b": "x"}),
            StompFrame("CONNECT", {"a": "x\ny:z"}),
            StompFrame("CONNECT", {"a\r": "x"}),
        ):
            with self.subTest(frame):
                self.assertRaises(StompFrameError, encodeStomp, frame)


class HeartBeatTests(SynchronousTestCase):
    def test_right(self) -> None:
        for text, found in (("", (0, 0)), ("0,0", (0, 0)), ("4000,9999999999", (4000, 10**9))):
            self.assertEqual(parseHeartBeat(text), found)

    def test_wrong(self) -> None:
        for text in ("1", "1,", "-1,0", "1,2,3", " 1,2", "1,99999999999", "a,b", "\u0663,1"):
            self.assertRaises(StompFrameError, parseHeartBeat, text)
