"""
Reads that end though more has come: at an urgent byte, and on UNIX sockets behind a message
that carries descriptors.

RFC 6093 wants urgent data in line. HAProxy and nginx pass it on so or drop it; the relay
passes it on in line. FTP clients send ABOR so, telnet its marks, and databases their breaks:
what hides behind such a byte must not wait for the next one, and none may be lost.
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
from collections.abc import Iterator
from unittest import mock

from tests.proxy.fast.stage import FAMILIES, TURNS, HandTurned, StageCase, elsewhere, readSome
from txlb.pool import Outcome
from txlb.proxy.fast._end import CHUNK, IN, End

#: More than a chunk, so that it goes through a pipe, and less than what fits at once.
BURST = os.urandom(CHUNK) * 3


#: Turns without anything new after which it waits for the system, in each of them for so many
#: seconds at most, and after which nothing more will come.
HASTE = 50
WAIT = 0.001
PATIENCE = 3000


class MarksCase(StageCase):
    """
    What the tests have in common.
    """

    def ends(self, stage: HandTurned, fromHost: bool) -> tuple[socket.socket, socket.socket, End]:
        """
        @return: the far end that sends, the one that receives, and the relay's end of the
            former.
        """
        client, server = stage.connect()
        connection = stage.connection()
        if fromHost:
            return server, client, connection._host
        return client, server, connection._client

    def arrives(self, stage: HandTurned, receiver: socket.socket, wanted: bytes) -> None:
        """
        All of this arrives without anything else being sent.
        """
        received = bytearray()
        quiet = 0
        while len(received) < len(wanted) and quiet < PATIENCE:
            stage.turn()
            if quiet > HASTE:
                # The system moves bytes when it gets to it.
                select.select([receiver], [], [], WAIT)
            data = readSome(receiver, 1 << 20)
            quiet = 0 if data else quiet + 1
            received += data or b""
        self.assertEqual(len(received), len(wanted))
        self.assertTrue(bytes(received) == wanted, "other bytes")

    def finish(self, stage: HandTurned, sender: socket.socket, receiver: socket.socket) -> None:
        """
        The end arrives, and it is over in good order.
        """
        sender.close()
        stage.turn(5)
        last = readSome(receiver, 1)
        for _ in range(PATIENCE):
            if last is not None:
                break
            select.select([receiver], [], [], WAIT)
            stage.turn()
            last = readSome(receiver, 1)
        self.assertEqual(last, b"")
        receiver.close()
        for _ in range(TURNS):
            if stage.results:
                break
            stage.turn()
        lease = stage.results[0].lease
        assert lease is not None
        self.assertEqual(lease.outcome, Outcome.DONE)


class UrgentTests(MarksCase):
    """
    Urgent bytes.
    """

    def ways(self) -> Iterator[tuple[socket.AddressFamily, bool]]:
        """
        Each family of sockets, and whether the host sends or the client. A system may have
        no urgent bytes on UNIX sockets.
        """
        for family in FAMILIES:
            if family == socket.AF_UNIX and not _urgentOnUNIX():
                continue
            for fromHost in (True, False):
                yield family, fromHost

    def test_small(self) -> None:
        """
        Before, at and behind the mark, in one turn, several times.
        """
        for family, fromHost in self.ways():
            for near in (True, False):
                stage = self.stage(family)
                with contextlib.nullcontext() if near else elsewhere():
                    sender, receiver, _ = self.ends(stage, fromHost)
                for _ in range(3):
                    sender.send(b"before")
                    sender.send(b"\xf2", socket.MSG_OOB)
                    sender.send(b"behind")
                    self.arrives(stage, receiver, b"before\xf2behind")
                self.finish(stage, sender, receiver)

    def test_comesWhileItIsRead(self) -> None:
        """
        The mark comes after the event that the relay reads for, so that nothing but
        another event tells of it.
        """
        for family, fromHost in self.ways():
            stage = self.stage(family)
            sender, receiver, end = self.ends(stage, fromHost)
            sender.send(b"before")
            sender.send(b"\xf2", socket.MSG_OOB)
            sender.send(b"behind")
            end.pump(IN)
            self.arrives(stage, receiver, b"before\xf2behind")

    def test_readOver(self) -> None:
        """
        A read that begins at the mark does not drop the byte, as it would without
        C{SO_OOBINLINE}.
        """
        for family, fromHost in self.ways():
            stage = self.stage(family)
            sender, receiver, end = self.ends(stage, fromHost)
            sender.send(b"\xf2", socket.MSG_OOB)
            end.pump(IN)
            self.arrives(stage, receiver, b"\xf2")

    def test_bulk(self) -> None:
        """
        In the middle of a burst, and at its end.
        """
        for family, fromHost in self.ways():
            for pipes in (True, False):
                stage = self.stage(family, pipes=pipes)
                sender, receiver, end = self.ends(stage, fromHost)
                self.burst(stage, sender, receiver)
                self.assertTrue(end.bulk)
                self.sendAll(stage, sender, BURST)
                sender.send(b"\xf2", socket.MSG_OOB)
                sender.send(b"behind")
                self.arrives(stage, receiver, BURST + b"\xf2behind")
                # And it goes through a pipe again.
                self.burst(stage, sender, receiver)
                self.assertEqual((end.bulk, end.urgent), (True, False))
                self.finish(stage, sender, receiver)

    def test_splicedBeforeItIsKnown(self) -> None:
        """
        The relay splices up to the mark before it hears of it: splice says that there is
        nothing, or with the end behind the mark that this is the end.
        """
        for family, fromHost in self.ways():
            for finish in (False, True):
                stage = self.stage(family)
                sender, receiver, end = self.ends(stage, fromHost)
                self.burst(stage, sender, receiver)
                sender.send(b"before")
                sender.send(b"\xf2", socket.MSG_OOB)
                sender.send(b"behind")
                if finish:
                    sender.shutdown(socket.SHUT_WR)
                # No event yet.
                stage.loop.queueBulk(end)
                stage.loop.catchUp()
                stage.loop.queueBulk(end)
                stage.loop.catchUp()
                self.arrives(stage, receiver, b"before\xf2behind")
                self.finish(stage, sender, receiver)

    def test_inAPipe(self) -> None:
        """
        The mark comes while bytes before it are in a pipe, as the receiver does not read.
        """
        for family, fromHost in self.ways():
            stage = self.stage(family)
            sender, receiver, end = self.ends(stage, fromHost)
            sent = bytearray()
            quiet = 0
            while quiet < 20:
                with contextlib.suppress(BlockingIOError):
                    count = sender.send(BURST)
                    sent += BURST[:count]
                    quiet = -1
                quiet += 1
                stage.turn()
            self.assertTrue(end.piped)
            wanted = len(sent)
            received = bytearray()
            while not _sendUrgent(sender):
                received += readSome(receiver, 1 << 20) or b""
                stage.turn()
            sender.shutdown(socket.SHUT_WR)
            self.arrives(stage, receiver, bytes(sent[len(received) :]) + b"\xf2")
            self.assertTrue(len(received) <= wanted)

    def test_behindBlocked(self) -> None:
        """
        The mark comes while the receiver takes nothing.
        """
        for family, fromHost in self.ways():
            stage = self.stage(family, pipes=False, window=2048)
            sender, receiver, end = self.ends(stage, fromHost)
            sent = bytearray()
            while not end.readable:
                with contextlib.suppress(BlockingIOError):
                    sent += BURST[: sender.send(BURST[:3000])]
                stage.turn()
            received = bytearray()
            while not _sendUrgent(sender):
                received += readSome(receiver, 1000) or b""
                stage.turn()
            with contextlib.suppress(BlockingIOError):
                sent += b"\xf2"
                sender.send(b"b")
                sent += b"b"
            self.arrives(stage, receiver, bytes(sent[len(received) :]))

    def burst(self, stage: HandTurned, sender: socket.socket, receiver: socket.socket) -> None:
        """
        Send so much that it goes through a pipe.
        """
        self.sendAll(stage, sender, BURST)
        self.arrives(stage, receiver, BURST)

    def sendAll(self, stage: HandTurned, sender: socket.socket, data: bytes) -> None:
        """
        Send all of it, while the loop turns.
        """
        for _ in range(TURNS):
            with contextlib.suppress(BlockingIOError):
                data = data[sender.send(data) :]
            if not data:
                return
            stage.turn()
        raise AssertionError("it does not go")


class DescriptorTests(MarksCase):
    """
    Messages that carry descriptors.
    """

    def send(self, sender: socket.socket, data: bytes) -> None:
        """
        Send data, with a descriptor.
        """
        with open(os.devnull, "rb") as file:
            rights = array.array("i", [file.fileno()])
            sender.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])

    def test_behindThem(self) -> None:
        """
        What comes behind a message with descriptors does not wait, and no descriptor stays
        here. They go nowhere.
        """
        for fromHost in (True, False):
            for near in (True, False):
                stage = self.stage(socket.AF_UNIX)
                with contextlib.nullcontext() if near else elsewhere():
                    sender, receiver, _ = self.ends(stage, fromHost)
                before = len(os.listdir("/proc/self/fd"))
                for _ in range(5):
                    sender.send(b"1")
                    self.send(sender, b"2")
                    self.send(sender, b"3")
                    sender.send(b"4")
                    self.arrives(stage, receiver, b"1234")
                self.assertEqual(len(os.listdir("/proc/self/fd")), before)
                self.send(sender, b"x")
                stage.turn(3)
                self.assertEqual(receiver.recvmsg(10, 100)[:2], (b"x", []))
                self.finish(stage, sender, receiver)

    def test_inABurst(self) -> None:
        """
        So it is in bulk.
        """
        for fromHost in (True, False):
            for pipes in (True, False):
                stage = self.stage(socket.AF_UNIX, pipes=pipes)
                sender, receiver, _ = self.ends(stage, fromHost)
                before = len(os.listdir("/proc/self/fd"))
                wanted = bytearray()
                for _ in range(4):
                    with contextlib.suppress(BlockingIOError):
                        wanted += BURST[: sender.send(BURST[:80_000])]
                    with contextlib.suppress(BlockingIOError):
                        self.send(sender, b"2")
                        wanted += b"2"
                self.arrives(stage, receiver, bytes(wanted))
                free = stage.loop.pipes.free * 2
                self.assertEqual(len(os.listdir("/proc/self/fd")), before + free)

    def test_slowReader(self) -> None:
        """
        So it is if the receiver can't take all at once.
        """
        stage = self.stage(socket.AF_UNIX, window=4096)
        sender, receiver, _ = self.ends(stage, True)
        wanted = bytearray()
        for number in range(200):
            try:
                self.send(sender, b"%05d" % number)
            except BlockingIOError:
                break
            wanted += b"%05d" % number
        stage.turn(5)
        self.arrives(stage, receiver, bytes(wanted))


class ErrorTests(MarksCase):
    """
    A UNIX socket that fails.
    """

    def test_fails(self) -> None:
        """
        Whichever call fails, the connection ends, and says whose fault it was.
        """
        for fromHost in (True, False):
            for receives in (True, False):
                stage = self.stage(socket.AF_UNIX)
                sender, _, end = self.ends(stage, fromHost)
                sender.send(b"x")
                gone = OSError(32, "Broken pipe")
                broken = mock.Mock(wraps=end.socket())
                broken.recvmsg.side_effect = gone
                with contextlib.ExitStack() as stack:
                    if receives:
                        end._sock = broken
                    else:
                        where = "txlb.proxy.fast._unixend.write"
                        stack.enter_context(mock.patch(where, side_effect=gone))
                    stage.turn()
                sender.close()
                for _ in range(TURNS):
                    if stage.results:
                        break
                    stage.turn()
                    stage.reactor.advance(0.001)
                lease = stage.results[0].lease
                assert lease is not None
                blamed = Outcome.HOST_RESET if fromHost is receives else Outcome.CLIENT_RESET
                self.assertEqual(lease.outcome, blamed)


def _urgentOnUNIX() -> bool:
    one, other = socket.socketpair()
    with one, other:
        try:
            one.send(b"x", socket.MSG_OOB)
        except OSError:
            return False
        return True


def _sendUrgent(sender: socket.socket) -> bool:
    try:
        return sender.send(b"\xf2", socket.MSG_OOB) == 1
    except BlockingIOError:
        return False
