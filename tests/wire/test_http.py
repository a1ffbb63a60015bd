"""
Tests for L{txlb.wire._http}. The numbers of sections are those of RFC 9112.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.wire import MAX_HTTP_HEAD, HTTPAnswerError, HTTPReader
from txlb.wire._http import MAX_CHUNK_LINE, MAX_INTERIM

OK = b"HTTP/1.1 200 OK\r\n"


def read(data: bytes, size: int = 1 << 20, hasBody: bool = True) -> tuple[HTTPReader, bytes]:
    """
    Read bytes that arrive in pieces of a size.
    """
    reader = HTTPReader(hasBody)
    content = b"".join(reader.feed(data[at : at + size]) for at in range(0, len(data), size))
    return reader, content


class HeadTests(SynchronousTestCase):
    def test_bareLF(self) -> None:
        """
        A line may end with LF alone: "a recipient MAY recognize a single LF as a
        line terminator" (section 2.2), as HAProxy's checks and curl do.
        """
        for answer in (
            b"HTTP/1.0 200 OK\n\nfine",
            b"HTTP/1.1 200 OK\nServer: x\n\nfine",
            b"HTTP/1.1 200 OK\r\nServer: x\n\r\nfine",
            b"HTTP/1.1 200 OK\nServer: x\r\n\nfine",
        ):
            for size in (1, 3, 100):
                reader, content = read(answer, size)
                self.assertEqual((reader.status, content), (200, b"fine"), (answer, size))

    def test_whiteSpace(self) -> None:
        """
        White space around a value is optional (section 5), and names have no case.
        """
        for field in (
            b"Transfer-Encoding:chunked",
            b"transfer-encoding:  \tchunked \t",
            b"TRANSFER-ENCODING: Chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding:gzip,chunked",
        ):
            reader, content = read(OK + field + b"\r\n\r\n4\r\nfine\r\n0\r\n\r\n")
            self.assertEqual((content, reader.complete), (b"fine", True), field)
        for field in (b"Content-Length:4", b"content-length: \t4 "):
            reader, content = read(OK + field + b"\r\n\r\nfine, and more")
            self.assertEqual((content, reader.complete), (b"fine", True), field)

    def test_notTheName(self) -> None:
        """
        A field's value, or a longer name, is not taken for the field.
        """
        for field in (
            b"X: Transfer-Encoding: chunked",
            b"X-Content-Length: 2",
            b"Content-Length: x",
        ):
            reader, content = read(OK + field + b"\r\n\r\nfine")
            self.assertEqual((content, reader.complete), (b"fine", False), field)
            reader.ended()
            self.assertTrue(reader.complete)

    def test_bothLengths(self) -> None:
        """
        A coding overrides a length (section 6.3).
        """
        fields = b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertEqual(read(OK + fields + b"4\r\nfine\r\n0\r\n")[1], b"fine")

    def test_noBody(self) -> None:
        """
        Some answers have no body, whatever their fields say (section 6.3).
        """
        length = b"Content-Length: 4\r\n\r\n"
        self.assertTrue(read(OK + length, hasBody=False)[0].complete)
        for status in (101, 204, 304):
            self.assertTrue(read(b"HTTP/1.1 %d X\r\n%s" % (status, length))[0].complete)
        self.assertTrue(read(OK + b"Content-Length: 0\r\n\r\n")[0].complete)

    def test_interim(self) -> None:
        early = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        self.assertEqual(read(early * MAX_INTERIM + OK + b"\r\n", 7)[0].status, 200)
        error = self.assertRaises(HTTPAnswerError, read, early * (MAX_INTERIM + 1))
        self.assertEqual(str(error), "more than 5 interim answers")

    def test_noHTTP(self) -> None:
        for said in (b"SSH-2.0-x", b"H\0", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 2\r\n\r\n"):
            error = self.assertRaises(HTTPAnswerError, read, said)
            self.assertEqual(str(error), "the answer is no HTTP")

    def test_bounded(self) -> None:
        """
        A head has a bound, whether it is one long line, many lines, or in several
        interim answers.
        """
        line = b"X: " + b"x" * 997 + b"\r\n"
        for said in (
            OK + b"x" * 2 * MAX_HTTP_HEAD,
            OK + line * 17,
            (b"HTTP/1.1 103 X\r\n" + line * 8 + b"\r\n") * 3,
        ):
            for size in (1, 1000, 1 << 20):
                error = self.assertRaises(HTTPAnswerError, read, said, size)
                self.assertEqual(
                    str(error), f"the head of the answer has more than {MAX_HTTP_HEAD} bytes"
                )

    def test_closed(self) -> None:
        for said, words in ((b"", "closed without an answer"), (b"HTTP/1.1 20", "closed after")):
            reader, _ = read(said)
            error = self.assertRaises(HTTPAnswerError, reader.ended)
            self.assertEqual((str(error), error.data), (words, said))
        reader, _ = read(OK + b"Content-Length: 4\r\n\r\nfin")
        reader.ended()
        self.assertFalse(reader.complete)


class ChunkTests(SynchronousTestCase):
    HEAD = OK + b"Transfer-Encoding: chunked\r\n\r\n"

    @given(
        st.lists(st.binary(min_size=1, max_size=20), max_size=5),
        st.sampled_from([b"\r\n", b"\n"]),
        st.sampled_from([b"", b";x=y", b" ; x"]),
        st.integers(1, 50),
        st.integers(0, 200),
    )
    def test_anySplit(
        self, parts: list[bytes], newline: bytes, extension: bytes, size: int, cut: int
    ) -> None:
        """
        Chunks are put together however they arrive, and a part of them is a part of
        the content.
        """
        data = b"".join(
            b"%x%s%s%s%s" % (len(part), extension, newline, part, newline) for part in parts
        )
        data += b"0" + newline + newline
        reader, content = read(self.HEAD + data, size)
        self.assertEqual((content, reader.complete), (b"".join(parts), True))
        _, found = read(self.HEAD + data[:cut], size)
        self.assertTrue(b"".join(parts).startswith(found))

    def test_wrong(self) -> None:
        for said, words in (
            (b"fine\r\n", "a chunk of the answer has no length"),
            (b"-1\r\n", "a chunk of the answer has no length"),
            (b"123456789\r\n", "a chunk of the answer has no length"),
            (b"1;" + b"x" * MAX_CHUNK_LINE, f"a chunk's line has more than {MAX_CHUNK_LINE} bytes"),
        ):
            for size in (1, 1 << 20):
                error = self.assertRaises(HTTPAnswerError, read, self.HEAD + said, size)
                self.assertEqual(str(error), words)

    def test_linear(self) -> None:
        """
        Each byte is looked at a bounded number of times: after many small chunks the
        reader holds no more than after few.
        """
        reader, _ = read(self.HEAD)
        for _ in range(1000):
            self.assertEqual(reader.feed(b"1\r\nx\r\n"), b"x")
            chunks = reader._chunks
            assert chunks is not None
            self.assertEqual((len(reader._head), len(chunks._line)), (0, 0))
        self.assertEqual(reader.received, 6000)
