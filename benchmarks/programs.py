"""
Programs that are measured, started and stopped by their handles.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import family
from benchmarks.ports import ports

ROOT = Path(__file__).resolve().parent.parent

#: Seconds that a program has to start or to stop.
PATIENCE = 60.0


class ProgramError(Exception):
    """
    A program did not start.
    """


def freePort() -> int:
    """
    Return a port that is free on all loopback addresses, and that benchmarks and tests which run at
    the same time do not get.

    @raise ProgramError: there is none.
    """
    try:
        return ports.take()
    except LookupError as error:
        raise ProgramError(str(error)) from error


def python(*arguments: str) -> list[str]:
    """
    Return a command for this interpreter.
    """
    return [sys.executable, *arguments]


class Program:
    """
    A program that runs until L{stop}.

    @param name: what its log is called after.
    @param folder: where it runs and where its log is.
    @param source: the folder with the code of txlb that it runs.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, source: Path = ROOT / "src"
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        environ = dict(os.environ)
        paths = [str(source), str(ROOT), environ.get("PYTHONPATH", "")]
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        environ["STATE_DIRECTORY"] = str(folder)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # What it starts is stopped with it.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """
        The process that was started; it may have children.
        """
        return self.process.pid

    def pids(self) -> list[int]:
        """
        All its processes.
        """
        return family(self.pid)

    def waitForPort(self, address: tuple[str, int]) -> None:
        """
        Wait until it listens.

        @raise ProgramError: it ended, or took too long.
        """
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(address, timeout=1).close()
                return
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                log = self.log.read_text(encoding="utf-8", errors="replace")
                raise ProgramError(f"{self.name} does not listen on {address[1]}:\n{log[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """
        End it, by force where it does not listen to reason.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
