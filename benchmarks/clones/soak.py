"""
C{python -m benchmarks.clones.soak}: processes of a cloned application are killed and stopped
at random for an hour (C{--seconds}), while clients connect and leave in every way. No client
is refused, and at the end there are as many processes as at the start, with as much memory
and as many descriptors. In the second half no rolling restart replaces the clones, and one
of them is spared, so that one process lives through that half.

The exit status is 1 if that is not so. Then the folder with the logs stays: C{soak.log} has
each signal and each look at the processes, C{cloned-PORT/cloned.log} what the processes said.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.clones._cloned import RETURN, Cloned, until
from benchmarks.programs import ProgramError
from benchmarks.soak import Crowd
from benchmarks.traffic import Events, TrafficError

CLONES = 4

#: The longest time between two actions (C{--pause}), and for which a process is stopped.
PAUSE = 1.0
STOPPED = 1.0

#: How many times as many processes there may be as there should be. If there are more, signals
#: wait: on a machine with other work managers die more quickly than the clones start that each
#: of them has begun.
MOST = 2

#: Seconds in which clients come before the processes are looked at first, and seconds in
#: which the processes come to rest then.
WARM_UP = 5.0
REST = 2.0

#: Seconds between two looks.
LOOK = 0.05

#: Seconds between two lines about the clients and the processes.
REPORT = 60.0

#: Bytes that a process may have grown by, and descriptors.
MEMORY = 8 << 20
DESCRIPTORS = 4

#: How the name of a file begins that txlb keeps for the errors of a process that it has started.
ERRORS = "/memfd:errors"

#: Linux's PR_SET_CHILD_SUBREAPER: processes whose parent was killed become children of this one.
SUBREAPER = 36

#: The signals that a process gets, by the process and the reason, and how often in relation
#: to the others. One that is stopped goes on after a while.
ACTIONS = {
    ("manager", signal.SIGKILL): 4,
    ("clone", signal.SIGKILL): 4,
    ("manager", signal.SIGSTOP): 2,
    ("clone", signal.SIGSTOP): 2,
    ("manager", signal.SIGHUP): 1,
    ("manager", signal.SIGUSR2): 1,
}


@dataclass(frozen=True)
class State:
    """
    What the processes hold at rest.

    @ivar memory: the resident set of each, in bytes, by PID.
    @ivar descriptors: those of each, by PID, as L{ownDescriptors} counts them.
    """

    memory: dict[int, int]
    descriptors: dict[int, int]

    def __str__(self) -> str:
        memory = max(self.memory.values(), default=0) / 2**20
        descriptors = max(self.descriptors.values(), default=0)
        count = len(self.memory)
        return f"{count} processes, at most {memory:.1f} MiB and {descriptors} descriptors"


def faults(before: State, after: State, spared: int | None = None) -> list[str]:
    """
    Compare two states. A process may have another role in the second one, and a manager has
    more descriptors than a clone, so each is compared with the largest of before.

    @param spared: a clone in both states, which is compared with itself.
    @return: a line for each thing that has grown.
    """
    found = []
    if len(after.memory) != len(before.memory):
        found.append(f"{len(after.memory)} processes, {len(before.memory)} at the start")
    for name, one, other, most in (
        ("bytes of memory", before.memory, after.memory, MEMORY),
        ("descriptors", before.descriptors, after.descriptors, DESCRIPTORS),
    ):
        largest = max(one.values())
        for pid, now in sorted(other.items()):
            grown = now - (one[pid] if pid == spared else largest)
            if grown > most:
                found.append(f"process {pid}: {now:,} {name}, {grown:,} more than at the start")
    return found


class Journal:
    """
    The log of a soak.

    @param path: its file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def note(self, text: str) -> None:
        """
        Write a line, with the time as txlb's logs have it.
        """
        self._file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")

    def tell(self, text: str) -> None:
        """
        Write a line, and print it.
        """
        self.note(text)
        print(text, flush=True)

    def close(self) -> None:
        """
        Close the file.
        """
        self._file.close()


