"""
Programs that tests start, talk to and stop.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

#: Seconds that a program has to do what is expected of it.
PATIENCE = 60.0

#: What must not be in any log.
TROUBLE = re.compile(r"Traceback|Unhandled")


def environment(**more: str) -> dict[str, str]:
    """
    What programs are started with: this checkout's txlb and this environment's
    programs before others.
    """
    environ = dict(os.environ)
    paths = [str(ROOT / "src"), str(ROOT), environ.get("PYTHONPATH", "")]
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environ["PATH"]])
    environ["PYTHONUNBUFFERED"] = "1"
    environ.update(more)
    return environ


def waitUntil(condition: Callable[[], object]) -> None:
    """
    Wait until something is so.

    @raise AssertionError: it takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it is not so after {PATIENCE} s")
        time.sleep(0.02)


class Program:
    """
    A program that runs beside the test, until L{stop}.

    @param command: the program and its arguments.
    @param folder: where it runs; what it writes goes to a file there.
    @param environ: its environment, by default L{environment}.
    @param logs: where its output goes, by default the folder.
    """

    def __init__(
        self,
        command: Iterable[str | Path],
        folder: Path,
        environ: Mapping[str, str] | None = None,
        logs: Path | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        logs = folder if logs is None else logs
        self.log = logs / f"output-{len(list(logs.glob('output-*'))) + 1}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=folder,
                env=environment() if environ is None else dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its children are stopped with it.
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """
        What it has written so far.
        """
        return self.log.read_text(encoding="utf-8", errors="replace")

    def waitFor(self, pattern: str) -> re.Match[str]:
        """
        Wait until it has written something.

        @raise AssertionError: it ended, or took too long.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            ended = self.process.poll()
            found = re.search(pattern, self.output, re.MULTILINE)
            if found:
                return found
            if ended is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"{self.command} did not say {pattern!r} (status {ended}):\n{self.output}"
                )
            time.sleep(0.02)

    def waitForPort(self, port: int) -> None:
        """
        Wait until somebody listens on a port of the loopback interface.

        @raise AssertionError: it ended, or took too long.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            ended = self.process.poll()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            if ended is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"{self.command} does not listen on {port} (status {ended}):\n{self.output}"
                )
            time.sleep(0.02)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """
        End it, by force where it does not listen.

        @return: its exit status, negative for a signal.
        """
        if self.process.poll() is None:
            self.process.send_signal(sign)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
        # Whoever it left behind, and itself where it did not end.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(PATIENCE)


def get(port: int, path: str = "/", host: str = "127.0.0.1") -> str:
    """
    Get a page by HTTP, on a connection of its own.

    @return: the body.
    @raise OSError: there was no answer.
    """
    request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
    with socket.create_connection((host, port), timeout=PATIENCE) as sock:
        sock.sendall(request.encode("ascii"))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise OSError(f"the answer is {head!r}")
    return body.decode("utf-8")
