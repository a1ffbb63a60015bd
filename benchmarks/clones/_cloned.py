"""
A cloned application that runs.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers import Field, Running
from benchmarks.programs import Program, ProgramError, freePort, python
from benchmarks.traffic import Events

HERE = Path(__file__).resolve().parent

#: Seconds that a takeover or a rolling restart may take before the run gives up.
PATIENCE = 60.0

#: Seconds that the return of all processes may take. A clone may take txlb's START_PATIENCE to
#: join, and the next one, which is started in its place after LONGEST_DELAY, as long again.
RETURN = 150.0

#: Seconds between two looks at the log.
LOOK = 0.0005

NAME = "clones"

_MANAGES = re.compile(r"process (\d+) manages")
_MANAGES_AS = re.compile(r"\[manager (\d+)?.*process \d+ manages")
_JOINED = re.compile(r"(clone\d+) has joined: process (\d+)")
_STANDS_BY = re.compile(r"process (\d+) stands by")
_SERVES = re.compile(r"generation (\d+) serves")


class Log:
    """
    What the processes of a cloned application have said.

    @param text: all of it.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def managers(self) -> list[int]:
        """
        The processes that manage or have managed, in order.
        """
        return [int(pid) for pid in _MANAGES.findall(self._text)]

    @property
    def clones(self) -> set[int]:
        """
        The processes that have joined as clones at some time.
        """
        return {int(pid) for _, pid in _JOINED.findall(self._text)}

    @property
    def standbys(self) -> set[int]:
        """
        The processes that have stood by at some time.
        """
        return {int(pid) for pid in _STANDS_BY.findall(self._text)}

    @property
    def joined(self) -> set[int]:
        """
        The processes that have joined the last manager.
        """
        last = self._text.rpartition(" manages ")[2]
        return {int(pid) for _, pid in _JOINED.findall(last)}

    def isPure(self) -> bool:
        """
        Tell whether the process that manages has never served: it has no slot. Its PID may have
        been that of a clone some time ago.
        """
        slots = _MANAGES_AS.findall(self._text)
        return bool(slots) and not slots[-1]

    def hasStandby(self) -> bool:
        """
        Tell whether a process stands by to take the place of the last manager.
        """
        return bool(_STANDS_BY.search(self._text.rpartition(" manages ")[2]))

    @property
    def rolls(self) -> int:
        """
        The rolling restarts that have succeeded.
        """
        return len(_SERVES.findall(self._text))

    @property
    def failedRolls(self) -> int:
        """
        The rolling restarts that were broken off.
        """
        return self._text.count("a clone of the new generation does not start")


