"""
Tests for L{txlb.cli._check}.
"""

from __future__ import annotations

from tests.cli.support import CommandTests
from tests.config.documents import SAMPLE_1_1_0, SMALL


class CheckTests(CommandTests):
    def test_ok(self) -> None:
        path = self.file(SMALL)
        self.assertEqual(
            self.run_("check", path), (0, f"{path}: OK: 1 service, 1 group, 2 hosts\n", "")
        )

    def test_notes(self) -> None:
        path = self.file(SAMPLE_1_1_0)
        status, out, err = self.run_("check", path)
        lines = out.splitlines()
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(lines[0], f"{path}: OK: 2 services, 3 groups, 4 hosts")
        self.assertIn(f"{path}:22: note: no user can log in to the console", lines[1])
        self.assertIn(f"{path}:22: note: <web> listens on *:7000 without TLS", lines[2])
        self.assertEqual(len(lines), 6)

    def test_explain(self) -> None:
        path = self.file(SMALL)
        status, out, err = self.run_("check", "--explain", path)
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(out.startswith(f"{path}: OK: "))
        self.assertRegex(out, r"    idleTimeout +3600 s +default\n")

    def test_everyError(self) -> None:
        path = self.file(SMALL.replace(b"7001", b"0").replace(b"8080", b"70000"))
        status, out, err = self.run_("check", path)
        lines = err.splitlines()
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith(f"{path}:3: ip of <listen>: port 70000"), err)
        self.assertTrue(lines[1].startswith(f"{path}:5: ip of host 'h1': port 0"), err)

    def test_severalFiles(self) -> None:
        """
        Each is looked at, wherever the wrong one stands.
        """
        first, second = self.file(SMALL), self.file(SMALL)
        status, out, err = self.run_("check", first, "missing", second)
        self.assertEqual(status, 1)
        self.assertEqual([line.split(":")[0] for line in out.splitlines()], [first, second])
        self.assertEqual(err, "missing: it can't be read: No such file or directory\n")
