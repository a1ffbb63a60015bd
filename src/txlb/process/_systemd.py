"""
Notifications to systemd.

Source: sd_notify(3) and sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping

from twisted.logger import Logger

from txlb.deadlines import Deadline, Deadlines

#: The longest status, in characters.
MAX_STATUS = 200

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

_log = Logger()


class Supervisor:
    """
    The supervisor of this process, if it has one that wants notifications. An error of
    sending is logged once, and has no other effect.

    @param path: the path of its datagram socket, or an abstract name that begins with
        C{@}; L{None} for no supervisor.
    @param watchdog: seconds within which it always expects a message; 0 for no
        watchdog.
    @param seconds: C{CLOCK_MONOTONIC}, by which it orders reloads.
    """

    def __init__(
        self,
        path: str | None = None,
        watchdog: float = 0.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._watchdog = watchdog
        self._seconds = seconds
        self._deadlines: Deadlines | None = None
        self._next: Deadline | None = None
        self._complained = False

    @classmethod
    def fromEnvironment(cls, environ: MutableMapping[str, str]) -> Supervisor:
        """
        Make the supervisor that the environment names. The variables are removed, so
        that no child process notifies it for this process.
        """
        path, interval, pid = [environ.pop(name, None) for name in _VARIABLES]
        watchdog = 0.0
        # That variable is for one process. Other processes of the service get none.
        if interval is not None and pid in {None, str(os.getpid())}:
            if interval.isascii() and interval.isdecimal() and len(interval) < 19:
                watchdog = int(interval) / 1e6
        return cls(path or None, watchdog)

    # What is told

    def ready(self, status: str) -> None:
        """
        Report that clients are served, from the start on or after a reload.

        @param status: the state in a few words.
        """
        self._tell("READY=1", f"STATUS={_oneLine(status)}")

    def waiting(self, status: str) -> None:
        """
        Report that clients are not served, either not yet or for now. systemd has no
        way back from L{ready}, so only the status changes.

        @param status: the state in a few words.
        """
        self._tell(f"STATUS={_oneLine(status)}")

    def reloading(self) -> None:
        """
        Report that the configuration is being loaded. L{ready} ends it, also after an
        error.
        """
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(self._seconds() * 1e6)}")

    def stopping(self, status: str) -> None:
        """
        Report that the graceful stop has begun.
        """
        self._tell("STOPPING=1", f"STATUS={_oneLine(status)}")

    def mainProcess(self, pid: int) -> None:
        """
        Report which process is the main one of the service. The unit has to allow that
        with C{NotifyAccess=all}.
        """
        self._tell(f"MAINPID={pid}")

    def leave(self) -> None:
        """
        Notify of nothing more, as another process is the main one.
        """
        self.stopWatchdog()
        self._path = None

    @property
    def environment(self) -> dict[str, str]:
        """
        The variables that another process of the service gets, so that it can notify the
        supervisor in the place of this one.
        """
        if self._path is None:
            return {}
        found = {"NOTIFY_SOCKET": self._path}
        if self._watchdog:
            found["WATCHDOG_USEC"] = str(round(self._watchdog * 1e6))
        return found

    # The watchdog

    @property
    def watchdog(self) -> float:
        """
        The seconds within which the supervisor expects a message; 0 for no watchdog.
        """
        return self._watchdog if self._path is not None else 0.0

    def alive(self) -> None:
        """
        Report that this process works. To be called twice in each watchdog interval, by
        the caller or see L{startWatchdog}.
        """
        self._tell("WATCHDOG=1")

    def startWatchdog(self, deadlines: Deadlines) -> None:
        """
        Send a message twice in each watchdog interval.
        """
        if self._watchdog and self._path is not None:
            self._deadlines = deadlines
            self._alive()

    def stopWatchdog(self) -> None:
        """
        Stop sending them.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._deadlines = None

    def _alive(self) -> None:
        if self._deadlines is not None:
            self.alive()
            self._next = self._deadlines.after(self._watchdog / 2, self._alive)

    # Inside

    def _tell(self, *lines: str) -> None:
        if self._path is None:
            return
        address = f"\0{self._path[1:]}" if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                # The supervisor must not delay this process.
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode("utf-8"), address)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _log.warn(
                    "can't tell {path} how it goes: {reason}",
                    path=self._path,
                    reason=error.strerror,
                )


def _oneLine(text: str) -> str:
    return " ".join(text.split())[:MAX_STATUS]
