"""
Starts processes of the application: clones, and heirs of the manager.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.cloning._identity import ENVIRONMENT, Birth

#: The first descriptor of the listening sockets in a process that is started, as with
#: systemd's LISTEN_FDS.
FIRST = 3

#: twistd goes into its C{rundir} after it has read the application. A process that is
#: started begins where this one began, so that relative paths mean the same.
_STARTED_IN = os.getcwd()

#: Options of twistd that only the first process obeys, because what they ask for is
#: inherited or done once: those with a value, and those without.
_WITH_VALUE = frozenset({"--pidfile", "--uid", "-u", "--gid", "-g", "--rundir", "-d", "--chroot"})
_BARE = frozenset({"-n", "--nodaemon", "--originalname", "-o"})

#: Options that name the log. Processes that rotate one file lose lines, so each has its own.
_LOG = frozenset({"-l", "--logfile"})

_log = Logger()


class Spawner:
    """
    Starts processes with the command line of this one. The L{CloneManager} owns it.

    @param reactor: starts and reaps them.
    @param command: the program and its arguments; by default those of this process,
        without what only the first one may do.
    """

    def __init__(self, reactor: Any, command: list[str] | None = None) -> None:
        self._reactor = reactor
        self._command = command

    def spawn(
        self,
        birth: Birth,
        sockets: dict[str, int],
        ended: Callable[[int, str], object],
    ) -> int:
        """
        Start a process.

        @param birth: what it is; its listeners are filled in here.
        @param sockets: the listening sockets by name.
        @param ended: is called with its PID, and how it ended.
        @return: its PID.
        @raise OSError: the system starts no process.
        """
        numbers = {name: FIRST + index for index, name in enumerate(sockets)}
        told = Birth(birth.folder, birth.slot, birth.generation, birth.heir, numbers)
        environment = {**os.environ, ENVIRONMENT: told.write()}
        descriptors = {0: 0, 1: 1, 2: 2}
        descriptors.update({numbers[name]: fd for name, fd in sockets.items()})
        # Twisted starts it by posix_spawn(), which is quicker, if no folder is given.
        folder = None if os.getcwd() == _STARTED_IN else _STARTED_IN
        name = "" if birth.heir else f"clone{birth.slot}"
        command = self._command or cloneCommand(sys.argv, sys.orig_argv, name)
        protocol = _Process(ended)
        transport = self._reactor.spawnProcess(
            protocol, command[0], command, environment, folder, childFDs=descriptors
        )
        # The transport forgets it when the process ends.
        protocol.pid = transport.pid
        return protocol.pid


class _Process(ProcessProtocol):
    """
    A process that was started.
    """

    pid = -1

    def __init__(self, ended: Callable[[int, str], object]) -> None:
        self._ended = ended

    def processEnded(self, reason: Failure) -> None:
        """
        Tell how it ended.
        """
        how = "exit status 0" if reason.check(ProcessDone) else reason.getErrorMessage()
        self._ended(self.pid, how)


def cloneCommand(arguments: list[str], original: list[str], name: str = "") -> list[str]:
    """
    Make the command line of a process that is started from that of this one.

    @param arguments: C{sys.argv}.
    @param original: C{sys.orig_argv}, which has the interpreter's options and the program
        as well, be it a file, a module or C{-c}.
    @param name: is added to the name of the log file, if there is one.
    """
    kept: list[str] = []
    words = iter(arguments[1:])
    for word in words:
        option, equals, value = word.partition("=")
        if option in _LOG:
            path = value if equals else next(words, "")
            kept.append(f"--logfile={path}.{name}" if name and path != "-" else f"--logfile={path}")
        elif option in _WITH_VALUE:
            if not equals:
                next(words, "")
        elif word not in _BARE:
            kept.append(word)
    program = original[1 : len(original) - len(arguments) + 1]
    return [sys.executable, *program, "--nodaemon", "--pidfile=", *kept]
