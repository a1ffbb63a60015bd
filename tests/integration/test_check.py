"""
The C{txlb} command as a program of its own.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys

import argon2
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import SAMPLE_1_1_0, SMALL
from tests.config.wrong import CONTENTS, DOCUMENTS
from tests.integration.programs import PATIENCE, environment

TXLB = [sys.executable, "-m", "txlb"]


def txlb(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*TXLB, *arguments],
        input=data,
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )


#: Runs the command and prints its seconds of processor time and the most KiB that it
#: had. C{ru_maxrss} would tell those of the test's process as well, from before exec().
MEASURED = """
import os, re, sys
from txlb.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
with open("/proc/self/status") as file:
    peak = re.search("VmHWM:\\s*([0-9]+)", file.read())[1]
print(os.times().user, peak)
sys.exit(status)
"""


class CheckTests(SynchronousTestCase):
    def write(self, data: bytes) -> str:
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_rightFile(self) -> None:
        path = self.write(SAMPLE_1_1_0)
        done = txlb("check", path)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(done.stdout.startswith(f"{path}: OK: 2 services".encode()))

    def test_everyWrongFile(self) -> None:
        """
        All the wrong files there are, in one go: each has its lines, none brings
        up a traceback, and all of them together take little time.
        """
        tables = {**DOCUMENTS, **CONTENTS}
        paths = {self.write(data): wanted for data, wanted in tables.values()}
        before = os.times()
        done = txlb("check", *paths)
        after = os.times()
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        lines = done.stderr.decode().splitlines()
        self.assertNotIn("Traceback", done.stderr.decode())
        expected = [
            f"{path}:{line}: " if line else f"{path}: "
            for path, wanted in paths.items()
            for line, _ in wanted
        ]
        self.assertEqual(len(lines), len(expected))
        for text, start in zip(lines, expected, strict=True):
            self.assertTrue(text.startswith(start), (text, start))
        # The processor's time for about a hundred files, not the clock's.
        self.assertTrue(after.children_user - before.children_user < 20)

    def test_costOfMistakes(self) -> None:
        """
        A file with very many mistakes takes seconds of the processor's time and some tens
        of MB, and is answered in 51 lines at most. Each of these took more than a minute,
        or more than a GB.
        """
        names = b" ".join(b'conect%d="1"' % number for number in range(40_000))
        schedulers = b"".join(
            b'<group name="%d" scheduler="lestc%d"/>\n' % (number, number)
            for number in range(10_000)
        )
        files = {
            "attributes": SMALL.replace(b"<service ", b"<service " + names + b" "),
            "schedulers": SMALL.replace(b"  </service>", schedulers + b"  </service>"),
            "white space": b" " * 9_900_000 + b"<!DOCTYPE config><config/>",
            "services": b"<config>\n" + b"<service/>\n" * 20_000 + b"</config>",
        }
        for name, data in files.items():
            path = self.write(data)
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, "check", path],
                capture_output=True,
                env=environment(),
                timeout=120,
                check=False,
            )
            seconds, peak = map(float, done.stdout.split())
            self.assertEqual(done.returncode, 1, name)
            self.assertLessEqual(done.stderr.count(b"\n"), 51, name)
            self.assertLess(seconds, 15, name)
            self.assertLess(peak, 300 * 1024, name)

    def test_headOfOutput(self) -> None:
        """
        A reader that has seen enough is no reason for a traceback.
        """
        path = self.write(SMALL)
        program = subprocess.Popen(
            [*TXLB, "check", "--explain", *[path] * 500],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        with program:
            assert program.stdout is not None
            assert program.stderr is not None
            self.assertIn(b"OK", program.stdout.readline())
            program.stdout.close()
            self.assertEqual(program.stderr.read(), b"")
            self.assertEqual(program.wait(PATIENCE), 141)

    def test_withoutReactor(self) -> None:
        """
        To check a file, no reactor is taken: what a file may ask for is known
        without.
        """
        path = self.write(SMALL)
        code = (
            "import sys, txlb.cli; "
            f"status = txlb.cli.main(['check', {path!r}]); "
            "sys.exit(status or 'twisted.internet.reactor' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            env=environment(),
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_version(self) -> None:
        done = txlb("--version")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith(b"txlb "))


class PasswdTests(SynchronousTestCase):
    def test_piped(self) -> None:
        done = txlb("passwd", data=b"hunter2\n")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(argon2.PasswordHasher().verify(done.stdout.decode().strip(), "hunter2"))

    def test_terminal(self) -> None:
        """
        At a real terminal it asks twice, and what is typed is not shown.
        """
        terminal, inner = os.openpty()
        self.addCleanup(os.close, terminal)
        program = subprocess.Popen(
            [*TXLB, "passwd"],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment(),
            start_new_session=True,
        )
        os.close(inner)
        self.addCleanup(program.wait, PATIENCE)
        self.addCleanup(program.kill)
        seen = self.until(terminal, b"Password: ")
        os.write(terminal, b"hunter2\n")
        seen += self.until(terminal, b"The same again: ")
        os.write(terminal, b"hunter2\n")
        seen += self.until(terminal, b"")
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertNotIn(b"hunter2", seen)
        hashed = seen.split()[-1].decode()
        self.assertTrue(argon2.PasswordHasher().verify(hashed, "hunter2"))

    def until(self, terminal: int, end: bytes) -> bytes:
        """
        Read until C{end} comes, or until nothing comes any more where it is
        empty.
        """
        seen = b""
        while not end or not seen.endswith(end):
            ready, _, _ = select.select([terminal], [], [], PATIENCE)
            self.assertTrue(ready, seen)
            try:
                data = os.read(terminal, 1024)
            except OSError:  # Linux's way to say that the other side has closed
                data = b""
            if not data:
                self.assertEqual(end, b"", seen)
                break
            seen += data
        return seen
