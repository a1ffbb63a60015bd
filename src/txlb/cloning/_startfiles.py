"""
The starts of an application's processes that are under way, as files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from txlb.process import Folder

#: The name of a file: the place of the clone, -1 for an heir; the process that started it; and
#: a number, as it may start another one in the same place.
_NAME = re.compile(r"start\.(-1|[0-9]{1,4})\.([0-9]{1,10})\.[0-9]{1,10}")

#: The most digits of a PID that are read.
_DIGITS = 20


@dataclass(frozen=True)
class StartFile:
    """
    The file of a start.

    @ivar name: its name in the folder.
    @ivar slot: the place of the clone; -1 for an heir.
    @ivar pid: the process; -1 if it is not known.
    """

    name: str
    slot: int
    pid: int


class StartFiles:
    """
    Notes which starts are under way, so that the next manager does not start the same processes
    once more if this one dies. Each start has a file, which is locked by C{flock}: the lock
    belongs to the open file that the process inherits. So the kernel frees it if the process
    ends, and if the manager dies before it has started one. A L{Rendezvous} owns it.

    On a file system without such locks the next manager starts what is missing anew.

    @param folder: the folder of the application, which stays the caller's.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._count = 0

    def begin(self, slot: int) -> tuple[str, int]:
        """
        Note a start, before the process is started.

        @return: the name of the file, and a descriptor for the process, which the caller closes.
            The name is empty and the descriptor is -1 if there can be no file.
        """
        self._count += 1
        name = f"start.{slot}.{os.getpid()}.{self._count}"
        try:
            self.forget(name)
            descriptor = self._folder.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except OSError:
            return "", -1
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            self.forget(name)
            return "", -1
        return name, descriptor

    def started(self, descriptor: int, pid: int) -> None:
        """
        Note the process that was started. It is found without that, and can't be ended then.
        """
        with contextlib.suppress(OSError):
            os.pwrite(descriptor, b"%d\n" % pid, 0)

    def forget(self, name: str) -> None:
        """
        Remove a file, as the start is over.
        """
        with contextlib.suppress(OSError):
            self._folder.unlink(name)

    def forgetOwn(self) -> None:
        """
        Remove the files of this process.
        """
        own = str(os.getpid())
        for name, _, pid in self._names():
            if pid == own:
                self.forget(name)

    def underWay(self) -> list[StartFile]:
        """
        Find the starts that are under way, and remove the files of others.
        """
        found = []
        for name, slot, _ in self._names():
            if self.isUnderWay(name):
                found.append(StartFile(name, slot, self._pidOf(name)))
            else:
                self.forget(name)
        return found

    def isUnderWay(self, name: str) -> bool:
        """
        Tell whether a process has the file of a start, and its lock.
        """
        try:
            with self._opened(name) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def kill(self, name: str) -> None:
        """
        Kill the process of a start, if it still has the file. Its PID may be another's by now.
        """
        pid = self._pidOf(name)
        try:
            process = os.pidfd_open(pid)
        except (OSError, ValueError):
            return
        try:
            # The descriptor is of the process that has the PID now, and of no later one.
            if self._hasFile(pid, name):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        except OSError:
            pass
        finally:
            os.close(process)

    def _hasFile(self, pid: int, name: str) -> bool:
        wanted = self._folder.status(name)
        place = f"/proc/{pid}/fd"
        for number in os.listdir(place):
            with contextlib.suppress(OSError):
                if wanted is not None and os.path.samestat(wanted, os.stat(f"{place}/{number}")):
                    return True
        return False

    def _names(self) -> list[tuple[str, int, str]]:
        """
        Find the files, each with the place and the process that started it.
        """
        try:
            found = [_NAME.fullmatch(name) for name in self._folder.names()]
        except OSError:
            return []
        return [(match[0], int(match[1]), match[2]) for match in found if match]

    def _pidOf(self, name: str) -> int:
        try:
            with self._opened(name) as descriptor:
                return int(os.pread(descriptor, _DIGITS, 0))
        except (OSError, ValueError):
            return -1

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        descriptor = self._folder.open(name, os.O_RDWR)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
