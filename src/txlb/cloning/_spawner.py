"""
Starts processes of the application: clones, and heirs of the manager.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.protocol import ProcessProtocol
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

#: What twistd says of an application that it can't load, and the places in a traceback.
_TWISTDS = "Failed to load application: "
_PLACE = re.compile(r'^ *File "(.*)", line (\d+), in ', re.MULTILINE)

#: Bytes of a process's last errors that are read, and characters of them that are told.
MOST_READ = 65536
MOST_SAID = 500

#: Options that name the log. Processes that rotate one file lose lines, so each has its own.
_LOG = frozenset({"-l", "--logfile"})


#: Makes a command line of C{sys.argv}, C{sys.orig_argv}, and a name for logs.
MakeCommand = Callable[[list[str], list[str], str], list[str]]

#: The log of a daemon that names none, and the options with which there is none.
_DAEMONS_LOG = "twistd.log"
_IN_FRONT = frozenset({"--nodaemon", "--debug", "--syslog", "--logger"})
_SHORT = re.compile("-[A-Za-z]*[nb][A-Za-z]*")


class Spawner:
    """
    Starts processes with the command line of this one. The L{CloneManager} owns it.

    @param reactor: starts and reaps them.
    @param command: makes the program and its arguments; by default L{cloneCommand}, those
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
        told = replace(birth, listeners=numbers, errors=FIRST + len(numbers))
        environment = {**os.environ, **self.environment, ENVIRONMENT: told.write()}
        # It is a file and no pipe, so that the process can write if this one has ended.
        errors = os.memfd_create("errors")
        descriptors = {0: 0, 1: 1, 2: errors, told.errors: 2}
        descriptors.update({numbers[name]: fd for name, fd in sockets.items()})
        # Twisted starts it by posix_spawn(), which is quicker, if no folder is given.
        folder = None if os.getcwd() == _STARTED_IN else _STARTED_IN
        name = "" if birth.heir else f"clone{birth.slot}"
        own = self._command or cloneCommand
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
        said = lastWords(_end(self._errors))
        os.close(self._errors)
        self._ended(self.pid, f"{how}: {said}" if said else how)


def lastWords(text: str) -> str:
    """
    Find what a process said last, in one line: of a traceback, the line of code and the
    error.

    @param text: the end of its standard error.
    """
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    said = lines[-1].removeprefix(_TWISTDS).removeprefix("txlb: ")
    places = _PLACE.findall(text)
    if places and lines[-1].startswith(_TWISTDS):
        path, line = places[-1]
        said = f"{path}, line {line}: {said}"
    return said[:MOST_SAID]


def _end(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, MOST_READ, max(0, size - MOST_READ))
    return data.decode("utf-8", "replace")


def cloneCommand(arguments: list[str], original: list[str], name: str = "") -> list[str]:
    """
    Make the command line of a process that is started from that of this one.

    @param arguments: C{sys.argv}.
    @param original: C{sys.orig_argv}, which has the interpreter's options and the program
        as well, be it a file, a module or C{-c}.
    @param name: is added to the name of the log file, if there is one.
    """
    kept: list[str] = []
    hasLog = any(word in _IN_FRONT or _SHORT.fullmatch(word) for word in arguments[1:])
    words = iter(arguments[1:])
    for word in words:
        option, equals, value = word.partition("=")
        if option in _LOG:
            path = value if equals else next(words, "")
            kept.append(f"--logfile={_logOf(path, name)}")
            hasLog = True
        elif option in _WITH_VALUE:
            if not equals:
                next(words, "")
        elif word not in _BARE:
            kept.append(word)
    if not hasLog:
        # A daemon writes to this file; its clones are no daemons.
        kept.insert(0, f"--logfile={_logOf(_DAEMONS_LOG, name)}")
    program = original[1 : len(original) - len(arguments) + 1]
    return [sys.executable, *program, "--nodaemon", "--pidfile=", *kept]


def _logOf(path: str, name: str) -> str:
    """
    Name the log file of a clone. It does not begin with the name of the first process's and a
    dot: so begin the names of files that were rotated.
    """
    if not name or path == "-":
        return path
    root, extension = os.path.splitext(path)
    return f"{root}-{name}{extension}"
