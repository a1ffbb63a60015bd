"""
Tests for L{txlb.proxy._permissions}. Who gives a socket to others in them is the system's
C{chown}, of which they only see the calls.
"""

from __future__ import annotations

import os
import socket
import stat

from tests.proxy.fakes import ReactorCase
from txlb.errors import ListenError
from txlb.model import UNIXAddress
from txlb.proxy import bindSockets, changeSocket


class ChangeTests(ReactorCase):
    """
    A socket that listens is given to others.
    """

    def setUp(self) -> None:
        super().setUp()
        self.calls: list[tuple[object, ...]] = []
        self.path = self.socketPath()
        [sock] = bindSockets(UNIXAddress(self.path))
        self.addCleanup(sock.close)
        self.patch(os, "chown", lambda _, uid, gid: self.calls.append((uid, gid, self.mode())))

    def mode(self) -> int:
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def address(self, mode: int = 0o600, **settings: str) -> UNIXAddress:
        return UNIXAddress(
            self.path, mode=mode, user=settings.get("user"), group=settings.get("group")
        )

    def test_mode(self) -> None:
        """
        With another mode alone nobody gets it, be it that a folder has given it a
        group of its own.
        """
        changeSocket(self.address(), self.address(0o666))
        self.assertEqual((self.mode(), self.calls), (0o666, []))
        changeSocket(self.address(0o666), self.address())
        self.assertEqual((self.mode(), self.calls), (0o600, []))

    def test_neverWider(self) -> None:
        """
        While it is given to others only those can connect who can before and after.
        """
        before, after = self.address(0o606), self.address(0o660, group="12")
        changeSocket(self.address(), before)
        changeSocket(before, after)
        self.assertEqual(self.calls, [(-1, 12, 0o600)])
        self.assertEqual(self.mode(), 0o660)

    def test_takenBack(self) -> None:
        """
        What isn't anybody's any more is the process's, with the group of a new file.
        """
        given, ours = self.address(user="11", group="12"), self.address()
        changeSocket(given, ours)
        self.assertEqual(self.calls.pop(), (os.geteuid(), os.getegid(), 0o600))
        folder = os.path.dirname(self.path)
        os.chmod(folder, 0o2755)
        changeSocket(given, ours)
        self.assertEqual(self.calls.pop()[1], os.stat(folder).st_gid)
        changeSocket(given, self.address(user="11"))
        self.assertEqual(self.calls.pop()[0], 11)

    def test_others(self) -> None:
        """
        What has come into its place is left as it is.
        """
        os.unlink(self.path)
        error = self.assertRaises(ListenError, changeSocket, self.address(), self.address(0o666))
        self.assertIn("its file can't be changed: No such file", str(error))
        with open(self.path, "w"):
            pass
        os.chmod(self.path, 0o640)
        error = self.assertRaises(ListenError, changeSocket, self.address(), self.address(0o666))
        self.assertIn("there is a file of this name that is no socket", str(error))
        os.unlink(self.path)
        with socket.socket(socket.AF_UNIX) as another:
            another.bind(f"{self.path}2")
            os.symlink(os.path.abspath(f"{self.path}2"), self.path)
            os.chmod(f"{self.path}2", 0o640)
            self.assertRaises(ListenError, changeSocket, self.address(), self.address(0o666))
            self.assertEqual(self.mode(), 0o640)

    def test_refused(self) -> None:
        """
        What the system refuses is told with the reason.
        """

        def chown(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        self.patch(os, "chown", chown)
        error = self.assertRaises(
            ListenError, changeSocket, self.address(), self.address(user="11")
        )
        self.assertIn("given to user '11' (Operation not permitted); only root can", str(error))
        error = self.assertRaises(
            ListenError, changeSocket, self.address(user="11"), self.address()
        )
        self.assertIn("given to the process (Operation not permitted)", str(error))
        self.patch(os, "chmod", chown)
        error = self.assertRaises(ListenError, changeSocket, self.address(), self.address(0o666))
        self.assertIn("its mode can't be changed (Operation not permitted); only root", str(error))
