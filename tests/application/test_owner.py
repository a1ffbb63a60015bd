"""
Tests for L{txlb.application.Owner}.
"""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from txlb.application import Owner, OwnerError


class OwnerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.given: list[tuple[object, ...]] = []
        self.patch(os, "chown", lambda *args, **_: self.given.append(args))
        self.folder = self.mktemp()
        os.makedirs(self.folder)

    def be(self, euid: int) -> None:
        self.patch(os, "geteuid", lambda: euid)

    def test_twistd(self) -> None:
        """
        Whose it will be is what twistd's options say.
        """
        for options, wanted in (
            (None, (None, None)),
            ({}, (None, None)),
            ({"uid": 65534, "gid": None}, (65534, None)),
            ({"uid": 5, "gid": 6}, (5, 6)),
        ):
            owner = Owner.fromTwistd(options)
            self.assertEqual((owner.uid, owner.gid), wanted)

    def test_give(self) -> None:
        self.be(0)
        a, b, c = (self.file(name) for name in "abc")
        Owner(5, 6).give(a)
        Owner(5).give(b)
        Owner(None, 6).give(c)
        Owner().give("d")
        self.assertEqual(self.given, [(a, 5, 6), (b, 5, -1), (c, -1, 6)])

    def file(self, name: str) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w"):
            return path

    def test_cantBeGiven(self) -> None:
        """
        What is not there can't be given, nor what may be another's file.
        """
        self.be(0)
        path = self.file("a")
        os.link(path, os.path.join(self.folder, "b"))
        error = self.assertRaises(OwnerError, Owner(5).give, path)
        self.assertIn(f"{path} has other names as well", str(error))
        error = self.assertRaises(OwnerError, Owner(5).give, path + "c")
        self.assertIn("c can't be given to uid 5: No such file", str(error))
        self.assertEqual(self.given, [])

    def test_noRights(self) -> None:
        """
        Who is not root can't give anything away, and loses nothing.
        """
        self.be(1000)
        Owner(5, 6).give("a")
        self.assertEqual(self.given, [])
        self.assertFalse(Owner(5).cantWriteTo(self.folder))

    def test_folders(self) -> None:
        self.be(0)
        us = os.stat(self.folder)
        another = us.st_uid + 5
        for mode, owner, wanted in (
            (0o755, Owner(another, us.st_gid + 5), True),
            (0o757, Owner(another), False),
            (0o775, Owner(another, us.st_gid), False),
            (0o755, Owner(another, us.st_gid), True),
            (0o555, Owner(), False),
            (0o755, Owner(None, 5), False),
        ):
            os.chmod(self.folder, mode)
            self.assertEqual(owner.cantWriteTo(self.folder), wanted, oct(mode))
        os.chmod(self.folder, 0o755)
        theirs = list(us)
        theirs[stat.ST_UID] = another
        self.patch(os, "stat", lambda _: os.stat_result(theirs))
        self.assertFalse(Owner(another).cantWriteTo(self.folder))
