"""
Starts processes of the application: clones, and heirs of the manager.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from txlb.cloning._identity import ENVIRONMENT, Birth
from txlb.process import STARTED_IN, endOf, lastWords, sameCommand

#: The first descriptor of the listening sockets in a process that is started, as with
#: systemd's LISTEN_FDS.
FIRST = 3

#: Makes a command line of C{sys.argv}, C{sys.orig_argv}, and a name for logs.
MakeCommand = Callable[[list[str], list[str], str], list[str]]


class Spawner:
    """
    Starts processes with the command line of this one. The L{CloneManager} owns it.

    @param reactor: starts and reaps them.
    @param command: makes the program and its arguments; by default L{sameCommand}, those
        of this process without what only the first one may do.
    @ivar environment: variables for them, besides those of this process.
    """

    def __init__(self, reactor: Any, command: MakeCommand | None = None) -> None:
        self._reactor = reactor
        self._command = command
        self.environment: Mapping[str, str] = {}
        # The processes that have not ended, by PID.
        self._running: dict[int, Any] = {}

    def spawn(
        self,
        birth: Birth,
        sockets: dict[str, int],
        ended: Callable[[int, str], object],
        start: int = -1,
    ) -> int:
        """
        Start a process.

        @param birth: what it is; its listeners are filled in here.
        @param sockets: the listening sockets by name.
        @param ended: is called with its PID, and how it ended.
        @param start: the descriptor of the file that says that its start is under way; -1 if
            there is none. It stays the caller's.
        @return: its PID.
        @raise OSError: the system starts no process.
        """
        numbers = {name: FIRST + index for index, name in enumerate(sockets)}
        last = FIRST + len(numbers)
        told = replace(birth, listeners=numbers, errors=last, start=last + 1 if start >= 0 else -1)
        environment = {**os.environ, **self.environment, ENVIRONMENT: told.write()}
        # It is a file and no pipe, so that the process can write if this one has ended.
        errors = os.memfd_create("errors")
        descriptors = {0: 0, 1: 1, 2: errors, told.errors: 2}
        if start >= 0:
            descriptors[told.start] = start
        descriptors.update({numbers[name]: fd for name, fd in sockets.items()})
        # Twisted starts it by posix_spawn(), which is quicker, if no folder is given.
        folder = None if os.getcwd() == STARTED_IN else STARTED_IN
        name = "" if birth.heir else f"clone{birth.slot}"
        own = self._command or sameCommand
        command = own(sys.argv, sys.orig_argv, name)
        if birth.heir and birth.told.command:
            command = birth.told.command

        def over(pid: int, how: str) -> None:
            self._running.pop(pid, None)
            ended(pid, how)

        protocol = _Process(over, errors)
        try:
            transport = self._reactor.spawnProcess(
                protocol, command[0], command, environment, folder, childFDs=descriptors
            )
        except BaseException:
            os.close(errors)
            raise
        # The transport forgets it when the process ends.
        protocol.pid = transport.pid
        self._running[protocol.pid] = transport
        return protocol.pid

    def kill(self, pid: int) -> None:
        """
        Kill a process that was started here. One that has ended is left alone.
        """
        transport = self._running.get(pid)
        if transport is not None:
            transport.signalProcess("KILL")


class _Process(ProcessProtocol):
    """
    A process that was started.

    @param errors: the file that its errors go to while it starts, which is this object's
        from here.
    """

    pid = -1

    def __init__(self, ended: Callable[[int, str], object], errors: int) -> None:
        self._ended = ended
        self._errors = errors

    def processEnded(self, reason: Failure) -> None:
        """
        Tell how it ended.
        """
        value: Any = reason.value
        how = f"exit status {value.exitCode}"
        if getattr(value, "signal", None) is not None:
            how = f"signal {value.signal}"
        said = lastWords(endOf(self._errors))
        os.close(self._errors)
        if not said and value.exitCode:
            # twistd writes an error of its options to standard output.
            said = "it has not said why on its standard error, see its log"
        self._ended(self.pid, f"{how}: {said}" if said else how)
