"""
Faults of upgrades with real processes: see C{python -m benchmarks.upgrades --faults}.

Before each upgrade connections are opened: silent ones, some that talk while others are copied, and
some with so many bytes under way that the balancer holds a part of them. Others come in the last
moment. After the fault each has to give every byte back, or to have ended if the table of the
how-to says so.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.faulty import VARIABLE
from benchmarks.upgrade import HERE, ROOT, TXLB, Balancer, childrenOf, isGone, open_, until

#: Connections that are silent, that talk while others are copied, and with much under way.
SILENT, CHANGED, FULL = 40, 20, 4

#: Connections that come after the copies.
LATE = 300

#: Bytes of one with much under way, at most.
MUCH = 12_000_000

#: Faults of which a limit of a minute is waited for are tried so often at a time.
WAITING = 10

#: The size of a folder in which little can be written.
SMALL = "256k"

#: A moment in which the old process still serves, and all copies are made.
COPIED = "new gets AllCopied 1 slow"

#: A file with a fault.
WRONG = '<config><service name="web"><listen ip="nowhere"/></service></config>'


class Connections:
    """
    Connections through the balancer, by what they do.

    @param port: of the balancer.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets = [open_(port) for _ in range(SILENT + CHANGED)]
        for sock in self._sockets:
            if not echoes(sock):
                raise RuntimeError("a connection is not served before")
        self._full: list[tuple[socket.socket, int]] = []
        for _ in range(FULL):
            sock = open_(port)
            self._full.append((sock, fill(sock)))

    def change(self) -> None:
        """
        Let some talk, and others come.
        """
        for sock in self._sockets[:CHANGED]:
            if not echoes(sock):
                raise RuntimeError("a connection is not served while others are copied")
        late = [open_(self._port) for _ in range(LATE)]
        for sock in late:
            if not echoes(sock):
                raise RuntimeError("a new connection is not served while others are copied")
        self._sockets += late

    def served(self) -> tuple[int, int]:
        """
        Count those that give everything back, and all. One that does neither, and has not ended,
        is an error.
        """
        count = sum(map(echoes, self._sockets)) + sum(gives(*each) for each in self._full)
        return count, len(self._sockets) + len(self._full)

    def close(self) -> None:
        """
        Close all.
        """
        for sock in (*self._sockets, *(sock for sock, _ in self._full)):
            sock.close()


def echoes(sock: socket.socket) -> bool:
    """
    Tell whether a connection gives a word back. Otherwise it has ended.

    @raise RuntimeError: it gives other bytes.
    """
    try:
        sock.sendall(b"word")
        got = sock.recv(4, socket.MSG_WAITALL)
    except TimeoutError:
        raise RuntimeError("a connection hangs") from None
    except OSError:
        return False
    if got != b"word"[: len(got)]:
        raise RuntimeError("other bytes have come back")
    return len(got) == 4


def byteAt(place: int, count: int) -> bytes:
    """
    Return a part of the bytes that are sent.
    """
    return bytes(number % 251 for number in range(place, place + count))


#: The first of them, and as many as repeat.
PATTERN = byteAt(0, 251 * 400)


def fill(sock: socket.socket) -> int:
    """
    Send until nothing is taken, as nothing is read.

    @return: the number of bytes that were sent.
    """
    sent = 0
    sock.settimeout(0.2)
    try:
        while sent < MUCH:
            sent += sock.send(PATTERN[sent % 251 :])
    except TimeoutError:
        pass
    return sent


def gives(sock: socket.socket, sent: int) -> bool:
    """
    Tell whether all bytes that were sent come back. Otherwise the connection has ended.

    @raise RuntimeError: other bytes come.
    """
    sock.settimeout(60.0)
    got = 0
    try:
        while got < sent:
            data = sock.recv(min(sent - got, len(PATTERN) - 251))
            if not data:
                return False
            start = got % 251
            if data != PATTERN[start : start + len(data)]:
                raise RuntimeError(f"other bytes have come back from byte {got} of {sent}")
            got += len(data)
    except TimeoutError:
        raise RuntimeError(f"a connection hangs after {got} of {sent} bytes") from None
    except OSError:
        return False
    return True


