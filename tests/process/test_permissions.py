"""
Tests for L{txlb.process._permissions}. Who gives a socket to others in them is the system's
C{chown}, of which they only see the calls.
"""

from __future__ import annotations

import os
import socket
import stat
from types import SimpleNamespace

from tests.proxy.fakes import ReactorCase
from txlb.errors import ListenError
from txlb.model import UNIXAddress
from txlb.process import changeSocket
from txlb.process._permissions import giveSocket
from txlb.proxy import bindSockets


class GiveTests(ReactorCase):
    """
    A socket that was just bound is given to its user and group.
    """

    def test_anothersFile(self) -> None:
        """
        What has come into its place meanwhile is not given to anybody.
        """
        path = self.socketPath()
        chowned: list[object] = []
        self.patch(os, "chown", lambda *arguments: chowned.append(arguments))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
            os.link(path, f"{path}2")
            error = self.assertRaises(ListenError, giveSocket, UNIXAddress(path, user="11"))
            self.assertIn("another file has come into the place of its own", str(error))
            os.unlink(path)
            os.symlink(os.path.abspath(f"{path}2"), path)
            error = self.assertRaises(ListenError, giveSocket, UNIXAddress(path, user="11"))
            self.assertIn("a file of this name that is no socket", str(error))
        self.assertEqual(chowned, [])

    def test_rightsLaidAside(self) -> None:
        """
        A process that has only laid root's rights aside, as it makes the socket with
        those of the user that it will be, has them back for this one call.
        """
        path = self.socketPath()
        effective = [os.geteuid() or 1000]
        said: list[object] = []

        def seteuid(uid: int) -> None:
            effective[0] = uid
            said.append(uid)

        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
            real = os.stat(path)
            status = SimpleNamespace(st_uid=effective[0], st_nlink=1, st_mode=real.st_mode)
            self.patch(os, "stat", lambda _: status)
            self.patch(os, "geteuid", lambda: effective[0])
            self.patch(os, "seteuid", seteuid)
            self.patch(os, "chown", lambda *arguments: said.append(arguments[1:]))
            user = effective[0]
            for saved, wanted in ((0, [0, (11, -1), user]), (user, [(11, -1)])):
                said.clear()
                self.patch(os, "getresuid", lambda saved=saved: (0, user, saved))
                giveSocket(UNIXAddress(path, user="11"))
                self.assertEqual(said, wanted)


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
