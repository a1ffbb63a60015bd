"""
The log files of C{twistd}.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from typing import Any

from twisted.logger import LogPublisher, globalLogPublisher
from twisted.python.logfile import BaseLogFile


def reopenMoved(publisher: LogPublisher = globalLogPublisher) -> bool:
    """
    Open the log files anew that are not at their paths any more, because a program such as
    C{logrotate} has moved them. C{twistd}'s own handler of SIGUSR1 rotates files itself, and
    goes on with one that was moved.

    @return: whether there was any.
    @raise OSError: a file can't be opened.
    """
    found = False
    for file in _files(publisher):
        if _isMoved(file):
            file.reopen()
            found = True
    return found


def appendToLogs(publisher: LogPublisher = globalLogPublisher) -> None:
    """
    Write to the end of log files from now on, wherever that is. C{twistd} keeps an offset of
    its own, and two processes with one file, such as a manager and its heir, would write over
    each other's lines.
    """
    for file in _files(publisher):
        descriptor = _descriptorOf(file)
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)


def _files(publisher: LogPublisher) -> Iterator[Any]:
    for observer in tuple(publisher._observers):  # noqa: SLF001 - it has no public name
        file: Any = getattr(observer, "_outFile", None)
        if isinstance(file, BaseLogFile):
            yield file


def _descriptorOf(file: Any) -> int:
    descriptor: int = file._file.fileno()  # noqa: SLF001 - likewise
    return descriptor


def _isMoved(file: Any) -> bool:
    try:
        there = os.stat(file.path)
    except OSError:
        return True
    return not os.path.samestat(there, os.fstat(_descriptorOf(file)))
