"""
A short run of the benchmark of TLS: every peer serves every client, and each session that can be
resumed is.
"""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.peers import AGAIN, BASELINE, FAST, PORTABLE
from benchmarks.tls._authority import Authority
from benchmarks.tls._peers import NGINX, OTHER, PLAIN, STUNNEL
from benchmarks.tls.reloads import Renewed, stale
from tests.integration.support import IntegrationTestCase
from tests.test_benchmarks import runModule

SHORT = ("--rounds", "1", "--seconds", "0.05", "--connections", "10", "--transfer", "262144")


class ShortRunTests(IntegrationTestCase):
    needed = ("haproxy", "nginx", "stunnel4")

    def run_(self, *options: str) -> dict[str, Any]:
        """
        Run it, to its end.

        @return: what it has found.
        """
        folder = Path(self.mktemp()).resolve()
        done = runModule("benchmarks.tls", *SHORT, *options, "--results", str(folder))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(" a connection\n---" if "memory" in options else "= 1\n---", _text(folder))
        found: dict[str, Any] = json.loads((folder / "tls.json").read_text(encoding="utf-8"))
        return found

    def test_cpu(self) -> None:
        """
        There is a sample of each peer for each work.
        """
        found = self.run_("--parts", "in", "both", "names")
        parts = {part["key"]: part["comparisons"] for part in found["parts"]}
        self.assertEqual(
            {key: len(comparisons) for key, comparisons in parts.items()},
            {"in": 5, "both": 5, "names": 1},
        )
        for comparisons in parts.values():
            for comparison in comparisons:
                samples = comparison["samples"]
                self.assertEqual([name for name, each in samples.items() if not each], [])
        self.assertLessEqual(
            {BASELINE, AGAIN, FAST, PORTABLE, NGINX, STUNNEL}, set(parts["in"][0]["samples"])
        )
        self.assertLessEqual({PLAIN, f"{PLAIN}, again", FAST}, set(parts["names"][0]["samples"]))

    def test_memory(self) -> None:
        """
        There is a figure for each kind of connection.
        """
        haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        parts = ("--parts", "no-tickets", "rsa", "memory")
        found = self.run_("--few", *parts, "--haproxy", str(haproxy))
        self.assertEqual([len(part["comparisons"]) for part in found["parts"]], [2, 1])
        self.assertTrue(found["parts"][0]["comparisons"][0]["samples"][OTHER])
        self.assertEqual(len(found["memory"]), 2)
        for memory in found["memory"].values():
            self.assertEqual([each["peer"] for each in memory], [BASELINE, FAST, OTHER])
            self.assertTrue(all(len(each["kib"]) == 3 for each in memory))


class ReloadsTests(IntegrationTestCase):
    def test_reloads(self) -> None:
        """
        Certificates are renewed while clients connect, none of which fails, in both relays.
        """
        for relay in ("fast", "portable"):
            done = runModule(
                "benchmarks.tls.reloads", "--reloads", "2", "--rate", "50", "--relay", relay
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("2 good reloads and as many bad ones", done.stdout)
            self.assertIn(" 0 failed", done.stdout)

    def test_stale(self) -> None:
        """
        A client that connects after a reload and gets an older certificate counts, as does one
        with a certificate that there never was.
        """
        renewed = Renewed(Authority(), Path(self.mktemp()))
        renewed.serials, renewed.since = [7, 8, 9], [1.0, 2.0, 3.0]
        right = [(0.5, 7), (1.5, 7), (1.5, 8), (2.5, 9), (3.5, 9)]
        self.assertEqual(stale(renewed, right), {})
        wrong = [(2.5, 7), (3.5, 8), (3.5, 5)]
        self.assertEqual(stale(renewed, [*right, *wrong]), {"stale": 2, "unknown": 1})

    def test_bad(self) -> None:
        """
        Each bad file is another one, and has not all that a good one has.
        """
        renewed = Renewed(Authority(), Path(self.mktemp()))
        found = dict(itertools.islice(renewed.bad(), 6))
        self.assertEqual(len(set(found.values())), 6)
        whole = [name for name, data in found.items() if b"END PRIVATE KEY" in data]
        self.assertEqual(whole, ["the key of another certificate", "an expired certificate"])


def _text(folder: Path) -> str:
    return (folder / "tls.inc").read_text(encoding="utf-8")