class Soak:
    """
    Sends signals at random.

    @param chance: chooses them.
    @param crowd: the clients meanwhile.
    @param journal: has each signal, and how things are each minute.
    @param pause: the longest time between two signals.
    @ivar done: how often each action was.
    @ivar waits: how often there were too many processes for one.
    @ivar spared: a clone that gets no signal, and is not replaced; L{None} for none.
    """

    def __init__(
        self,
        events: Events,
        cloned: Cloned,
        chance: random.Random,
        crowd: Crowd,
        journal: Journal,
        pause: float = PAUSE,
    ) -> None:
        self.done: Counter[str] = Counter()
        self.waits = 0
        self._pause = pause
        self._events = events
        self._cloned = cloned
        self._chance = chance
        self._crowd = crowd
        self._journal = journal
        self._began = time.monotonic()
        self._nextReport = self._began + REPORT
        self.spared: int | None = None

    def run(self, seconds: float) -> None:
        """
        Act for so many seconds, and wait until all processes are back.

        @raise ProgramError: they don't come.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.act()
            if time.monotonic() >= self._nextReport:
                self._nextReport += REPORT
                self.report()
        self._journal.note("all processes have to return")
        try:
            self._await()
        except ProgramError as error:
            raise ProgramError(f"{error}: {'; '.join(self._cloned.missing())}") from None

    def _await(self) -> None:
        what = "the return of all processes"
        took = until(self._events, lambda: isWhole(self._cloned), what, LOOK, RETURN)
        self._journal.note(f"they have returned after {took:.1f} s")

    def report(self) -> None:
        """
        Tell how things are while signals come.
        """
        crowd = self._crowd
        self._journal.tell(
            f"{time.monotonic() - self._began:.0f} s: {crowd.came:,} clients, "
            f"{crowd.failed - crowd.refused:,} lost, {crowd.refused:,} refused; "
            f"{sum(self.done.values()):,} signals, {self.waits:,} waits; {look(self._cloned)}"
        )

    def act(self) -> None:
        """
        Send one signal, and let clients go on for a while.
        """
        if len(self._cloned.processes()) > MOST * self._cloned.total:
            self.waits += 1
        else:
            self._actNow()
        self._events.runFor(self._chance.uniform(0, self._pause))
        reap()

    def _actNow(self) -> None:
        (kind, number), *_ = self._chance.choices(list(ACTIONS), list(ACTIONS.values()))
        pid = self._processOf(kind)
        if number is signal.SIGHUP and self.spared is not None:
            pid = None
        if pid is not None and self._mayDo(pid, number) and self._send(pid, number):
            self.done[f"{kind} {number.name}"] += 1
            if number is signal.SIGSTOP:
                self._events.runFor(self._chance.uniform(0, STOPPED))
                self._send(pid, signal.SIGCONT)

    def _mayDo(self, pid: int, number: signal.Signals) -> bool:
        """
        Spare the last process that runs: the application would be gone. On a machine with other
        work processes may be killed more quickly than they start.
        """
        if number is not signal.SIGKILL:
            return True
        log = self._cloned.log
        others = set(self._cloned.processes()) - {pid}
        return bool(others & {*log.managers, *log.clones, *log.standbys})

    def _processOf(self, kind: str) -> int | None:
        log = self._cloned.log
        # A clone that manages for a moment may be the one that is spared.
        others = set(self._cloned.processes()) - {self.spared}
        manager = log.managers[-1]
        if kind == "manager":
            return manager if manager in others else None
        clones = sorted(log.joined & others - {manager})
        return self._chance.choice(clones) if clones else None

    def _send(self, pid: int, number: signal.Signals) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            self._journal.note(f"{number.name} to process {pid}")
            return True
        return False


def reap() -> None:
    """
    Wait for the processes that have ended and whose parents were killed, as init does.
    """
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def isWhole(cloned: Cloned) -> bool:
    """
    Tell whether there are as many processes as there should be, and all clones serve.
    """
    reap()
    return not cloned.missing()


def atRest(events: Events, cloned: Cloned) -> State:
    """
    Look at the processes when they have nothing to do.
    """
    events.runFor(REST)
    reap()
    return look(cloned)


def look(cloned: Cloned) -> State:
    """
    Look at the processes.
    """
    processes = cloned.processes()
    parents = Counter(parentOf(pid) for pid in processes)
    state = State({}, {})
    for pid in processes:
        with contextlib.suppress(OSError):  # it has just ended
            state.descriptors[pid] = ownDescriptors(pid, parents[pid])
            state.memory[pid] = machine.residentMemory(pid)
    return state


def parentOf(pid: int) -> int:
    """
    Tell the parent of a process; 0 if it has ended.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0
    # See proc(5).
    return int(text.rpartition(")")[2].split()[1])


def ownDescriptors(pid: int, children: int) -> int:
    """
    Count the descriptors of a process that its children do not account for. It has a file for
    the errors of each process that it has started, until that ends. The more clones a process
    starts while it manages, the more it has.

    @param children: how many have not ended. If there are more files, the others count.
    @raise OSError: the process has ended.
    """
    names = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed
            names.append(str(path.readlink()))
    files = sum(name.startswith(ERRORS) for name in names)
    return len(names) - min(files, children)


