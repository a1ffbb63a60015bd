"""
Tests for L{txlb.config._kinds} and L{txlb.config._things}.
"""

from __future__ import annotations

import grp
import os
import pwd

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import ARGON2ID, CRYPT, hostAddresses, listenPlaces
from txlb import schedulers
from txlb.config._kinds import (
    BOOLEAN_PAIRS,
    Boolean,
    Kind,
    Number,
    PlainKind,
    Seconds,
    Whole,
    Word,
    quoted,
)
from txlb.config._things import (
    Account,
    ClientNetwork,
    HostAddress,
    ListenAddress,
    Mode,
    Name,
    PasswordHash,
    Path,
    SchedulerWord,
    isCurrentHash,
)
from txlb.errors import ModelError
from txlb.model import Address


class KindTests(SynchronousTestCase):
    """
    What all kinds have in common.
    """

    def wrong(self, kind: Kind, *texts: str) -> None:
        for text in texts:
            error = self.assertRaises(ModelError, kind.parse, text, "colour of thing 'x'")
            self.assertIn(repr(text), str(error))
            self.assertIn("colour of thing 'x'", str(error))

    def right(self, kind: Kind, **values: object) -> None:
        for text, value in values.items():
            self.assertEqual(kind.parse(text, "it"), value)


class PermissionTests(KindTests):
    """
    Whose a socket is.
    """

    def test_mode(self) -> None:
        """
        As chmod takes it, and only what means something for a socket.
        """
        for text, mode in (("0660", 0o660), ("660", 0o660), ("0000", 0), ("777", 0o777)):
            self.assertEqual(Mode().parse(text, "it"), mode)
            self.assertEqual(Mode().write(mode), f"{mode:04o}")
        self.wrong(Mode(), "", "66", "0o660", "1660", "00660", "0680", "rw-rw----", " 660", "-660")

    def test_account(self) -> None:
        """
        One that this machine has, or a number.
        """
        user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        for kind, name in ((Account("user"), user), (Account("group"), group)):
            for text in (name, "0", "999999999"):
                self.assertEqual(kind.parse(text, "it"), text)
                self.assertEqual(kind.write(text), text)
            self.wrong(kind, "nosuch-account", "1" * 10, "", " ", "a\nb", "\u0661")
        error = self.assertRaises(ModelError, Account("group").parse, "nosuch", "group of <listen>")
        self.assertEqual(
            str(error),
            "group of <listen> is 'nosuch', and this machine has no such group; make it, or give "
            "another group or a number",
        )


class BooleanTests(KindTests):
    def test_words(self) -> None:
        """
        Five words each, in any case.
        """
        for true, false in BOOLEAN_PAIRS:
            self.right(
                Boolean(),
                **{true: True, true.upper(): True, false: False, false.title(): False},
            )

    def test_nothingElse(self) -> None:
        self.wrong(Boolean(), "", "enabled", "disabled", "y", "2", "True ", "none", "ja")

    def test_keepsStyle(self) -> None:
        """
        A file that says C{on} goes on to say C{off}.
        """
        self.assertEqual(Boolean().write(False, "ON"), "off")
        self.assertEqual(Boolean().write(True, "no"), "yes")
        self.assertEqual(Boolean().write(False, "1"), "0")
        self.assertEqual(Boolean().write(True, "?"), "true")
        self.assertEqual(Boolean().write(False), "false")

    def test_brief(self) -> None:
        self.assertEqual(Boolean().brief(), "true or false")


class WholeTests(KindTests):
    kind = Whole(5, 10, "bytes", "never")

    def test_range(self) -> None:
        self.right(self.kind, **{"5": 5, " 10 ": 10, "+7": 7, "007": 7})
        self.wrong(self.kind, "4", "11", "-5")

    def test_zero(self) -> None:
        """
        Where 0 stands for something of its own it need not be in the range.
        """
        self.right(self.kind, **{"0": 0})
        self.wrong(Whole(5, 10), "0")

    def test_noNumber(self) -> None:
        self.wrong(self.kind, "", "five", "5.0", "0x5", "5_0", "5e0", "\u0665", "--5", "5 5")

    def test_manyDigits(self) -> None:
        error = self.assertRaises(ModelError, self.kind.parse, "9" * 100_000, "it")
        self.assertTrue(len(str(error)) < 200)

    def test_words(self) -> None:
        self.assertEqual(
            self.kind.describe(), "a whole number of bytes from 5 to 10, or 0 for never"
        )
        self.assertEqual(Whole(1, 2).describe(), "a whole number from 1 to 2")
        self.assertEqual(self.kind.show(7), "7 bytes")
        self.assertEqual(self.kind.show(0), "0 bytes (never)")
        self.assertEqual(Whole(0, 2).show(0), "0")


