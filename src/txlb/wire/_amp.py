"""
The boxes of AMP, for clients without Twisted: a command that sends one request and ends
starts faster without it.

Source: the protocol as U{Twisted<https://docs.twisted.org/en/stable/core/howto/amp.html>}
describes it: a box is keys and values in turn, each with its length in two bytes
before it, and ends with an empty key. Keys have at most 255 bytes, values 65,535.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_LENGTH = struct.Struct("!H")

#: The longest key, in bytes.
MAX_KEY = 255

#: The longest value, in bytes.
MAX_VALUE = 65_535

#: In an error's box: the commands that resolve it, a JSON array with the purpose, the
#: name of the command and the name of its flag of each. The last lines of the error's
#: description say the same, a line each.
REMEDIES = "_error_remedies"


class BoxError(ValueError):
    """
    Bytes that are no box, or a value that does not fit into one.
    """


def encodeBox(values: Mapping[str, str]) -> bytes:
    """
    Return the bytes of a box.

    @raise BoxError: a key or value does not fit.
    """
    parts = []
    for key, value in values.items():
        for text, most in ((key, MAX_KEY), (value, MAX_VALUE)):
            data = text.encode("utf-8", "surrogateescape")
            if len(data) > most or (most == MAX_KEY and not data):
                raise BoxError(f"{text[:40]!r} has {len(data)} bytes; at most {most} fit")
            parts += [_LENGTH.pack(len(data)), data]
    return b"".join(parts) + b"\0\0"


class BoxReader:
    """
    A reader of boxes in a stream, in the pieces in which it arrives.

    @param most: the most bytes that a box may have.
    """

    def __init__(self, most: int = 1 << 20) -> None:
        self._most = most
        self._data = b""
        self._strings: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[dict[str, str]]:
        """
        Take the next bytes.

        @return: the boxes that are complete now.
        @raise BoxError: this is no AMP, or a box is too long.
        """
        self._data += data
        boxes = []
        begin = 0
        while begin + 2 <= len(self._data):
            (length,) = _LENGTH.unpack_from(self._data, begin)
            isKey = len(self._strings) % 2 == 0
            if isKey and length > MAX_KEY:
                raise BoxError("this is no AMP")
            end = begin + 2 + length
            if end > len(self._data):
                break
            self._size += 2 + length
            if self._size > self._most:
                raise BoxError(f"a box has more than {self._most} bytes")
            if isKey and not length:
                texts = [each.decode("utf-8", "replace") for each in self._strings]
                boxes.append(dict(zip(texts[::2], texts[1::2], strict=True)))
                self._strings, self._size = [], 0
            else:
                self._strings.append(self._data[begin + 2 : end])
            begin = end
        self._data = self._data[begin:]
        return boxes