def details(state: State) -> str:
    """
    Tell what each process holds.
    """
    return "; ".join(
        f"process {pid}: {memory / 2**20:.1f} MiB, {state.descriptors[pid]} descriptors"
        for pid, memory in sorted(state.memory.items())
    )


def told(crowd: Crowd) -> str:
    """
    Tell what happened to the clients.
    """
    lost = crowd.failed - crowd.refused
    refused = "none was" if not crowd.refused else f"{crowd.refused:,} were"
    return (
        f"{crowd.came:,} clients, of which {lost:,}\nlost their connection with a clone that was "
        f"killed, and {refused} refused"
    )


def soak(
    events: Events,
    cloned: Cloned,
    seconds: float,
    seed: int,
    rate: float | None,
    journal: Journal,
    pause: float = PAUSE,
) -> list[str]:
    """
    Do it.

    @param rate: the clients that come in a second; L{None} for as many as can.
    @return: what is wrong afterwards.
    """
    until(events, lambda: cloned.log.managers, "the start", LOOK)
    until(events, cloned.complete, "the start of all processes", LOOK)
    crowd = Crowd(events, cloned.address, rate)
    crowd.run(min(WARM_UP, seconds))
    before = atRest(events, cloned)
    journal.note(f"at the start: {details(before)}")
    actor = Soak(events, cloned, random.Random(seed), crowd, journal, pause)
    states = [before]
    for _ in range(2):
        crowd.begin()
        actor.run(seconds / 2)
        crowd.end()
        states.append(atRest(events, cloned))
        journal.note(f"at rest: {details(states[-1])}")
        if actor.spared is None:
            actor.spared = min(cloned.log.joined & set(cloned.processes()))
            journal.note(f"process {actor.spared} is spared from now on")
    _, half, after = states
    trouble = faults(before, half) + faults(half, after, actor.spared)
    if actor.spared not in after.memory:
        trouble.append(f"process {actor.spared}, which was spared, is gone")
    if crowd.refused:
        trouble.append(f"{crowd.refused} clients were refused")
    journal.tell(f"{seconds:g} s with the seed {seed}: {told(crowd)};")
    journal.tell(", ".join(f"{what}: {times}" for what, times in sorted(actor.done.items())))
    journal.tell(f"{actor.waits} signals waited, as there were too many processes")
    for when, state in zip(("at the start", "after a half", "at the end"), states, strict=True):
        journal.tell(f"{when:<12} {state}")
    return trouble


def main(arguments: list[str]) -> int:
    """
    Soak, and print.

    @return: the exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clones.soak",
        description="Kill and stop processes of a cloned application at random.",
    )
    parser.add_argument("--seconds", type=float, default=3600.0, help="(%(default)g)")
    parser.add_argument("--seed", type=int, default=None, help="that of another run")
    parser.add_argument("--rate", type=float, default=None, help="clients a second")
    parser.add_argument(
        "--pause", type=float, default=PAUSE, help="longest time between two signals (%(default)g)"
    )
    options = parser.parse_args(arguments)
    machine.raiseDescriptorLimit()
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    # Nothing stays if timeout(1) or a service manager ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the soak was ended by SIGTERM"))
    folder = Path(tempfile.mkdtemp(prefix="txlb-soak"))
    trouble = [f"seed {seed}: it was broken off"]
    try:
        trouble = run(folder, options.seconds, seed, options.rate, options.pause)
    except (ProgramError, TrafficError) as error:
        trouble = [f"seed {seed}: {error}"]
    finally:
        if trouble:
            print(f"the logs are in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)
    for line in trouble:
        print(line, file=sys.stderr)
    return 1 if trouble else 0


def run(
    folder: Path, seconds: float, seed: int, rate: float | None, pause: float = PAUSE
) -> list[str]:
    """
    Start the application, soak it, and stop it.

    @param folder: an empty one, for the logs.
    @return: what is wrong afterwards.
    @raise ProgramError: a process does not start, or does not return.
    @raise TrafficError: a client does not end.
    """
    journal = Journal(folder / "soak.log")
    journal.tell(f"the seed is {seed}, the logs are in {folder}")
    try:
        cloned = Cloned(folder, CLONES)
        try:
            trouble = soak(Events(), cloned, seconds, seed, rate, journal, pause)
            text = cloned.program.log.read_text(encoding="utf-8", errors="replace")
            trouble += [line for line in text.splitlines() if "Traceback" in line]
        finally:
            cloned.stop()
        for line in trouble:
            journal.note(line)
        return trouble
    except BaseException as error:
        journal.note(f"broken off: {type(error).__name__}: {error}")
        raise
    finally:
        journal.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