class Case:
    """
    One upgrade with a fault, of a balancer of its own.

    @param folder: for it.
    @param isSmall: whether little can be written there.
    @ivar ahead: packages that the new process prefers.
    @ivar old: the process before.
    @ivar new: its successor; 0 if there was none.
    """

    def __init__(self, folder: Path, hostPort: int, isSmall: bool = False) -> None:
        self._hostPort = hostPort
        self._stack = contextlib.ExitStack()
        self.ahead = folder / "ahead"
        self.ahead.mkdir(parents=True)
        self._plan = folder / "plan"
        self._plan.write_text("")
        self.new = 0
        own = folder / "txlb"
        own.mkdir(0o700)
        try:
            if isSmall:
                options = ("-o", f"size={SMALL},mode=700")
                subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", own], check=True)
                self._stack.callback(partial(subprocess.run, ["umount", "-l", own], check=True))
            variables = {VARIABLE: str(self._plan)}
            self.balancer = Balancer(own, hostPort, ["benchmarks.faulty"], self.ahead, **variables)
            self._stack.callback(self.balancer.stop)
            self._connections = Connections(self.balancer.port)
            self._stack.callback(self._connections.close)
            self._before = self.balancer.logSize
            self.old = self.balancer.pid
        except BaseException:
            self.stop()
            raise

    @property
    def said(self) -> str:
        """
        What the balancer has written since the upgrade began.
        """
        return self.balancer.logFrom(self._before)

    @property
    def config(self) -> str:
        """
        The file of the balancer.
        """
        return TXLB.format(
            here=HERE, port=self.balancer.port, host=self._hostPort, folder=self.balancer.folder
        )

    def configure(self, text: str) -> None:
        """
        Write another file for the new process.
        """
        (self.balancer.folder / "config.xml").write_text(text)

    def plan(self, lines: Sequence[str]) -> None:
        """
        Let something happen at a message; see L{benchmarks.faulty}.
        """
        self._plan.write_text("\n".join(lines))

    def begin(self) -> None:
        """
        Begin the upgrade, and wait until there is a successor.
        """
        os.kill(self.old, signal.SIGUSR2)
        until(lambda: self._children or "no upgrade:" in self.said, "the new one starts")

    @property
    def _children(self) -> bool:
        """
        Whether there is a successor, which this takes note of.
        """
        self.new = next(iter(childrenOf(self.old)), self.new)
        return bool(self.new)

    def upgrade(self) -> None:
        """
        Upgrade, and wait for the end.
        """
        self.begin()
        if COPIED in self._plan.read_text():
            # It waits in the middle.
            until(lambda: "relay: fast" in self.said or self._isOver, "the new one could serve")
            self._connections.change()
        self.finish()

    def finish(self) -> None:
        """
        Wait until one process is left, which serves, or none.
        """
        until(lambda: self._isOver, "the upgrade is over")

    @property
    def _isOver(self) -> bool:
        if not isGone(self.old):
            return not self.new or isGone(self.new)
        return isGone(self.new) or self._isServed

    @property
    def _isServed(self) -> bool:
        """
        Whether a new client is served.
        """
        with open_(self.balancer.port) as sock:
            return echoes(sock)

    def result(self) -> tuple[str, str]:
        """
        @return: the process that serves, and how many connections are lost.
        """
        served, count = self._connections.served()
        found = re.search(r"and (\d+) of its connections go on here", self.said)
        if found and served != int(found[1]):
            raise RuntimeError(f"{served} of the {found[1]} connections of the new one go on")
        if isGone(self.old) and isGone(self.new):
            return "none", "every"
        if not self._isServed:
            raise RuntimeError("a new client is not served")
        lost = "no" if served == count else "some" if served else "every"
        return "new" if isGone(self.old) else "old", lost

    def stop(self) -> None:
        """
        End everything.
        """
        if self.new and not isGone(self.new):
            os.kill(self.new, signal.SIGKILL)
        self._stack.close()


