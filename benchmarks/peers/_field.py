"""
Starts peers and stops them.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.machine import PROXY_CORE, startingOn
from benchmarks.peers._peer import Peer, Place, Running
from benchmarks.peers._registry import DIRECT
from benchmarks.programs import Program, ProgramError, freePort
from benchmarks.traffic import Backend, Events, Stream

#: Hosts that each peer has, where nothing else is said.
HOSTS = 3

#: Hosts on one subnet, from C{127.1.x.1} on.
SUBNET = 250


class Field:
    """
    All peers that run, in one folder. Stops them at the end of its C{with}.

    @param folder: where their files are.
    @ivar events: those of clients and hosts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = Events()
        self._subnets = itertools.count(1)
        self._running: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for running in tuple(self._running):
            self.stop(running)
        self.events.close()

    def backend(
        self, hosts: int = HOSTS, wrap: Callable[[socket.socket], Stream] | None = None
    ) -> Backend:
        """
        Hosts, each at an address of its own, so that they don't share the ports
        that clients have.

        @param wrap: see L{Backend}.
        """
        port = freePort()
        addresses: list[tuple[str, int]] = []
        while len(addresses) < hosts:
            subnet = next(self._subnets)
            count = min(SUBNET, hosts - len(addresses))
            addresses += [(f"127.1.{subnet}.{number}", port) for number in range(1, count + 1)]
        return Backend(self.events, addresses, wrap)

    def direct(self) -> Running:
        """
        No proxy at all.
        """
        backend = self.backend()
        running = Running(DIRECT, backend.addresses[0], backend)
        self._running.append(running)
        return running

    def start(
        self,
        peer: Peer,
        hosts: int = HOSTS,
        cores: tuple[int, ...] = (PROXY_CORE,),
        behind: list[tuple[str, int]] | None = None,
        wrap: Callable[[socket.socket], Stream] | None = None,
    ) -> Running:
        """
        Start a peer, without waiting for it.

        @param hosts: how many hosts it gets.
        @param cores: where it may run.
        @param behind: instead of those, programs that run already.
        @param wrap: see L{Backend}.
        """
        backend = self.backend(hosts if behind is None else 0, wrap)
        port = freePort()
        name = f"{peer.name.replace(' ', '-')}-{port}"
        folder = self.folder / name
        folder.mkdir()
        # Apache's children are another user.
        folder.chmod(0o755)
        place = Place(folder, ("127.0.0.1", port), behind or backend.addresses, folder / "config")
        config = peer.configure(place)
        with startingOn(*cores):
            program = Program(name, peer.command(place), folder)
        # Where it ran is of no interest to a reader.
        shown = config.replace(str(folder), "@FOLDER@")
        running = Running(peer.name, place.listen, backend, peer, program, shown)
        self._running.append(running)
        return running

    def startAll(self, peers: list[Peer], hosts: int = HOSTS) -> list[Running]:
        """
        Start peers, and wait until all of them listen.

        @raise ProgramError: one does not.
        """
        started = [self.start(peer, hosts) for peer in peers]
        for running in started:
            self.await_(running)
        return started

    def await_(self, running: Running) -> None:
        """
        Wait until it listens, and has closed the connection that tried it.

        @raise ProgramError: it does not.
        """
        program = running.program
        if program is None:
            raise ProgramError(f"{running.name} is no program")
        program.waitForPort(running.address)
        self.events.runFor(0.2)
        running.settle()
        self.events.trouble.take()

    def stop(self, running: Running) -> None:
        """
        Stop one.
        """
        self._running.remove(running)
        running.stop()
