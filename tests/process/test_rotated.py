"""
Tests for L{txlb.process.RotatedFile}.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import stat
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from tests.process.support import NOBODY, FolderCase
from txlb.process import LogFileError, Owner, RotatedFile
from txlb.process import _rotated as rotated


class RotatedCase(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        self.clock = Clock()
        self.log = self.path("log")
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def made(
        self, path: str | None = None, rotateLength: int = 0, maxRotated: int | None = None
    ) -> RotatedFile:
        made = RotatedFile(path or self.log, rotateLength, maxRotated, None, self.clock.seconds)
        self.addCleanup(made.close)
        return made

    def observe(self, call: Callable[[], object]) -> None:
        """
        Call something for each event.
        """

        @implementer(ILogObserver)
        def observer(_event: LogEvent) -> None:
            call()

        found = cast("ILogObserver", observer)
        globalLogPublisher.addObserver(found)
        self.addCleanup(globalLogPublisher.removeObserver, found)

    def told(self) -> list[str]:
        """
        What has been logged since the last time.
        """
        found = [formatEvent(event) for event in self.events]
        self.events._events.clear()
        return found

    def lines(self, suffix: str = "") -> list[str]:
        return self.read(self.log + suffix).splitlines()


class AppendTests(RotatedCase):
    def test_appended(self) -> None:
        """
        What is there already stays, and what others write at the same time is not written over.
        """
        self.file("log", text="before\n")
        made = self.made()
        made.write("one\n")
        with open(self.log, "a", encoding="utf-8") as other:
            other.write("other\n")
        made.write("two\n")
        made.flush()
        self.assertEqual(self.lines(), ["before", "one", "other", "two"])

    def test_truncated(self) -> None:
        """
        A rotator that copies and truncates leaves no hole: the next line is at the beginning
        (logrotate(8), copytruncate, asks for O_APPEND). And the file is not full until so much is
        in it again.
        """
        made = self.made(None, 100)
        for _ in range(9):
            made.write("123456789\n")
        os.truncate(self.log, 0)
        for _ in range(10):
            made.write("abcdefghi\n")
        self.assertEqual(self.lines(), ["abcdefghi"] * 10)
        self.assertEqual(os.listdir(self.top), ["log"])
        made.write("full\n")
        self.assertEqual(self.lines(), ["full"])
        self.assertEqual(self.lines(".1"), ["abcdefghi"] * 10)

    def test_mode(self) -> None:
        """
        One that is made can be read by its user and group; the mode of one that is there is its
        administrator's.
        """
        self.made()
        self.assertEqual(stat.S_IMODE(os.stat(self.log).st_mode), 0o640)
        os.chmod(self.log, 0o644)
        self.made()
        self.assertEqual(stat.S_IMODE(os.stat(self.log).st_mode), 0o644)

    def test_descriptor(self) -> None:
        """
        Programs that are started do not get it.
        """
        made = self.made()
        self.assertFalse(os.get_inheritable(made._descriptor))

    def test_noText(self) -> None:
        """
        A name that is no text does not stop the line.
        """
        made = self.made()
        made.write("\udcff\u20ac\n")
        self.assertEqual(self.lines(), ["\\udcff\u20ac"])

    def test_closed(self) -> None:
        """
        What is written after the end goes nowhere, and not to a file that has got the number of
        the descriptor.
        """
        made = self.made(None, 10)
        made.close()
        made.close()
        made.write("late\n" * 10)
        made.rotate()
        self.assertEqual(self.lines(), [])
        self.assertFalse(made.isRotated)

    def test_relative(self) -> None:
        """
        Twistd goes to another folder after the file has been opened.
        """
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.top)
        made = self.made("log", 10)
        os.chdir("/")
        made.write("123456789\n")
        made.write("next\n")
        self.assertEqual(self.lines(), ["next"])


class OpeningTests(RotatedCase):
    def refused(self, path: str, owner: Owner | None = None) -> str:
        return str(self.assertRaises(LogFileError, RotatedFile, path, owner=owner))

    def test_errors(self) -> None:
        self.assertEqual(
            self.refused(self.path("no", "log")),
            f"can't write the log file {self.top}/no/log: No such file or directory",
        )
        self.assertIn("Is a directory", self.refused(self.top))
        os.mkfifo(self.path("pipe"))
        self.assertIn("no program reads from it; start", self.refused(self.path("pipe")))

    def test_remedies(self) -> None:
        """
        What the user may not open names the user, and what to do: not to give away the folder
        where it would be, which may be /var/log.
        """
        self.needRoot()
        self.folder("theirs", uid=NOBODY)
        owner = Owner(NOBODY, NOBODY)
        path = self.file("theirs", "log", mode=0o600)
        self.assertIn(
            f"Permission denied for uid {NOBODY}, which the process will be; give the file to it: "
            f"chown {NOBODY} {path}",
            self.refused(path, owner),
        )
        os.mkdir(self.path("theirs", "sub"))
        os.chmod(self.path("theirs", "sub"), 0o700)

        def refuse(*_: object, **__: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        self.patch(owner, "open", refuse)
        self.assertIn(
            f"install -d -o {NOBODY} {self.top}/theirs/sub/txlb",
            self.refused(self.path("theirs", "sub", "log"), owner),
        )
        self.patch(os, "geteuid", lambda: 1000)
        said = self.refused(self.path("theirs", "sub", "log"), owner)
        self.assertTrue(said.endswith("Permission denied"), said)

    def test_links(self) -> None:
        self.needRoot()
        self.folder("theirs", uid=NOBODY)
        os.symlink(self.log, self.path("theirs", "log"))
        self.assertIn(
            "is not followed with root's rights; remove it, or name another file",
            self.refused(self.path("theirs", "log")),
        )
        os.unlink(self.path("theirs", "log"))
        os.link(self.file("secret"), self.path("theirs", "log"))
        self.assertIn("has other names as well", self.refused(self.path("theirs", "log")))


class RotationTests(RotatedCase):
    def fill(self, made: RotatedFile, name: str) -> None:
        made.write(f"{name * 9}\n")

    def test_shifted(self) -> None:
        """
        Old files go up by one up to the first free number, and the oldest ones beyond what is
        kept are removed, however many there were.
        """
        for number in (1, 2, 3, 4, 7):
            self.file(f"log.{number}", text=str(number))
        self.file("log.2.gz")
        made = self.made(None, 10, 3)
        self.fill(made, "a")
        self.fill(made, "b")
        found = sorted(os.listdir(self.top))
        self.assertEqual(found, ["log", "log.1", "log.2", "log.2.gz", "log.3", "log.7"])
        self.assertEqual([self.lines(f".{n}") for n in (1, 2, 3)], [["a" * 9], ["1"], ["2"]])
        self.assertEqual(self.lines(), ["b" * 9])

    def test_all(self) -> None:
        """
        Without a number all are kept.
        """
        made = self.made(None, 10)
        for name in "abcdef":
            self.fill(made, name)
        self.assertEqual([self.lines(f".{n}")[0][0] for n in range(5, 0, -1)], list("abcde"))

    def test_likeBefore(self) -> None:
        """
        The new file has the mode and the group of the one before, so that who could read the log
        still can.
        """
        made = self.made(None, 10)
        os.chmod(self.log, 0o604)
        if os.geteuid() == 0:
            os.chown(self.log, NOBODY, 4)
        before = os.stat(self.log)
        self.fill(made, "a")
        self.fill(made, "b")
        after = os.stat(self.log)
        self.assertNotEqual(before.st_ino, after.st_ino)
        for word in ("st_mode", "st_uid", "st_gid"):
            self.assertEqual(getattr(before, word), getattr(after, word), word)

    def test_movedFromOutside(self) -> None:
        """
        A file that was moved is not the one at the name. It is that one that would be renamed; it
        is opened instead.
        """
        made = self.made(None, 10)
        self.fill(made, "a")
        os.rename(self.log, self.path("elsewhere"))
        self.file("log", text="new\n")
        self.fill(made, "b")
        self.assertEqual(self.lines(), ["new", "b" * 9])
        self.assertEqual(sorted(os.listdir(self.top)), ["elsewhere", "log"])
        os.unlink(self.log)
        self.fill(made, "c")
        self.assertEqual(self.lines(), ["c" * 9])

    def test_link(self) -> None:
        """
        Through a link of an administrator's it is the file that is rotated, and not the link.
        """
        self.folder("disk")
        os.symlink("disk/log", self.log)
        made = self.made(None, 10)
        self.fill(made, "a")
        self.fill(made, "b")
        self.assertTrue(os.path.islink(self.log))
        self.assertEqual(sorted(os.listdir(self.path("disk"))), ["log", "log.1"])
        self.assertEqual(self.lines(), ["b" * 9])

    def test_obstacle(self) -> None:
        """
        What is no file at an old file's name is left there: one line in the log, and the present
        file is written on. After a minute it is tried again, and the same is not said again.
        """
        made = self.made(None, 10)
        for kind in ("folder", "link", "pipe"):
            old = self.log + ".1"
            if kind == "folder":
                os.mkdir(old)
            elif kind == "link":
                os.symlink("nowhere", old)
            else:
                os.mkfifo(old)
            before = os.lstat(old)
            for _ in range(3):
                self.fill(made, "a")
                self.clock.advance(rotated.PATIENCE / 2)
            [said] = self.told()
            self.assertEqual(
                said,
                f"can't rotate the log file {self.log}: {old} is no file; move it elsewhere; it is "
                "written on",
            )
            self.assertTrue(os.path.samestat(before, os.lstat(old)))
            os.rename(old, self.path(kind))
            self.clock.advance(rotated.PATIENCE)
            self.fill(made, "b")
            self.assertEqual(self.lines(), ["b" * 9])
            self.assertEqual(self.told(), [])
            os.unlink(old)

    def test_notTriedForEachLine(self) -> None:
        tries = []

        def refuse(*_: object) -> None:
            tries.append(1)
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

        made = self.made(None, 10)
        self.patch(made, "_shift", refuse)
        for _ in range(100):
            self.fill(made, "a")
        self.assertEqual(len(tries), 1)
        self.assertEqual(len(self.lines()), 100)
        self.clock.advance(rotated.PATIENCE)
        self.fill(made, "a")
        self.assertEqual(len(tries), 2)

    def test_noNewFile(self) -> None:
        """
        If the new file can't be made, the present one keeps its name.
        """
        made = self.made(None, 10)
        self.fill(made, "a")

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(made, "_openAnew", refuse)
        self.fill(made, "b")
        self.assertEqual(os.listdir(self.top), ["log"])
        self.assertEqual(self.lines(), ["a" * 9, "b" * 9])
        self.assertIn("No space left on device; it is written on", self.told()[0])

    def test_isRotated(self) -> None:
        self.assertTrue(self.made(None, 10).isRotated)
        self.assertFalse(self.made().isRotated)
        self.assertFalse(self.made("/dev/null", 10).isRotated)
        self.assertFalse(self.made("/dev/stdout", 10).isRotated)


class ReopenTests(RotatedCase):
    def test_moved(self) -> None:
        made = self.made()
        made.write("old\n")
        os.rename(self.log, self.log + ".old")
        made.write("still old\n")
        made.reopen()
        made.write("new\n")
        self.assertEqual(self.lines(".old"), ["old", "still old"])
        self.assertEqual(self.lines(), ["new"])

    def test_created(self) -> None:
        """
        A rotator may have made the new file, with an owner and a mode of its own.
        """
        made = self.made()
        os.rename(self.log, self.log + ".old")
        self.file("log", mode=0o600)
        made.reopen()
        made.write("new\n")
        self.assertEqual(self.lines(), ["new"])
        self.assertEqual(stat.S_IMODE(os.stat(self.log).st_mode), 0o600)

    def test_fails(self) -> None:
        """
        The present file is written on, and the log says so.
        """
        made = self.made()
        os.rename(self.log, self.log + ".old")
        os.mkdir(self.log)
        made.reopen()
        made.write("on\n")
        self.assertEqual(self.lines(".old"), ["on"])
        [said] = self.told()
        self.assertEqual(said, f"can't open the log file {self.log} anew: Is a directory")

    def test_untrusted(self) -> None:
        """
        A process that has stayed root does not follow a link that has come meanwhile.
        """
        self.needRoot()
        self.folder("theirs", uid=NOBODY)
        path = self.path("theirs", "log")
        made = self.made(path)
        os.rename(path, path + ".old")
        os.symlink(self.file("secret"), path)
        for again in (made.reopen, made.rotate):
            again()
            made.write("x\n")
            self.assertIn("is a symbolic link in a folder that others", self.told()[0])
        self.assertEqual(self.read(self.path("secret")), "")
        self.assertEqual(self.read(path + ".old"), "x\nx\n")


class FullTests(RotatedCase):
    """
    A system that takes no line.
    """

    def test_full(self) -> None:
        """
        Nothing is raised. One line a minute says how many were lost, and one more when lines are
        taken again; lines that say so count for nothing.
        """
        made = self.made("/dev/full")
        self.observe(lambda: made.write("an event\n"))
        reason = os.strerror(errno.ENOSPC)
        text = f"can't write to the log file /dev/full: {reason}; lines lost so far: "
        for _ in range(200):
            made.write("a line\n")
        self.assertEqual(self.told(), [text + "1"])
        self.clock.advance(rotated.PATIENCE)
        for _ in range(100):
            made.write("a line\n")
        self.assertEqual(self.told(), [text + "201"])
        taken = self.partly(made)
        made.write("again\n")
        self.assertEqual(self.told(), ["the log file /dev/full takes lines again; lines lost: 300"])
        self.assertEqual(taken, [b"again\n", b"an event\n"])
        made.write("more\n")
        self.assertEqual(self.told(), [])

    def test_twoOfThem(self) -> None:
        """
        Two logs on one full disk, each of which is told of the other's trouble, do not talk to
        each other for ever.
        """
        both = [self.made("/dev/full") for _ in range(2)]
        for made in both:
            self.observe(functools.partial(made.write, "x\n"))
        for _ in range(10):
            for made in both:
                made.write("x\n")
        self.assertEqual(len(self.told()), 2)

    def partly(self, made: RotatedFile, *sizes: int) -> list[bytes]:
        """
        Let the system take so many bytes of each piece; of the next ones all.
        """
        taken: list[bytes] = []
        left = list(sizes)

        def put(data: bytes) -> int:
            size = left.pop(0) if left else len(data)
            if not size:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            taken.append(data[:size])
            return min(size, len(data))

        made._put = put
        return taken

    def test_part(self) -> None:
        """
        Of a line that was taken in part the rest comes first, so that no line begins in the middle
        of another.
        """
        made = self.made()
        taken = self.partly(made, 3, 4, 0, 0)
        for text in ("first\n", "second\n", "third\n", "fourth\n", "fifth\n"):
            made.write(text)
        # "first" goes out in two parts; the second part and a piece of "second"; then nothing.
        self.assertEqual(b"".join(taken), b"first\nsecond\nfifth\n")
        self.assertIn("lines lost: 2", self.told()[-1])

    def test_restIsBounded(self) -> None:
        """
        However little is taken, what is kept is at most a line.
        """
        made = self.made()
        taken = self.partly(made, *[1] * 50)
        for n in range(50):
            made.write(f"line {n:02}\n")
            self.assertLessEqual(len(made._rest), len("line 00\n"))
        made.write("last\n")
        lines = b"".join(taken).split(b"\n")
        self.assertEqual(lines[-2:], [b"last", b""])
        for line in lines[:-2]:
            self.assertRegex(line, rb"^line \d\d$")

    def test_restOfAnotherFile(self) -> None:
        """
        The rest of a line does not go to a file that does not have its beginning.
        """
        made = self.made()
        self.partly(made, 3)
        made.write("first\n")
        os.rename(self.log, self.log + ".old")
        made.reopen()
        made.write("second\n")
        self.assertEqual(self.lines(), ["second"])
        self.assertIn("lines lost: 1", self.told()[0])


class OtherKindsTests(RotatedCase):
    """
    What is no regular file.
    """

    def pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        for number in (reader, writer):
            self.addCleanup(self.close, number)
        return reader, writer

    def close(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.close(number)

    def test_device(self) -> None:
        """
        A device is written to. Rotating or reopening renames nothing.
        """
        path = self.path("device")
        if os.geteuid() == 0:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        else:
            os.symlink("/dev/null", path)
        made = self.made(path, 10)
        for _ in range(5):
            made.write("123456789\n")
        made.rotate()
        made.reopen()
        made.write("x\n")
        self.assertEqual(os.listdir(self.top), ["device"])
        self.assertTrue(stat.S_ISCHR(os.stat(path).st_mode))
        self.assertEqual(self.told(), [])

    def test_stream(self) -> None:
        """
        C{/dev/stdout} and the like are the process's own descriptors, by any of their names.
        """
        reader, writer = self.pipe()
        for path in (f"/dev/fd/{writer}", f"/proc/self/fd/{writer}"):
            made = self.made(path, 4)
            made.write("line\n")
            made.rotate()
            made.reopen()
            made.write("line\n")
            self.assertEqual(os.read(reader, 100), b"line\nline\n")
        for word, number in (("/dev/stdout", 1), ("/dev/stderr", 2)):
            ours, theirs = os.fstat(self.made(word)._descriptor), os.fstat(number)
            self.assertEqual((ours.st_dev, ours.st_ino), (theirs.st_dev, theirs.st_ino))
        self.assertIn(
            "Bad file descriptor", str(self.assertRaises(LogFileError, RotatedFile, "/dev/fd/999"))
        )

    def test_noWait(self) -> None:
        """
        A pipe that is full does not hold up the process, and the program at our end of it does
        not find it changed: that it does not wait is our own.
        """
        reader, writer = self.pipe()
        made = self.made(f"/dev/fd/{writer}")
        for _ in range(200):
            made.write("x" * 1023 + "\n")
        self.assertTrue(os.get_blocking(writer))
        [said] = self.told()
        self.assertIn("the program that reads from it does not keep up", said)
        os.close(reader)
        self.clock.advance(rotated.PATIENCE)
        made.write("x\n")
        self.assertIn("no program reads from it", self.told()[0])

    def test_file(self) -> None:
        """
        Standard output that is a file is shared: its offset is everybody's.
        """
        with open(self.path("out"), "wb", buffering=0) as out:
            made = self.made(f"/dev/fd/{out.fileno()}", 4)
            for _ in range(3):
                made.write("ours\n")
                out.write(b"theirs\n")
        self.assertEqual(self.read(self.path("out")), "ours\ntheirs\n" * 3)
        self.assertEqual(os.listdir(self.top), ["out"])

    def test_socket(self) -> None:
        """
        Under systemd standard output is a socket, which can't be opened by a name.
        """
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        made = self.made(f"/dev/fd/{ours.fileno()}")
        made.write("line\n")
        self.assertEqual(theirs.recv(100), b"line\n")
        for _ in range(10_000):
            made.write("x" * 1023 + "\n")
        self.assertTrue(os.get_blocking(ours.fileno()))
        self.assertIn("does not keep up", self.told()[0])
        made.close()
        # What is left is the test's own.
        self.assertEqual(ours.send(b""), 0)

    def test_platforms(self) -> None:
        """
        Elsewhere descriptors have no folder in /proc.
        """
        reader, writer = self.pipe()
        open_ = os.open

        def refuse(path: str, *rest: Any) -> int:
            if path.startswith("/proc/"):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return open_(path, *rest)

        self.patch(os, "open", refuse)
        self.made(f"/dev/fd/{writer}").write("line\n")
        self.assertEqual(os.read(reader, 100), b"line\n")


class DiscardTests(RotatedCase):
    """
    A log that no service writes to is removed, if it is new and empty.
    """

    def test_new(self) -> None:
        file = self.made()
        self.assertTrue(os.path.exists(self.log))
        file.discard()
        file.discard()
        self.assertFalse(os.path.exists(self.log))
        file.write("nothing comes of it\n")

    def test_link(self) -> None:
        """
        Of a link whose target was made only the target is removed.
        """
        os.symlink(self.path("target"), self.log)
        self.made().discard()
        self.assertEqual(os.listdir(self.top), ["log"])

    def test_written(self) -> None:
        file = self.made()
        file.write("a line\n")
        file.discard()
        self.assertEqual(self.read(self.log), "a line\n")

    def test_there(self) -> None:
        """
        A file that was there stays, though it is empty.
        """
        self.file("log", text="")
        self.made().discard()
        self.assertEqual(self.read(self.log), "")

    def test_anothers(self) -> None:
        """
        A file that has come to the place of the new one stays.
        """
        file = self.made()
        os.unlink(self.log)
        self.file("log", text="")
        file.discard()
        self.assertTrue(os.path.exists(self.log))

    def test_noFile(self) -> None:
        """
        Devices stay, and what can't be removed stays without an error.
        """
        self.made("/dev/null").discard()
        self.assertTrue(os.path.exists("/dev/null"))
        inside = os.path.join(self.folder("gone"), "log")
        file = self.made(inside)
        os.unlink(inside)
        os.rmdir(os.path.dirname(inside))
        file.discard()

    def test_another(self) -> None:
        """
        Root, which makes the file for a user, removes it as well.
        """
        self.needRoot()
        folder = self.folder("theirs", uid=NOBODY)
        path = os.path.join(folder, "log")
        file = RotatedFile(path, owner=Owner(NOBODY, NOBODY))
        self.assertEqual(os.stat(path).st_uid, NOBODY)
        file.discard()
        self.assertEqual(os.listdir(folder), [])
