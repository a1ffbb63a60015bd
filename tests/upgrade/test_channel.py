"""
Tests for L{txlb.upgrade._channel}.
"""

from __future__ import annotations

import errno
import os
import socket
import time

from twisted.trial.unittest import SynchronousTestCase

from txlb.upgrade import Channel, ChannelBroken, ChannelClosed
from txlb.upgrade._channel import closeAll
from txlb.wire import MAX_UPGRADE_DESCRIPTORS, Declined, Gone, Started, UpgradeError


class ChannelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ours, theirs = Channel.pair()
        self.theirs = Channel(theirs)
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)
        self.until = time.monotonic() + 60

    def test_messages(self) -> None:
        self.assertIsNone(self.theirs.tryReceive())
        self.ours.send(Gone([1]), (), self.until)
        self.assertTrue(self.ours.trySend(Started()))
        self.assertEqual(self.theirs.receive(self.until), (Gone([1]), []))
        self.assertEqual(self.theirs.receive(self.until), (Started(), []))

    def test_descriptors(self) -> None:
        """
        Descriptors come with their message, as many as one can have, and are close-on-exec.
        """
        reader, writer = os.pipe()
        self.addCleanup(closeAll, [reader, writer])
        many = [writer] * MAX_UPGRADE_DESCRIPTORS
        self.ours.send(Started(), many, self.until)
        message, found = self.theirs.receive(self.until)
        self.addCleanup(closeAll, found)
        self.assertEqual((message, len(found)), (Started(), len(many)))
        self.assertFalse(os.get_inheritable(found[0]))
        os.write(found[-1], b"through")
        self.assertEqual(os.read(reader, 10), b"through")

    def test_lostDescriptors(self) -> None:
        """
        If descriptors are lost on the way the message counts as none.
        """
        reader, writer = os.pipe()
        self.addCleanup(closeAll, [reader, writer])
        before = set(os.listdir("/proc/self/fd"))
        self.ours.send(Started(), [writer] * 3, self.until)
        receive = self.theirs._sock.recvmsg
        space = socket.CMSG_SPACE(4)

        class Narrow:
            def recvmsg(self, most: int, _: int, flags: int) -> object:
                return receive(most, space, flags)

        sock, self.theirs._sock = self.theirs._sock, Narrow()  # type: ignore[assignment]
        with self.assertRaisesRegex(ChannelBroken, "descriptors were lost"):
            self.theirs.tryReceive()
        self.theirs._sock = sock
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)

    def test_full(self) -> None:
        """
        A process that does not read holds the sender for no longer than it says.
        """
        while self.ours.trySend(Declined("x" * 50_000)):
            pass
        with self.assertRaises(TimeoutError):
            self.ours.send(Declined("x" * 50_000), (), time.monotonic())
        self.theirs.receive(self.until)
        self.ours.send(Declined("x" * 50_000), (), self.until)

    def test_silent(self) -> None:
        with self.assertRaises(TimeoutError):
            self.ours.receive(time.monotonic())

    def test_gone(self) -> None:
        """
        What was sent before the end of a process can be read.
        """
        self.theirs.send(Started(), (), self.until)
        self.theirs.close()
        self.assertEqual(self.ours.receive(self.until), (Started(), []))
        with self.assertRaisesRegex(ChannelClosed, "has ended"):
            self.ours.receive(self.until)
        with self.assertRaises(ChannelClosed):
            self.ours.trySend(Started())

    def test_shutdown(self) -> None:
        """
        After a shutdown no message comes any more, and those before it can be read.
        """
        self.theirs.send(Started(), (), self.until)
        self.ours.shutdown()
        with self.assertRaises(ChannelClosed):
            self.theirs.send(Started(), (), self.until)
        self.assertEqual(self.ours.receive(self.until), (Started(), []))
        with self.assertRaises(ChannelClosed):
            self.ours.receive(self.until)

    def test_systemRefuses(self) -> None:
        """
        An error of the system is no end of the other process.
        """

        class Refusing:
            def sendmsg(self, *_: object) -> None:
                raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

            recvmsg = sendmsg

        sock, self.ours._sock = self.ours._sock, Refusing()  # type: ignore[assignment]
        with self.assertRaisesRegex(ChannelBroken, "No buffer space"):
            self.ours.trySend(Started())
        with self.assertRaisesRegex(ChannelBroken, "No buffer space"):
            self.ours.tryReceive()
        self.ours._sock = sock

    def test_wrongMessage(self) -> None:
        self.theirs._sock.send(b"nonsense")
        with self.assertRaises(UpgradeError):
            self.ours.tryReceive()

    def test_peerWithUnreadMessages(self) -> None:
        """
        A process that dies with messages unread gives an error, and not only an end.
        """
        self.ours.send(Started(), (), self.until)
        self.theirs.close()
        with self.assertRaises(ChannelClosed):
            self.ours.receive(self.until)
