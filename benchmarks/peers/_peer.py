"""
A proxy that takes part, and one that runs.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import cpuTime, privateMemory
from benchmarks.programs import Program
from benchmarks.traffic import PLAIN, THROUGH_HTTP, Backend, Exchange

HERE = Path(__file__).resolve().parent

#: Connections that a peer has to allow at once, where the descriptors suffice.
CONNECTIONS = 10500

#: Descriptors that a peer needs beside those for connections.
SPARE = 300

Address = tuple[str, int]


@dataclass(frozen=True)
class Place:
    """
    Where a peer runs.

    @ivar folder: its folder, empty before.
    @ivar listen: where it listens.
    @ivar hosts: its hosts.
    @ivar config: its configuration file, where it has one.
    """

    folder: Path
    listen: Address
    hosts: list[Address]
    config: Path

    @property
    def words(self) -> list[str]:
        """
        All addresses, as arguments: its own first.
        """
        return [f"{host}:{port}" for host, port in (self.listen, *self.hosts)]


@dataclass(frozen=True)
class Peer:
    """
    A proxy that takes part.

    @ivar name: a short word for it.
    @ivar settings: what it is and how it is set, for the reader of a table.
    @ivar command: what starts it.
    @ivar version: says its version; L{None} where it is not installed.
    @ivar template: its configuration file, in this folder. Words in C{@} stand
        for what differs between machines.
    @ivar hostLine: a line of it for each host, with C{name} and C{address}.
    @ivar words: more of such words, and what they stand for.
    @ivar http: whether it understands HTTP, where others move bytes; it keeps
        connections to its hosts then.
    """

    name: str
    settings: str
    command: Callable[[Place], list[str]]
    version: Callable[[], str | None]
    template: str | None = None
    hostLine: str = ""
    words: Callable[[], dict[str, str]] = dict
    http: bool = False

    def configure(self, place: Place) -> str:
        """
        Write its configuration.

        @return: that.
        """
        if self.template is None:
            return ""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        lines = [
            self.hostLine.format(name=f"host{number}", address=f"{host}:{port}")
            for number, (host, port) in enumerate(place.hosts, 1)
        ]
        words = {
            "CONNECTIONS": str(min(CONNECTIONS, (limit - SPARE) // 2)),
            "DESCRIPTORS": str(limit),
            "FOLDER": str(place.folder),
            "HOSTS": "\n".join(lines),
            "LISTEN": f"{place.listen[0]}:{place.listen[1]}",
            **self.words(),
        }
        text = (HERE / self.template).read_text(encoding="utf-8")
        text = re.sub("@([A-Z]+)@", lambda found: words[found[1]], text)
        place.config.write_text(text, encoding="utf-8")
        return text


def installed(*programs: str) -> str | None:
    """
    Where the first of these programs is that is installed.
    """
    for program in programs:
        found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
        if found:
            return found
    return None


def firstLine(program: str | None, *arguments: str) -> str | None:
    """
    Return a program's output about its version.

    @return: L{None} where there is no such program.
    """
    if program is None:
        return None
    done = subprocess.run(
        [program, *arguments], check=False, capture_output=True, text=True, timeout=30
    )
    return (done.stdout + done.stderr).strip().splitlines()[0]


@dataclass
class Running:
    """
    A peer that runs, with hosts of its own. Its starter stops it.

    @ivar peer: which one; L{None} for none, where clients talk to the host.
    @ivar config: its configuration.
    @ivar settles: whether it ends every connection when its clients have ended
        theirs.
    """

    name: str
    address: Address
    backend: Backend
    peer: Peer | None = None
    program: Program | None = None
    config: str = ""
    settles: bool = True
    _pids: list[int] = field(default_factory=list)

    @property
    def exchange(self) -> Exchange:
        """
        What an answer looks like behind it.
        """
        return THROUGH_HTTP if self.http else PLAIN

    @property
    def http(self) -> bool:
        """
        Whether it understands HTTP.
        """
        return self.peer is not None and self.peer.http

    def settle(self) -> None:
        """
        Wait until it has ended every connection, where it ends them.

        @raise TrafficError: it does not.
        """
        if self.settles and not self.http:
            self.backend.whenQuiet()

    def cpuTime(self) -> int:
        """
        CPU that it has used so far, in nanoseconds.
        """
        if self.program is None:
            return 0
        if not self._pids:
            self._pids = self.program.pids()
        return cpuTime(self._pids)

    def memory(self) -> int:
        """
        Return its private memory, in bytes.
        """
        return 0 if self.program is None else privateMemory(self.program.pids())

    def stop(self) -> None:
        """
        Stop it and its hosts.
        """
        # Hosts first: a proxy that stops gracefully would wait for them.
        self.backend.close()
        if self.program is not None:
            self.program.stop()
