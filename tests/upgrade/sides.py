"""
Two balancers in one process, of which one gives its connections to the other.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fast.stage import HandReactor
from txlb.deadlines import Deadlines
from txlb.manager import proxyManagerFactory
from txlb.model import Listener, ProxyGroup, ProxyHost, ProxyService
from txlb.process import Collector
from txlb.proxy import (
    ClientConnection,
    ConnectionLimit,
    ConnectionRecord,
    Frontend,
    Loop,
    setStreamOptions,
)
from txlb.proxy._sockettransport import SocketTransport
from txlb.upgrade import Predecessor, Successor, Upgraded, _predecessor
from txlb.upgrade._channel import Channel
from txlb.upgrade._stages import SuccessorStage

#: Seconds for each thing that has to happen.
PATIENCE = 60.0


class SelectingReactor(HandReactor):
    """
    A clock that also looks at sockets.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writers: set[Any] = set()

    def addWriter(self, writer: Any) -> None:
        """
        Remember it.
        """
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        """
        Forget it.
        """
        self.writers.discard(writer)

    def look(self) -> None:
        """
        Tell transports that can be read or written.
        """
        readers = {each.fileno(): each for each in self._sockets()}
        writers = {each.fileno(): each for each in self.writers}
        # Not select, which takes no descriptors above 1,023.
        asked = select.poll()
        for number in readers.keys() | writers.keys():
            asked.register(
                number,
                (select.POLLIN if number in readers else 0)
                | (select.POLLOUT if number in writers else 0),
            )
        for number, events in asked.poll(0):
            reader, writer = readers.get(number), writers.get(number)
            if reader is not None and events & ~select.POLLOUT:
                self._done(reader, reader.doRead())
            if writer is not None and events & ~select.POLLIN and writer.fileno() >= 0:
                self._done(writer, writer.doWrite())

    def _sockets(self) -> Iterator[SocketTransport]:
        return (each for each in self.readers if isinstance(each, SocketTransport))

    def _done(self, transport: Any, why: Any) -> None:
        if why is not None:
            self.removeReader(transport)
            self.removeWriter(transport)
            transport.connectionLost(Failure(ConnectionLost()))


class Side:
    """
    A balancer with one service, whose loop is turned by hand.

    @ivar happened: what was called, in order.
    """

    def __init__(
        self,
        hosts: Sequence[ProxyHost],
        name: str = "web",
        relay: str = "fast",
        group: str = "main",
        **settings: Any,
    ) -> None:
        self.reactor = SelectingReactor()
        self.reactor.advance(time.monotonic())
        self.deadlines = Deadlines(self.reactor, self.reactor.seconds)
        self._loop = Loop(self.reactor, self.deadlines)
        enabled = ProxyGroup(group, enabled=True, hosts=hosts, **settings)
        service = ProxyService(name, [("127.0.0.1", 0)], [enabled], relay=relay)
        self.manager = proxyManagerFactory([service], seconds=self.reactor.seconds)
        self.limit = ConnectionLimit()
        self.frontend = Frontend(
            name, self.manager, self.reactor, self.deadlines, self.limit, loop=self._loop
        )
        self.pool = self.manager.getPool(name)
        self.records: list[ConnectionRecord] = []
        self.frontend.record = self.records.append
        self.happened: list[str] = []
        self.pidFile = ""
        # Whether time stands still.
        self.rests = False
        self.state: dict[str, Any] = {}
        self.pieces: list[object] = []
        self.changes: dict[str, Any] = {}
        self.collector = Collector()

    @property
    def loop(self) -> Loop:
        return self._loop

    @property
    def frontends(self) -> Sequence[Frontend]:
        return [self.frontend]

    @property
    def environment(self) -> Mapping[str, str]:
        return {}

    @property
    def sessions(self) -> int:
        return 0

    def listening(self) -> Sequence[tuple[str, Sequence[socket.socket]]]:
        return []

    def inherited(self) -> Sequence[tuple[str, int]]:
        return []

    def keptAhead(self) -> Iterator[Mapping[str, Any]]:
        yield self.state

    def keptRest(self) -> Mapping[str, Any]:
        return self.state

    def handedOver(self, pid: int, listeners: Collection[str]) -> None:
        self.happened.append(f"handed over to {pid}")

    def leave(self) -> None:
        self.happened.append("left")

    @property
    def services(self) -> Sequence[str]:
        return list(self.manager.services)

    def frontendOf(self, serviceName: str) -> Frontend | None:
        return self.frontend if serviceName in self.services else None

    def restoreState(self, state: Mapping[str, Any]) -> None:
        self.pieces.append(state)

    def restored(self) -> None:
        self.manager.restored()

    def serve(self) -> None:
        self._loop.start()
        self.happened.append("serves")

    def predecessorGone(self) -> None:
        self.happened.append("alone")

    def turn(self) -> None:
        """
        Let everything happen that is due.
        """
        self._loop.turn(0.0, 8)
        self.reactor.look()
        if not self.rests:
            self.reactor.advance(0.001)

    def close(self) -> None:
        """
        End everything.
        """
        self.frontend.abortAll()
        self._loop.closePending()
        self._loop.stop()
        self.deadlines.stop()


class FakeProcess:
    """
    Stands for the process of the successor.
    """

    pid = 4711

    def __init__(self) -> None:
        self.killed = self.forgotten = False

    def kill(self) -> str:
        """
        @return: how it ended.
        """
        self.killed = True
        return "it was killed"

    def forget(self) -> None:
        """
        Leave it.
        """
        self.forgotten = True


