"""
The demo, and everything that it says to try.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from pathlib import Path

from tests.integration.programs import TROUBLE, Program, waitUntil
from tests.integration.support import (
    PATIENCE,
    TWISTD,
    IntegrationTestCase,
    bodyOf,
    environment,
)


class ClonesDemoTests(IntegrationTestCase):
    """
    C{twistd -n txlb --demo --clones}
    """

    needed = ("sh", "curl")

    def test_whatItSays(self) -> None:
        """
        What it prints can be typed: the clones take turns, they are replaced, the manager
        is killed, and all is ended.
        """
        environ = environment(STATE_DIRECTORY=str(self.shortFolder()))
        command = (*TWISTD, "-n", "txlb", "--demo", "--clones")
        program = Program(command, self.folder, environ)
        self.addCleanup(program.stop)
        said = program.waitFor(r"txlb runs a web site[\s\S]*Ctrl-C ends it")[0]
        visits, status, roll, kill, end = re.findall(r"^       (\S.*)$", said, re.MULTILINE)
        file = Path(re.findall(r"cat (\S+)\)", end)[0])
        program.waitFor(r"(?s)(has joined.*){4}")
        names = [line.split(",")[0] for line in self.run_(visits).splitlines()]
        self.assertEqual(set(names), {f"Hello from clone{n}" for n in range(4)})

        for name in ("manager", *(f"clone{n}" for n in range(4))):
            self.assertIn(name, self.run_(status))
        self.run_(roll)
        waitUntil(lambda: "generation 1 serves" in program.output)
        self.assertEqual(len(self.run_(visits).splitlines()), 8)

        manager = file.read_text()
        self.run_(kill)
        self.assertEqual(program.process.wait(PATIENCE), -signal.SIGKILL)
        self.assertEqual(len(self.run_(visits).splitlines()), 8)
        # A clone manages for a moment; it serves as well, and its log says so.
        waitUntil(lambda: file.read_text() != manager and self._isHeir(file, program.output))
        self.assertEqual(len(self.run_(visits).splitlines()), 8)

        self.run_(end)
        waitUntil(lambda: not file.exists())
        waitUntil(lambda: program.output.count("Server Shut Down") >= 4 + 4 + 1)
        self.assertNotRegex(program.output, TROUBLE)

    def _isHeir(self, file: Path, output: str) -> bool:
        return f"has joined: process {file.read_text()}" not in output

    def run_(self, command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command],
            check=False,
            timeout=PATIENCE,
            env=environment(),
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout


class DemoTests(IntegrationTestCase):
    """
    C{twistd -n txlb --demo}
    """

    needed = ("sh", "curl", "ssh")

    def test_whatItSays(self) -> None:
        """
        Its usual port is taken, so it takes the next one that is free, and what
        it prints can be typed.
        """
        with contextlib.ExitStack() as stack:
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                # Where somebody else has it, it is taken all the same.
                taken.bind(("127.0.0.1", 8080))
                taken.listen()
            program = self.startTwistd("txlb", "--demo")
            said = program.waitFor(r"txlb balances[\s\S]*Ctrl-C ends it")[0]

        web = int(self._found(r"on http://127\.0\.0\.1:(\d+)/$", said))
        self.assertGreater(web, 8080)
        greetings = self._output("sh", "-c", self._found(r"^ +(for .*)$", said))
        counts = Counter(greetings.splitlines())
        self.assertEqual(set(counts.values()), {2}, greetings)
        self.assertEqual(set(counts), {f"Hello from host{n}" for n in (1, 2, 3)})

        status = self._output("sh", "-c", self._found(r"^ +(\S*txlb status.*)$", said))
        self.assertRegex(status, r"host1 .* up +1 ")
        top = self._output("sh", "-c", self._found(r"^ +(\S*txlb top.*)$", said) + " --once")
        self.assertIn("3/3 hosts up", top)

        self._login(said)
        lines = re.findall(r"^ +>>> (.*)$", said, re.MULTILINE)
        self.assertEqual(len(lines), 3)
        ssh = self._found(r"^ +(ssh .*)$", said).split()
        password = self._found(r"with the password (\S+)$", said)
        # The port that the third line names may be somebody else's here.
        status, removal, move = lines
        self.assertIn("host2", self._typed(ssh, password, status))
        self._typed(ssh, password, removal)
        self.assertEqual(
            {bodyOf(web) for _ in range(10)}, {b"Hello from host1\n", b"Hello from host3\n"}
        )
        other = int(self._found(r"(\d+)\)$", move))
        if self._isFree(other):
            self._typed(ssh, password, move)
            self.assertEqual(
                {bodyOf(other) for _ in range(10)}, {b"Hello from host1\n", b"Hello from host3\n"}
            )
        self.assertEqual(self.stopTwistd(program, signal.SIGINT), 0)
        self.show(f"web on {web} as 8080 was taken; {dict(counts)}; the three lines work; status 0")

    def _login(self, said: str) -> None:
        # The console lets in the user that it says, with that password.
        password = self._found(r"the user demo, password (\S+)$", said)
        console = self._found(rf"{re.escape(password)}\n +(http://127\.0\.0\.1:\d+/)$", said)
        answer = self._output(
            "curl", "-sS", "--json", json.dumps({"user": "demo", "password": password}),
            "-H", f"Origin: {console.rstrip('/')}", f"{console}api/v1/login",
        )  # fmt: skip
        self.assertEqual(json.loads(answer)["access"], "full", answer)

    def _found(self, pattern: str, text: str) -> str:
        found = re.search(pattern, text, re.MULTILINE)
        assert found is not None, (pattern, text)
        return found[1]

    def _isFree(self, port: int) -> bool:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    def _typed(self, ssh: list[str], password: str, line: str) -> str:
        """
        Log in with the password, and run a line.
        """
        askpass = self.write("askpass", f"#!/bin/sh\necho '{password}'\n")
        askpass.chmod(0o700)
        options = (
            "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
            "-o PreferredAuthentications=password -F none"
        )
        command = [ssh[0], *options.split(), *ssh[1:], line]
        return self._output(*command, SSH_ASKPASS=str(askpass), SSH_ASKPASS_REQUIRE="force")

    def _output(self, *command: str, **more: str) -> str:
        done = subprocess.run(
            command,
            check=False,
            timeout=PATIENCE,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), os.fspath(command[0]))
        return done.stdout
