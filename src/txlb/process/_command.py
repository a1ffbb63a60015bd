"""
The command line of this process, for another one that is started like it.
"""

from __future__ import annotations

import os
import re
import sys

#: twistd goes into its C{rundir} after it has read the application. A process that is
#: started begins where this one began, so that relative paths mean the same.
STARTED_IN = os.getcwd()

#: Options of twistd that only the first process obeys, because what they ask for is
#: inherited or done once: those with a value, and those without.
_WITH_VALUE = frozenset({"--pidfile", "--uid", "-u", "--gid", "-g", "--rundir", "-d", "--chroot"})
_BARE = frozenset({"-n", "--nodaemon", "--originalname", "-o"})

#: Options that name the log.
_LOG = frozenset({"-l", "--logfile"})


#: The log of a daemon that names none, and the options with which there is none.
_DAEMONS_LOG = "twistd.log"
_IN_FRONT = frozenset({"--nodaemon", "--debug", "--syslog", "--logger"})
_SHORT = re.compile("-[A-Za-z]*[nb][A-Za-z]*")


def sameCommand(arguments: list[str], original: list[str], name: str = "") -> list[str]:
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


def ownCommand() -> list[str]:
    """
    Return the command line of a process that is started like this one. If twistd runs it, what is
    done once is left out; other programs get what they were given.
    """
    if "twisted.scripts.twistd" in sys.modules:
        return sameCommand(sys.argv, sys.orig_argv)
    return [sys.executable, *sys.orig_argv[1:]]


def _logOf(path: str, name: str) -> str:
    """
    Name the log file of a clone. It does not begin with the name of the first process's and a
    dot: so begin the names of files that were rotated.
    """
    if not name or path == "-":
        return path
    root, extension = os.path.splitext(path)
    return f"{root}-{name}{extension}"
