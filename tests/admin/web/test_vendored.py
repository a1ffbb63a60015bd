"""
What the console has from others is what C{vendored.json} says of it.
"""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import txlb.admin.web
from tests.test_packaging import ROOT

STATIC = Path(txlb.admin.web.__file__).parent / "static"
VENDOR = STATIC / "vendor"

#: What each licence says, and no other one of them.
WORDS = {
    "BSD-3-Clause": "Redistribution and use in source and binary forms",
    "MIT": "Permission is hereby granted, free of charge",
}


class VendoredTests(SynchronousTestCase):
    def setUp(self) -> None:
        text = (VENDOR / "vendored.json").read_text(encoding="utf-8")
        self.told: dict[str, dict[str, Any]] = json.loads(text)

    def test_hashes(self) -> None:
        """
        Each file has its hash, and there is no other file.
        """
        hashes = {
            path: each for package in self.told.values() for path, each in package["sha256"].items()
        }
        found = {
            path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in VENDOR.rglob("*")
            if path.is_file() and path.name != "vendored.json"
        }
        self.assertEqual(found, hashes)

    def test_licences(self) -> None:
        """
        The licence of each package is beside it.
        """
        for name, package in self.told.items():
            text = (VENDOR / name / "LICENSE.txt").read_text(encoding="utf-8")
            self.assertIn(WORDS[package["licence"]], " ".join(text.split()), name)

    def test_script(self) -> None:
        """
        The script that renews the files has the same versions, licences and files.
        """
        script = runpy.run_path(str(ROOT / "tools" / "vendor_console.py"), run_name="script")
        told = {
            name: (package["version"], package["licence"], set(package["sha256"]))
            for name, package in self.told.items()
        }
        wanted = {
            name: (version, licence, set(files))
            for name, (version, licence, files) in script["VENDORED"].items()
        }
        self.assertEqual(told, wanted)

    def test_requestsNothingElsewhere(self) -> None:
        """
        The pages name no address of another server.
        """
        own = [path for path in STATIC.iterdir() if path.suffix in {".js", ".css", ".html"}]
        self.assertGreater(len(own), 15)
        for path in own:
            text = path.read_text(encoding="utf-8")
            for words in ("http://", "https://", 'src="//', "url("):
                self.assertNotIn(words, text, path)