@dataclass(frozen=True)
class Fault:
    """
    A fault, and what has to follow.

    @ivar name: for people.
    @ivar serves: the process that has to serve then, C{old} or C{new}.
    @ivar lost: whether C{no}, C{some} or C{every} connection is lost.
    @ivar plan: what happens at which message.
    @ivar does: does the upgrade.
    @ivar says: the log has to say this.
    @ivar waits: whether a limit of a minute is waited for.
    @ivar isSmall: whether the balancer has a folder in which little can be written.
    """

    name: str
    serves: str
    lost: str
    plan: Sequence[str] = ()
    does: Callable[[Case], None] = Case.upgrade
    says: str = ""
    waits: bool = False
    isSmall: bool = False


def wrongFile(case: Case) -> None:
    """
    Upgrade with a file that has a fault.
    """
    case.configure(WRONG)
    case.upgrade()


def takenAddress(case: Case) -> None:
    """
    Upgrade with a file that adds an address at which another program listens.
    """
    with socket.create_server((HERE, 0)) as taken:
        more = f'<listen ip="{HERE}:{taken.getsockname()[1]}"/>'
        case.configure(case.config.replace("<group", f"{more}<group", 1))
        case.upgrade()


def otherVersion(case: Case) -> None:
    """
    Upgrade to a copy of the package that speaks another version of the protocol.
    """
    shutil.copytree(ROOT / "src" / "txlb", case.ahead / "txlb")
    path = case.ahead / "txlb" / "wire" / "_upgrade.py"
    path.write_text(re.sub(r"(UPGRADE_VERSION = )\d+", r"\g<1>99", path.read_text()))
    case.upgrade()