class UpgradeCase(SynchronousTestCase):
    """
    A test with an old and a new balancer, and sockets of clients and hosts.
    """

    #: The relays of the old and of the new balancer.
    relays = ("fast", "fast")

    def setUp(self) -> None:
        # Nothing depends on how busy the machine is.
        self.patch(_predecessor, "FREEZE_LIMIT", PATIENCE)
        # A successor that has failed ends its process, and so does not let the collector go on.
        self.addCleanup(gc.enable)
        self.sides = 0
        self.sockets: list[socket.socket] = []
        self.addCleanup(self._closeSockets)
        self.listener = self._keep(socket.socket())
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(100)
        self.address = self.listener.getsockname()

    def _closeSockets(self) -> None:
        for sock in self.sockets:
            sock.close()

    def _keep(self, sock: socket.socket) -> socket.socket:
        self.sockets.append(sock)
        sock.settimeout(PATIENCE)
        return sock

    def side(self, *names: str, **settings: Any) -> Side:
        """
        Make a balancer whose hosts are all at the listener of the test.
        """
        hosts = [ProxyHost(name, *self.address) for name in names or ("host",)]
        side = Side(hosts, relay=self.relays[self.sides % 2], **settings)
        self.sides += 1
        self.addCleanup(side.close)
        return side

    def client(self, side: Side) -> socket.socket:
        """
        Let a client come.
        """
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            near = self._keep(socket.create_connection(listener.getsockname()))
            far, peer = listener.accept()
        setStreamOptions(far)
        client = ClientConnection(far.detach(), peer, Listener("127.0.0.1:80"))
        if not side.rests:
            side.reactor.advance(0.001)
        side.frontend.accepted(client)
        return near

    def host(self) -> socket.socket:
        """
        Accept the next connection to the host.
        """
        return self._keep(self.listener.accept()[0])

    def pair(self, side: Side) -> tuple[socket.socket, socket.socket]:
        """
        Let a client come to a host.
        """
        client = self.client(side)
        host = self.host()
        self.until(side, lambda: all(each.begun for _, each in side.frontend.moving.connections()))
        return client, host

    def until(self, side: Side, condition: Any) -> None:
        """
        Turn the loop until something is so.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            side.turn()

    def passes(self, side: Side, data: bytes, out: socket.socket, into: socket.socket) -> None:
        """
        Send bytes through the balancer, and read them.
        """
        out.sendall(data)
        self.reads(side, data, into)

    def reads(self, side: Side, data: bytes, sock: socket.socket) -> None:
        """
        Read bytes that come through the balancer.
        """
        sock.setblocking(False)
        got = b""
        deadline = time.monotonic() + PATIENCE
        while len(got) < len(data):
            side.turn()
            try:
                part = sock.recv(len(data) - len(got))
            except BlockingIOError:
                self.assertLess(time.monotonic(), deadline)
                continue
            self.assertTrue(part)
            got += part
        sock.settimeout(PATIENCE)
        self.assertEqual(got, data)

    # The upgrade

    def begin(self, old: Side, new: Side) -> None:
        """
        Begin an upgrade. The successor runs in a thread, until it serves or ends.
        """
        self.process = FakeProcess()
        self.ended: list[str] = []

        def launch(_: Mapping[str, str], descriptors: tuple[int, ...]) -> Any:
            self.successor = Successor(Channel(socket.socket(fileno=os.dup(descriptors[0]))))
            self.successor.exit = self._exit  # type: ignore[method-assign]
            return self.process

        self.predecessor = Predecessor(old, old.reactor, old.deadlines, launch)
        self.result: list[Upgraded] = []
        self.failure: list[str] = []
        done = self.predecessor.begin()
        done.addCallbacks(
            self.result.append, lambda failure: self.failure.append(failure.getErrorMessage())
        )
        self.takeOffers()
        self.successor.ready(new, new.reactor)

    def takeOffers(self) -> None:
        """
        Read what the predecessor offers, and leave standard error as it is.
        """
        while True:
            offer, descriptors = self.successor._channel.receive(time.monotonic() + PATIENCE)
            for number in descriptors:
                socket.close(number)
            if not getattr(offer, "more", False):
                return

    def _exit(self, reason: str) -> None:
        self.ended.append(reason)
        self.successor._channel.close()

    def takeInThread(self) -> None:
        """
        Let the successor read until it serves or ends.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.successor.stage not in {
            SuccessorStage.SERVING,
            SuccessorStage.ENDED,
        }:
            self.successor.doRead()
            time.sleep(0.0005)

    def copied(self, old: Side, new: Side) -> None:
        """
        Begin an upgrade, up to where the predecessor would freeze.
        """
        self.begin(old, new)
        deadline = time.monotonic() + PATIENCE
        while not self.predecessor._call or self.predecessor._call.func != self.predecessor._freeze:
            self.assertLess(time.monotonic(), deadline)
            self.predecessor.doRead()
            old._loop.turn(0.0, 8)
            old.reactor.look()
            if self.predecessor._call is not None and (
                self.predecessor._call.func == self.predecessor._freeze
            ):
                break
            old.reactor.advance(0.001)
            self.successor.doRead()

    def finish(self, old: Side) -> None:
        """
        Do the rest of the upgrade.
        """
        thread = threading.Thread(target=self.takeInThread)
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self.result and not self.failure:
            self.assertLess(time.monotonic(), deadline)
            self.predecessor.doRead()
            old.turn()
        thread.join(PATIENCE)
        old.reactor.advance(0)

    def upgrade(self, old: Side, new: Side) -> None:
        """
        Do an upgrade.
        """
        self.begin(old, new)
        self.finish(old)
        self.assertEqual(self.failure, [])
        self.successor.doRead()
