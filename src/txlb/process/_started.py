"""
A process that is started with the command line of this one, to take its place.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping

from txlb.process._command import STARTED_IN, ownCommand
from txlb.process._errorline import endOf, lastWords

#: The words for a process that was killed here.
KILLED = "it was killed"


class StartedProcess:
    """
    A process that is started with the command line of this one. It has a session of its own, and
    does not go to the background.

    This is not done by the reactor, which would give this process's work up to close all
    descriptors in the child one by one: they are closed when the new program begins.

    @param environment: variables that it gets besides those of this process.
    @param descriptors: descriptors that it gets, by the same numbers.
    @param command: the program and its arguments; by default those of this process.
    @raise OSError: the system starts no process.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        descriptors: tuple[int, ...] = (),
        command: list[str] | None = None,
    ) -> None:
        # A file and no pipe, so that it can write though nothing reads.
        self._errors = os.memfd_create("errors")
        try:
            for descriptor in descriptors:
                os.set_inheritable(descriptor, True)
            self._process = subprocess.Popen(  # noqa: S603 - the command line of this process
                command or ownCommand(),
                cwd=STARTED_IN if os.getcwd() != STARTED_IN else None,
                env={**os.environ, **environment},
                stderr=self._errors,
                close_fds=False,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._errors)
            raise
        finally:
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)

    @property
    def pid(self) -> int:
        """
        Its number.
        """
        return self._process.pid

    @property
    def hasEnded(self) -> bool:
        """
        Whether it has ended.
        """
        return self._process.poll() is not None

    def kill(self) -> str:
        """
        Kill it, unless it has ended, and forget it.

        @return: how it ended, and what it said last, for people.
        """
        ended = self.hasEnded
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
        said = lastWords(endOf(self._errors))
        self.forget()
        status = self._process.returncode
        how = f"exit status {status}"
        if status < 0:
            how = f"signal {signal.Signals(-status).name}"
        if not ended:
            how = KILLED
        return f"{how}: {said}" if said else how

    def forget(self) -> None:
        """
        Leave it to itself.
        """
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1
        # Its end is of no interest, and is no warning of the interpreter's.
        if self._process.returncode is None:
            self._process.returncode = 0