class NumberTests(KindTests):
    kind = Number(0.001, 5.0, "clients a second")

    def test_range(self) -> None:
        self.right(self.kind, **{"0.001": 0.001, " 5 ": 5.0})
        self.wrong(self.kind, "0", "5.1", "-1", "", "5/s", "nan")

    def test_words(self) -> None:
        self.assertEqual(self.kind.describe(), "a number of clients a second from 0.001 to 5")
        self.assertEqual(self.kind.write(0.001), "0.001")
        self.assertEqual(self.kind.show(2.0), "2 clients a second")


class ClientNetworkTests(KindTests):
    def test_networks(self) -> None:
        self.right(ClientNetwork(), **{"10.0.0.0/8": "10.0.0.0/8", "all": "all"})
        self.wrong(ClientNetwork(), "", "10.0.0.256", "ALL")
        self.assertIn("2001:db8::/32", ClientNetwork().describe())


class SecondsTests(KindTests):
    kind = Seconds(0.0, 60.0, "never")

    def test_range(self) -> None:
        self.right(self.kind, **{"0": 0.0, "60": 60.0, " .5": 0.5, "1.": 1.0, "+1.25": 1.25})
        self.wrong(self.kind, "-1", "60.01", "9" * 18)

    def test_noNumber(self) -> None:
        self.wrong(self.kind, "", ".", "nan", "inf", "1e1", "1,5", "1_0", "\u0665")

    def test_units(self) -> None:
        """
        They are those of HAProxy's and nginx's files. A number without one stays seconds.
        """
        kind = Seconds(0.0, 7 * 86400.0)
        self.right(
            kind,
            **{
                "500ms": 0.5, "2s": 2.0, "1m": 60.0, "1h": 3600.0, "1d": 86400.0, "7d": 604800.0,
                "1.5m": 90.0, " .5h ": 1800.0, "0d": 0.0, "100ms": 0.1, "0.1s": 0.1, "3": 3.0,
            },
        )  # fmt: skip
        self.wrong(kind, "8d", "-1s", "1e3ms", "2 s", "2S", "1M", "1m30s", "s", "ms", "1us", "1w")

    def test_unitStays(self) -> None:
        """
        A time that was written with a unit is written with it again, or with a smaller one
        if it is not a whole number of it.
        """
        kind = Seconds(0.0, 7 * 86400.0)
        for before, value, after in (
            ("2s", 5.0, "5s"),
            ("500ms", 2.0, "2000ms"),
            ("500ms", 0.25, "250ms"),
            ("2s", 0.25, "250ms"),
            ("1m", 300.0, "5m"),
            ("1m", 90.0, "90s"),
            ("1d", 3600.0, "1h"),
            ("1d", 0.001, "1ms"),
            ("1h", 0.0, "0h"),
            ("1m", 1 / 3, "0.3333333333333333s"),
            ("60", 300.0, "300"),
            (None, 300.0, "300"),
        ):
            self.assertEqual(kind.write(value, before), after)
            self.assertEqual(kind.parse(after, "it"), value)

    @given(st.floats(0.0, 7 * 86400.0), st.sampled_from(["1d", "1h", "1m", "1s", "1ms", "1"]))
    def test_writtenWithUnits(self, value: float, before: str) -> None:
        """
        Whatever is written is read as the same number, to the last bit.
        """
        kind = Seconds(0.0, 7 * 86400.0)
        self.assertEqual(kind.parse(kind.write(value, before), "it"), value)

    @given(st.floats(0.0, 60.0))
    def test_written(self, value: float) -> None:
        """
        What is written is read as the same number, to the last bit.
        """
        self.assertEqual(self.kind.parse(self.kind.write(value), "it"), value)

    def test_words(self) -> None:
        units = "or a time with a unit, as in 500ms, 2s, 5m, 1h or 1d"
        self.assertEqual(
            self.kind.describe(), f"a number of seconds from 0 to 60, {units}; 0 stands for never"
        )
        self.assertEqual(self.kind.brief(), "a number of seconds from 0 to 60; 0 stands for never")
        other = Seconds(0.01, 1.0)
        self.assertEqual(other.describe(), f"a number of seconds from 0.01 to 1, {units}")
        self.assertEqual(other.brief(), "a number of seconds from 0.01 to 1")
        self.assertEqual(self.kind.show(2.5), "2.5 s")
        self.assertEqual(self.kind.show(0.0), "0 s (never)")