def twice(case: Case) -> None:
    """
    Ask for a second upgrade meanwhile.
    """
    case.begin()
    done = subprocess.run(
        [sys.executable, "-m", "txlb", "upgrade", "-s", f"{case.balancer.folder}/control"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 1 or "an upgrade is under way already" not in done.stderr:
        raise RuntimeError(f"the second upgrade: {done.returncode}, {done.stderr}")
    case.finish()


def limited(kind: int, limit: int, case: Case) -> None:
    """
    Upgrade while the old process has a limit, and so the new one. Afterwards the old one has it no
    more.
    """
    _, hard = resource.prlimit(case.old, kind)
    resource.prlimit(case.old, kind, (limit, hard))
    case.upgrade()
    resource.prlimit(case.old, kind, (hard, hard))


def fullDisk(case: Case) -> None:
    """
    Upgrade while nothing can be written into the folder of the pid file and of the log.
    """
    filler = case.balancer.folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    case.upgrade()


#: The messages are those of L{txlb.wire}, in their order.
FAULTS = (
    Fault("the file has a fault", "old", "no", does=wrongFile, says="config.xml:1: "),
    Fault("an address is another program's", "old", "no", does=takenAddress, says="in use"),
    Fault("the new one speaks another version", "old", "no", does=otherVersion, says="version 99"),
    Fault("a second upgrade meanwhile", "new", "no", ["new sends Ready 1 slow"], twice),
    Fault("the new one dies as it starts", "old", "no", ["new gets Offer 1 dies"]),
    Fault("it hangs as it starts", "old", "no", ["new sends Ready 1 hangs"], waits=True),
    Fault("it is slow as it starts", "new", "no", ["new sends Ready 1 slow"]),
    Fault("it answers nonsense as it starts", "old", "no", ["new sends Ready 1 garbage"]),
    Fault("it has too few descriptors", "old", "no", ["new gets Offer 1 poor"]),
    Fault("it dies at the copies", "old", "no", ["new gets Copies 1 dies"]),
    Fault("it raises at the copies", "old", "no", ["new gets Copies 1 raises"]),
    Fault("it hangs at the copies", "old", "no", ["new gets Copies 1 hangs"], waits=True),
    Fault("it answers nonsense at the copies", "old", "no", ["new sends Prepared 1 garbage"]),
    Fault("it dies when nothing is served", "old", "no", [COPIED, "new gets AllMoved 1 dies"]),
    Fault("it raises then", "old", "no", [COPIED, "new gets AllMoved 1 raises"]),
    Fault("it hangs then", "old", "no", [COPIED, "new gets AllMoved 1 hangs"]),
    Fault("it answers nonsense then", "old", "no", [COPIED, "new sends Started 1 garbage"]),
    Fault("it is slow then", "new", "no", [COPIED, "new sends Started 1 slow"]),
    Fault("the old one dies before the copies", "new", "every", ["old gets Ready 1 dies"]),
    Fault("it dies at the copies", "new", "every", ["old sends AllCopied 1 dies"]),
    Fault("it dies before it gives the rest", "new", "every", [COPIED, "old sends Frozen 1 dies"]),
    Fault("it dies before it tells a change", "new", "every", [COPIED, "old sends Moves 1 dies"]),
    Fault("it dies after the changes", "new", "some", [COPIED, "old sends AllChanged 1 dies"]),
    Fault("it dies between two batches", "new", "some", [COPIED, "old sends Moves 3 dies"]),
    Fault("it dies after everything", "new", "no", [COPIED, "old sends AllMoved 1 dies"]),
    Fault("it dies after the answer", "new", "no", [COPIED, "old gets Started 1 dies"]),
    Fault(
        "no state can be written", "old", "no", does=partial(limited, resource.RLIMIT_FSIZE, 500)
    ),
    Fault("the old one raises when it gives", "old", "no", [COPIED, "old sends AllMoved 1 raises"]),
    Fault(
        "the old one has too few descriptors",
        "old",
        "no",
        does=partial(limited, resource.RLIMIT_NOFILE, 20),
        says="no upgrade:",
    ),
    Fault("the disk is full", "new", "no", does=fullDisk, isSmall=True),
)


class Trial:
    """
    All faults, again and again.

    @ivar wrong: what was wrong.
    """

    def __init__(self, folder: Path, hostPort: int) -> None:
        self._folder = folder
        self._hostPort = hostPort
        self._numbers = itertools.count()
        self.wrong: list[str] = []

    def once(self, fault: Fault) -> bool:
        """
        Let a fault happen.

        @return: whether what has to follow did.
        """
        folder = self._folder / str(next(self._numbers))
        said = ""
        try:
            case = Case(folder, self._hostPort, fault.isSmall)
            try:
                case.plan(fault.plan)
                fault.does(case)
                found = case.result()
            finally:
                said = case.said
                case.stop()
            problem = ""
            if found != (fault.serves, fault.lost):
                problem = f"the {found[0]} one serves, {found[1]} connection is lost"
            elif fault.says not in said:
                problem = f"the log does not say {fault.says!r}"
            elif "Traceback" in said:
                problem = "the log has a traceback"
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            problem = str(error)
        if problem:
            self.wrong.append(f"{fault.name}: {problem}")
            print(f"  wrong: {self.wrong[-1]}\n{said}", flush=True)
        else:
            shutil.rmtree(folder)
        return not problem


def allFaults(folder: Path, hostPort: int, times: int, only: str, atOnce: int) -> list[str]:
    """
    Let each fault happen, and print how often what has to follow did.

    @param only: a part of the names of faults.
    @param atOnce: so many balancers run at a time.
    @return: what was wrong.
    """
    trial = Trial(folder, hostPort)
    for fault in FAULTS:
        if only not in fault.name:
            continue
        with ThreadPoolExecutor(WAITING if fault.waits else atOnce) as threads:
            right = sum(threads.map(trial.once, [fault] * times))
        print(
            f"{fault.name:<38} {fault.serves} one serves, {fault.lost} connection is lost: "
            f"{right} of {times}",
            flush=True,
        )
    return trial.wrong
