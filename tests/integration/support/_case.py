"""
The test case of the integration tests.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.integration.programs import PATIENCE, TROUBLE, Program, environment, waitUntil
from tests.integration.support._usage import catches
from txlb.cli._main import main

#: twistd with the interpreter that runs the tests.
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--pidfile=")

#: A balancer says this when it has begun to accept.
STARTED = r"descriptors allow \d+ connections"


def runTxlb(control: str, *words: str) -> subprocess.CompletedProcess[str]:
    """
    Run C{txlb} in this process. The start of another one takes longer than most commands.

    @param control: the control socket of a balancer.
    @param words: the command with its arguments.
    @return: what C{subprocess.run} would return.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([*words, "-s", control])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def askTxlb(control: str, *words: str) -> Any:
    """
    Ask a balancer by C{txlb --json}.

    @param control: its control socket.
    @param words: the command with its arguments.
    @return: the answer.
    """
    done = runTxlb(control, *words, "--json")
    if done.returncode:
        raise AssertionError(f"txlb {' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


class IntegrationTestCase(SynchronousTestCase):
    """
    Starts programs in a folder of its own, and stops them after the test. With
    C{TXLB_SHOW=1} in the environment tests print what they have measured.

    @ivar folder: the folder.
    """

    needed: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.need(*self.needed)
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir(parents=True)

    def need(self, *programs: str) -> None:
        """
        Skip the test where a program is not installed.
        """
        missing = [program for program in programs if shutil.which(program) is None]
        if missing:
            raise SkipTest(f"not installed: {', '.join(missing)}")

    def show(self, figures: str) -> None:
        """
        Print what was measured, where somebody wants to know.
        """
        if os.environ.get("TXLB_SHOW"):
            print(f"\n  {self.id().partition('.test_')[2]}: {figures}", flush=True)

    def shortFolder(self) -> Path:
        """
        A folder with a path that is short enough for sockets, removed at the end.
        """
        folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, folder)
        return Path(folder)

    def write(self, name: str, text: str) -> Path:
        """
        Write a file in the test's folder.
        """
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    # Programs

    def start(self, *command: str | Path) -> Program:
        """
        Start a program; it is stopped at the end.
        """
        program = Program(command, self.folder)
        self.addCleanup(program.stop)
        return program

    def startTwistd(self, *arguments: str | Path, before: tuple[str, ...] = ()) -> Program:
        """
        Start twistd in the foreground and wait until the balancer in it has
        begun. At the end it is stopped, and its log is looked at.

        @param arguments: those that follow C{twistd -n}.
        @param before: a command that starts it, with that command's arguments.
        """
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        command = (*before, *TWISTD, "-n", *arguments)
        program = Program(command, self.folder, environment(STATE_DIRECTORY=str(state)))
        self.addCleanup(self.stopTwistd, program)
        program.waitFor(STARTED)
        # A signal that came before this would find no handler.
        waitUntil(lambda: catches(program.process.pid, signal.SIGTERM))
        return program

    def startTxlb(
        self, config: str, *options: str, before: tuple[str, ...] = (), name: str = "config.xml"
    ) -> Program:
        """
        Start C{twistd -n txlb -c} with a configuration.

        @param config: the text of the file.
        @param options: of twistd itself.
        """
        path = self.write(name, config)
        return self.startTwistd(*options, "txlb", "-c", path, before=before)

    def stopTwistd(self, program: Program, sign: signal.Signals = signal.SIGTERM) -> int:
        """
        Stop it. There must be no trouble in its log.

        @return: its exit status.
        """
        status = program.stop(sign)
        self.assertNotRegex(program.output, TROUBLE)
        return status

    def endOfTwistd(self, program: Program) -> int:
        """
        Wait for the end of a program that ends already. There must be no trouble in its
        log.

        It gets no signal: one that comes after twistd has given its handlers back would
        kill it.

        @return: its exit status.
        """
        status = program.process.wait(PATIENCE)
        self.assertNotRegex(program.output, TROUBLE)
        return status