class Cloned:
    """
    A cloned application that runs.

    @param folder: an empty one, with a short path.
    @param tac: the application, a file in the folder of this module.
    @param standby: whether a process stands by to manage.
    @param sharing: how the clones share the connections.
    @ivar address: where it listens.
    @ivar broken: while there is a file at this path, the application does not start.
    """

    def __init__(
        self,
        folder: Path,
        clones: int,
        tac: str = "cloned.tac",
        standby: bool = True,
        sharing: str = "grants",
    ) -> None:
        port = freePort()
        self.address = ("127.0.0.1", port)
        self.count = clones
        self._standby = standby
        place = folder / f"cloned-{port}"
        place.mkdir()
        self.broken = place / "broken"
        self.times = place / "times"
        # Its processes inherit this; they are this program's children's.
        os.environ.update(
            PORT=str(port),
            CLONES=str(clones),
            FOLDER=str(place / "run"),
            BROKEN=str(self.broken),
            STANDBY="yes" if standby else "",
            SHARING=sharing,
            TIMES=str(self.times),
        )
        command = python(
            "-c",
            "from twisted.scripts.twistd import run; run()",
            "--pidfile=",
            "-n",
            "-y",
            str(HERE / tac),
        )
        self.program = Program("cloned", command, place)

    @property
    def log(self) -> Log:
        """
        What its processes have said so far.
        """
        return Log(self.program.log.read_text(encoding="utf-8", errors="replace"))

    @property
    def manager(self) -> int:
        """
        The process that manages, by the log.
        """
        return self.log.managers[-1]

    def firstGrant(self, since: float, former: int) -> float | None:
        """
        Find when a clone accepted first by a permit of another manager than a former one.

        @param since: when the former one was killed, by the monotonic clock.
        @return: seconds since then; L{None} if none has.
        """
        with open(self.times, "rb") as file:
            lines = file.read().splitlines()
        for line in lines:
            pid, at = line.split()
            if int(pid) != former and float(at) >= since:
                return float(at) - since
        return None

    def isOver(self, manager: int) -> bool:
        """
        Tell whether another process manages than a former one.
        """
        return self.manager != manager

    def ready(self) -> bool:
        """
        Tell whether a process that serves nothing manages all clones.
        """
        log = self.log
        return log.isPure() and len(log.joined) >= self.count

    def complete(self) -> bool:
        """
        Tell whether L{ready} and a process stands by, if one is to.
        """
        return self.ready() and (not self._standby or self.log.hasStandby())

    @property
    def total(self) -> int:
        """
        The processes that there are to be.
        """
        return self.count + 1 + self._standby

    def processes(self) -> list[int]:
        """
        All its processes, zombies included.
        """
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if self._isOurs(path)]

    def _isOurs(self, path: Path) -> bool:
        try:
            words = (path / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return False
        # The session: see proc(5).
        return int(words[3]) == self.program.pid

    def missing(self) -> list[str]:
        """
        Tell what is missing until all its processes are there and serve; nothing if they do.
        """
        log, processes = self.log, self.processes()
        found = []
        manager = log.managers[-1] if log.managers else None
        if manager is None:
            found.append("no process manages")
        elif manager not in processes:
            found.append(f"process {manager}, which managed last, has ended")
        elif not log.isPure():
            found.append(f"process {manager}, a clone, still manages")
        serving = log.joined.intersection(processes)
        if len(serving) < self.count:
            named = ", ".join(map(str, sorted(serving))) or "none"
            found.append(f"{len(serving)} of {self.count} clones have joined it ({named})")
        if self._standby and not log.hasStandby():
            found.append("no process stands by")
        if len(processes) != self.total:
            named = ", ".join(map(str, sorted(processes))) or "none"
            found.append(f"there are {len(processes)} processes of {self.total} ({named})")
        return found

    def await_(self, events: Events, look: float = LOOK) -> None:
        """
        Let clients go on until all its processes are there and serve, as L{complete} tells.

        @param look: seconds between two looks.
        @raise ProgramError: it takes too long; it tells what is missing.
        """
        try:
            until(events, self.complete, "the start of all processes", look, RETURN)
        except ProgramError as error:
            raise ProgramError(f"{error}: {'; '.join(self.missing())}") from None

    def running(self, field: Field) -> Running:
        """
        Make a peer of it, whose CPU is the manager's.
        """
        backend = field.backend(0)
        return Running(NAME, self.address, backend, None, self.program, "", False, [self.manager])

    def stop(self) -> None:
        """
        Stop all its processes.
        """
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(self.manager, signal.SIGTERM)
        self.program.stop()


def until(
    events: Events,
    condition: Callable[[], object],
    what: str,
    look: float = LOOK,
    patience: float = PATIENCE,
) -> float:
    """
    Let clients go on until something is so.

    @param look: seconds between two looks.
    @param patience: seconds that it may take.
    @return: how many seconds that took.
    @raise ProgramError: it takes too long.
    """
    began = time.monotonic()
    while not condition():
        ends = time.monotonic() + look
        events.turn(look)
        while time.monotonic() < ends:
            events.turn(max(0.0, ends - time.monotonic()))
        if time.monotonic() - began > patience:
            raise ProgramError(f"{what} takes more than {patience:g} s")
    return time.monotonic() - began
