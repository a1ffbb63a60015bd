"""
A short run of the benchmark of TLS: every peer serves every client, and each session that can be
resumed is.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.peers import AGAIN, BASELINE, FAST
from benchmarks.tls._peers import NGINX, PLAIN, STUNNEL
from tests.integration.support import IntegrationTestCase
from tests.test_benchmarks import runModule

SHORT = ("--rounds", "1", "--seconds", "0.05", "--connections", "10", "--transfer", "262144")


class ShortRunTests(IntegrationTestCase):
    needed = ("haproxy", "nginx", "stunnel4")

    def test_run(self) -> None:
        """
        The shortest run ends with status 0, and has a sample of each peer for each work.
        """
        folder = Path(self.mktemp()).resolve()
        done = runModule("benchmarks.tls", *SHORT, "--results", str(folder))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = json.loads((folder / "tls.json").read_text(encoding="utf-8"))
        parts = {part["key"]: part["comparisons"] for part in found["parts"]}
        self.assertEqual(
            {key: len(comparisons) for key, comparisons in parts.items()},
            {"in": 5, "both": 5, "rsa": 2, "no-tickets": 1, "names": 1},
        )
        for comparisons in parts.values():
            for comparison in comparisons:
                samples = comparison["samples"]
                self.assertEqual([name for name, each in samples.items() if not each], [])
        self.assertLessEqual(
            {BASELINE, AGAIN, FAST, NGINX, STUNNEL}, set(parts["in"][0]["samples"])
        )
        self.assertEqual(
            [name for name in parts["names"][0]["samples"] if name.startswith(PLAIN)],
            [PLAIN, f"{PLAIN}, again"],
        )
        for memory in found["memory"].values():
            self.assertTrue(all(len(each["kib"]) == 3 for each in memory))
        table = (folder / "tls.inc").read_text(encoding="utf-8")
        self.assertIn("TLS with clients, ECDSA P-256: CPU, haproxy = 1\n-----", table)
