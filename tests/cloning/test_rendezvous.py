"""
Tests for L{txlb.cloning._rendezvous}.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import CloningError
from txlb.cloning._rendezvous import Rendezvous, connectTo

#: Takes a lock, and tells whether it got it.
LOCKING = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("no")
else:
    print("yes")
"""


class RendezvousTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.mkdtemp(prefix="txlb-")
        self.addCleanup(shutil.rmtree, folder)
        self.path = os.path.join(folder, "run", "app")

    def open(self) -> Rendezvous:
        rendezvous = Rendezvous(self.path)
        self.addCleanup(rendezvous.close)
        return rendezvous

    def otherGets(self) -> str:
        command = [sys.executable, "-c", LOCKING, os.path.join(self.path, "lock")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def test_made(self) -> None:
        """
        The folder and what is in it are this user's alone.
        """
        rendezvous = self.open()
        sock = rendezvous.listen()
        self.addCleanup(sock.close)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o700)
        for name in ("lock", "manager", "pid"):
            mode = os.stat(os.path.join(self.path, name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)

    def test_lock(self) -> None:
        """
        One process has the lock, until it frees it.
        """
        rendezvous = self.open()
        self.assertTrue(rendezvous.tryLock())
        self.assertEqual(self.otherGets(), "no")
        rendezvous.unlock()
        self.assertEqual(self.otherGets(), "yes")

    def test_locked(self) -> None:
        rendezvous = self.open()
        with mock.patch("fcntl.lockf", side_effect=BlockingIOError(11, "busy")):
            self.assertFalse(rendezvous.tryLock())
        with mock.patch("fcntl.lockf", side_effect=OSError(37, "no locks")):
            self.assertRaises(OSError, rendezvous.tryLock)

    def test_successor(self) -> None:
        """
        A second manager listens in the place of the first. What the first one removes is
        not the second one's.
        """
        first, second = self.open(), self.open()
        old = first.listen()
        self.addCleanup(old.close)
        new = second.listen()
        self.addCleanup(new.close)
        first.remove()
        client = first.connect()
        self.addCleanup(client.close)
        new.accept()[0].close()
        self.assertRaises(BlockingIOError, old.accept)
        second.remove()
        self.assertRaises(FileNotFoundError, second.connect)

    def pid(self) -> str:
        with open(os.path.join(self.path, "pid"), encoding="ascii") as file:
            return file.read()

    def test_PID(self) -> None:
        """
        The PID of the process that manages is in a file, which goes with it.
        """
        first, second = self.open(), self.open()
        self.addCleanup(first.listen().close)
        self.assertEqual(self.pid(), f"{os.getpid()}\n")
        with mock.patch("os.getpid", return_value=7):
            self.addCleanup(second.listen().close)
        self.assertEqual(self.pid(), "7\n")
        first.remove()
        self.assertEqual(self.pid(), "7\n")
        with mock.patch("os.getpid", return_value=7):
            second.remove()
        self.assertRaises(FileNotFoundError, self.pid)

    def test_fullDisk(self) -> None:
        """
        A process manages even if it can't write its PID.
        """
        rendezvous = self.open()
        with mock.patch("builtins.open", side_effect=OSError(28, "no space")):
            self.addCleanup(rendezvous.listen().close)
        self.assertFalse(os.path.exists(os.path.join(self.path, "pid")))
        self.addCleanup(rendezvous.connect().close)

    def test_stopped(self) -> None:
        rendezvous = self.open()
        self.assertFalse(rendezvous.isStopped)
        rendezvous.end()
        rendezvous.end()
        self.assertTrue(rendezvous.isStopped)
        rendezvous.begin()
        rendezvous.begin()
        self.assertFalse(rendezvous.isStopped)

    def test_open(self) -> None:
        """
        A folder that others can enter is refused.
        """
        os.makedirs(self.path)
        os.chmod(self.path, 0o750)
        with self.assertRaisesRegex(CloningError, f"chmod 700 {self.path}"):
            Rendezvous(self.path)

    def test_ofAnother(self) -> None:
        os.makedirs(self.path, 0o700)
        with (
            mock.patch("os.geteuid", return_value=os.geteuid() + 1),
            self.assertRaisesRegex(CloningError, "is user"),
        ):
            Rendezvous(self.path)

    def test_noFolder(self) -> None:
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "w", encoding="ascii"):
            pass
        with self.assertRaisesRegex(CloningError, self.path):
            Rendezvous(self.path)

    def test_longPath(self) -> None:
        """
        The path may be longer than the address of a UNIX socket.
        """
        self.path += "x" * 150
        rendezvous = self.open()
        sock = rendezvous.listen()
        self.addCleanup(sock.close)
        for connect in (rendezvous.connect, lambda: connectTo(self.path)):
            client = connect()
            self.addCleanup(client.close)
            sock.accept()[0].close()
        rendezvous.remove()
        self.assertEqual(sorted(os.listdir(self.path)), ["lock", "standby"])

    def test_link(self) -> None:
        """
        A lock that is a symbolic link is not followed.
        """
        os.makedirs(self.path, 0o700)
        os.symlink("/dev/null", os.path.join(self.path, "lock"))
        with self.assertRaises(CloningError):
            Rendezvous(self.path)

    def test_cannotListen(self) -> None:
        rendezvous = self.open()
        os.mkdir(os.path.join(self.path, "manager"))
        self.assertRaises(OSError, rendezvous.listen)
