"""
A check that runs a program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from txlb.deadlines import Deadline
from txlb.health._connectonly import ConnectOnly
from txlb.health._kind import CheckKind
from txlb.health._sockets import Sockets
from txlb.health._target import Target
from txlb.health._tools import Tools
from txlb.health._values import shown
from txlb.health._verdict import Verdict
from txlb.health._watcher import READ
from txlb.interfaces import IHealthCheck
from txlb.model import UNIXAddress
from txlb.model.options import Option, Text

#: How many bytes of a program's output are kept, from its beginning.
MAX_OUTPUT = 4096

#: Seconds between two looks at whether a program has ended, without pidfd_open(2).
LOOK = 0.05

#: What systemd tells the balancer, and not the programs that it starts.
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")


@implementer(IHealthCheck)
class ScriptCheck:
    """
    A check that runs a program. Exit status 0 passes; the first line of its output is the
    reason.

    The program gets the host in its environment: C{TXLB_HOST} and C{TXLB_PORT}
    (for a UNIX socket C{unix:/path} and 0), C{TXLB_SERVICE}, C{TXLB_GROUP},
    C{TXLB_NAME} and C{TXLB_TIMEOUT}. It is the leader of a process group, which is killed when
    the time of the check is over, and when the program has ended.
    """

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._command = [options["program"], *(options["arguments"] or "").split()]
        self._tools = tools

    def check(self, target: Target) -> Deferred[Verdict]:
        sockets = self._tools.sockets
        if isinstance(sockets, ConnectOnly):
            return sockets.reach(target.address)
        return RunningProgram(self._tools, sockets, self._command, _environment(target)).done


def _environment(target: Target) -> dict[str, str]:
    address = target.address
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    environment.update(
        TXLB_HOST=str(address) if isinstance(address, UNIXAddress) else address.host,
        TXLB_PORT="0" if isinstance(address, UNIXAddress) else str(address.port),
        TXLB_SERVICE=target.key[0],
        TXLB_GROUP=target.key[1],
        TXLB_NAME=target.key[2],
        TXLB_TIMEOUT=f"{target.timeout:g}",
    )
    return environment


class RunningProgram:
    """
    One run of a program.
    """

    def __init__(
        self, tools: Tools, sockets: Sockets, command: list[str], environment: dict[str, str]
    ) -> None:
        self.done: Deferred[Verdict] = Deferred(self._cancel)
        self._tools = tools
        self._watcher = sockets.watcher
        self._output = b""
        self._pipe = self._ended = -1
        self._look: Deadline | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the administrator configures it
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # A process group of its own can be killed with all children.
                start_new_session=True,
            )
        except OSError as error:
            why = f"{command[0]} can't be run: {error.strerror}"
            self.done.callback(Verdict(None, why))
            return
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._watcher.watch(self._pipe, READ, self._read)
        self._awaitEnd()

    def _awaitEnd(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            self._ended = os.pidfd_open(self._process.pid)
        if self._ended >= 0:
            self._watcher.watch(self._ended, READ, self._poll)
        else:
            self._poll()

    def _read(self) -> None:
        """
        Read the output, so that the program never waits for that; keep the beginning.
        """
        try:
            data = os.read(self._pipe, 65536)
        except BlockingIOError:
            return
        if data:
            self._output += data[: MAX_OUTPUT - len(self._output)]
        else:
            self._closePipe()

    def _poll(self) -> None:
        self._look = None
        status = self._process.poll()
        if status is None:
            self._look = self._tools.deadlines.after(LOOK, self._poll)
            return
        if self._pipe >= 0:
            self._read()
        verdict = self._verdict(status)
        self._free()
        self.done.callback(verdict)

    def _verdict(self, status: int) -> Verdict:
        line = self._output.strip().partition(b"\n")[0]
        said = f": {shown(line, 200)[1:-1]}" if line else ""
        if status < 0:
            with contextlib.suppress(ValueError):
                return Verdict(False, f"ended by {signal.Signals(-status).name}{said}")
        return Verdict(status == 0, f"exit status {status}{said}")

    def _cancel(self, deferred: Deferred[Verdict]) -> None:
        self._free()
        deferred.callback(Verdict(False, "the program did not end"))

    def _free(self) -> None:
        # The number of a process group is not used again while a process is in it. So this
        # kills the children that the program left, and no other process.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._look is not None:
            self._look.cancel()
        if self._ended >= 0:
            self._watcher.forget(self._ended)
            os.close(self._ended)
        if self._pipe >= 0:
            self._closePipe()
        # The program was killed, so that this returns at once.
        self._process.wait()

    def _closePipe(self) -> None:
        self._watcher.forget(self._pipe)
        self._pipe = -1
        if self._process.stdout is not None:
            self._process.stdout.close()


SCRIPT = CheckKind(
    "script",
    "Runs a program, which gets the host in ``TXLB_HOST`` and ``TXLB_PORT``. Exit status 0 passes. "
    "When its time is over it is killed, with all programs that it started.",
    ScriptCheck,
    (
        Option(
            "program",
            Text(r"/[^\0]+", "an absolute path"),
            "The program, by an absolute path.",
            required=True,
        ),
        Option(
            "arguments",
            Text(r"[^\0]+", "words between spaces"),
            "Its arguments, with spaces between them.",
            defaultDoc="none",
        ),
    ),
)
