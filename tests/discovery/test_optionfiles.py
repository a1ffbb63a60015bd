"""
Tests for L{txlb.discovery._optionfiles}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery._optionfiles import MAX_SECRET, readFiles
from txlb.errors import ModelError


class ReadFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    def write(self, data: bytes) -> None:
        with open(os.path.join(self.folder, "file"), "wb") as file:
            file.write(data)

    def read(self, name: str) -> dict[str, bytes]:
        return readFiles({"url": "x", "tokenFile": None, name: "file"}, self.folder, "--{}".format)

    def test_read(self) -> None:
        self.write(b"one\r\ntwo\n")
        self.assertEqual(self.read("ca"), {"ca": b"one\r\ntwo\n"})
        for name in ("passwordFile", "tokenFile"):
            self.assertEqual(self.read(name), {name: b"one"})

    def test_noSecret(self) -> None:
        for data in (b"", b"\nx", b"a\tb", b"\xff", b"x" * (MAX_SECRET + 1)):
            self.write(data)
            error = self.assertRaises(ModelError, self.read, "tokenFile")
            self.assertIn("--tokenFile is 'file', wh", str(error))

    def test_noFile(self) -> None:
        self.assertRaises(ModelError, self.read, "ca")
        os.mkfifo(os.path.join(self.folder, "file"))
        self.assertRaises(ModelError, self.read, "ca")