class WordTests(KindTests):
    def test_words(self) -> None:
        kind = Word(("one", "two", "three"))
        self.right(kind, one="one", three="three")
        self.wrong(kind, "", "ONE", "four")
        self.assertEqual(kind.describe(), "one, two or three")
        self.assertEqual(kind.brief(), kind.describe())


class SchedulerWordTests(KindTests):
    def test_everyScheduler(self) -> None:
        kind = SchedulerWord()
        for word in schedulers.schedulerWords():
            self.right(kind, **{word: word})
            self.assertIn(word, kind.describe())

    def test_pythonDirector(self) -> None:
        kind = SchedulerWord()
        self.right(
            kind, random="rand", roundrobin="roundr", leastconns="leastc", leastconnsrr="leastc"
        )
        self.assertIn("leastconnsrr", kind.describe())

    def test_unknown(self) -> None:
        self.wrong(SchedulerWord(), "LEASTC", "fair")


class NameTests(KindTests):
    def test_model(self) -> None:
        """
        The model has the rules.
        """
        self.right(Name("host"), **{"a b": "a b"})
        for text in ("", "a/b", " a", "a\n"):
            self.assertRaises(ModelError, Name("host").parse, text, "name of <host>")
        self.assertIn("without a slash", Name("host").describe())


class AddressTests(KindTests):
    @given(hostAddresses)
    def test_hosts(self, address: Address) -> None:
        kind = HostAddress()
        self.assertEqual(kind.parse(kind.write(address), "it"), address)

    @given(listenPlaces)
    def test_listeners(self, address: Address) -> None:
        kind = ListenAddress()
        self.assertEqual(kind.parse(kind.write(address), "it"), address)

    def test_wrong(self) -> None:
        self.wrong(HostAddress(), "", "a", "a:0", "*:1", "a:70000")
        self.wrong(ListenAddress(), "", "a", "*:0", ":70000", "::1:80")
        self.assertIn("host:port", HostAddress().describe())
        self.assertIn("*:port", ListenAddress().describe())


class PathTests(KindTests):
    def test_paths(self) -> None:
        self.right(Path(), **{"/a": "/a", "b/c": "b/c", "x" * 4095: "x" * 4095})
        self.wrong(Path(), "", "  ")


class LongValueTests(SynchronousTestCase):
    def test_long(self) -> None:
        """
        What is far too long is refused in a few words.
        """
        kinds: list[Kind] = [
            *(Boolean(), Whole(0, 9), Seconds(0.0, 9.0), Word(("a", "b")), SchedulerWord()),
            *(HostAddress(), ListenAddress(), Path(), Name("host"), PasswordHash()),
        ]
        for kind in kinds:
            error = self.assertRaises(ModelError, kind.parse, "x" * 1_000_000, "it")
            self.assertTrue(len(str(error)) < 300, kind)


class PasswordTests(KindTests):
    def test_hashes(self) -> None:
        """
        New ones, and those of crypt(3) in their many kinds.
        """
        kind = PasswordHash()
        for text in (
            ARGON2ID,
            CRYPT,
            "$6$salt$hash",
            "$2b$12$x",
            "$md5,rounds=1$x",
            "_" + "a" * 19,
        ):
            self.right(kind, **{text: text})

    def test_noHashes(self) -> None:
        """
        They are refused, and not quoted.
        """
        for text in ("", "secret", "a" * 12, "a" * 14, ARGON2ID[:-30], "$argon2i$v=19$x", "$6"):
            error = self.assertRaises(
                ModelError, PasswordHash().parse, text, "password of user 'u'"
            )
            self.assertEqual(
                str(error),
                "password of user 'u' is no hash of a password; make one with: txlb passwd",
            )

    def test_current(self) -> None:
        self.assertTrue(isCurrentHash(ARGON2ID))
        self.assertFalse(isCurrentHash(CRYPT))
        self.assertFalse(isCurrentHash(ARGON2ID + "\n"))

    def test_show(self) -> None:
        """
        Not even a hash is for everybody to see.
        """
        self.assertEqual(PasswordHash().show(ARGON2ID), "(an argon2id hash)")
        self.assertEqual(PasswordHash().show(CRYPT), "(an old crypt hash)")
        self.assertIn("txlb passwd", PasswordHash().describe())


class QuotedTests(SynchronousTestCase):
    def test_short(self) -> None:
        self.assertEqual(quoted("a'b"), '"a\'b"')
        self.assertEqual(quoted("x" * 60), repr("x" * 60))

    def test_long(self) -> None:
        self.assertEqual(quoted("x" * 61), repr("x" * 60 + "…"))


class PlainKindTests(SynchronousTestCase):
    def test_abstract(self) -> None:
        """
        Each kind has to say what it is.
        """
        self.assertRaises(NotImplementedError, PlainKind().describe)
