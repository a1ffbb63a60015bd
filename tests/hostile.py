"""
Names of users that no source may take for another name, and what a line of a log may have.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

#: Names with which no client may get in where C{anna} may.
HOSTILE_NAMES = (
    b"*",
    b"an*",
    b")(uid=*",
    b"anna)(uid=*",
    b"*)(objectClass=*",
    b"anna\0",
    b"\0",
    b"anna\n",
    b"anna\r\n",
    b"anna\nrita: logged in",
    b"anna\x1b[2K\x1b[1Grita",
    b"anna\x7f",
    "anna\x9b2K".encode(),
    "anna\u2028rita".encode(),
    "anna\x85rita".encode(),
    "an\u202ena".encode(),
    "\u2066anna\u2069".encode(),
    "\u200banna".encode(),
    "\U000e0061anna".encode(),
    b" anna",
    b"anna ",
    b"a" * 10_000,
    b"\\2a",
    b"anna,ou=people",
    b"anna+cn=otto",
    b"#04016e",
    b'"anna"',
    b"anna;",
    b"anna:",
    b"anna:secret",
    b"{reason}",
    b"%{User-Name}",
    b"anna@realm",
    b"DEFAULT",
    b'anna" or "1"="1',
    b"",
    b"\xff\xfe",
    b"\xed\xa0\x80",
)

#: Categories of Unicode that end lines or act on terminals: controls, formats such as those of
#: text from right to left, surrogates, and separators of lines and paragraphs.
_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def actingCharacters(lines: Iterable[str]) -> list[str]:
    """
    Find the lines that would not be one line on a terminal, or not be shown as they are.
    """
    return [
        ascii(line)
        for line in lines
        if any(unicodedata.category(character) in _ACTING for character in line)
    ]
