"""
Tests for L{txlb.model.kinds}, L{txlb.model._addresskinds} and L{txlb.model._schedulerword}.
"""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import hostAddresses, listenPlaces
from txlb import schedulers
from txlb.errors import ModelError, UnknownName
from txlb.model import CLIENT_NETWORK, HOST_ADDRESS, LISTEN_ADDRESS, Address, TCPAddress
from txlb.model._schedulerword import SchedulerWord
from txlb.model.kinds import (
    BOOLEAN_PAIRS,
    Account,
    Boolean,
    Kind,
    Mode,
    Name,
    Number,
    Path,
    PlainKind,
    Seconds,
    Secret,
    Several,
    Text,
    Whole,
    Word,
    quoted,
)


class KindTests(SynchronousTestCase):
    """
    What all kinds have in common.
    """

    def wrong(self, kind: Kind, *texts: str) -> None:
        for text in texts:
            error = self.assertRaises(ModelError, kind.parse, text, "colour of thing 'x'")
            self.assertIn(repr(text), str(error))
            self.assertIn("colour of thing 'x'", str(error))

    def wrongValues(self, kind: Kind, *values: object) -> None:
        for value in values:
            error = self.assertRaises(ModelError, kind.check, value, "colour of thing 'x'")
            self.assertEqual(str(error), f"colour of thing 'x' is {value!r}; it is {kind.brief()}")

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
        self.assertEqual(Mode().check(0o660, "it"), 0o660)
        for value in (-1, 0o1000, "0660", None, True):
            error = self.assertRaises(ModelError, Mode().check, value, "mode of it")
            self.assertEqual(
                str(error),
                f"mode of it is {value!r}; it is a number from 0 to 0o777, such as 0o660",
            )
        self.wrong(Mode(), "", "66", "0o660", "1660", "00660", "0680", "rw-rw----", " 660", "-660")

    def test_account(self) -> None:
        """
        A name, or a number that 32 bits hold. A program may give a number as such.
        """
        kind = Account("user")
        for text in ("www-data", "a.b@example", "0", "999999999"):
            self.assertEqual(kind.parse(text, "it"), text)
            self.assertEqual(kind.check(text, "it"), text)
            self.assertEqual(kind.write(text), text)
        self.wrong(kind, "1" * 10, "", " ", "a\nb", "a b", "\u0661")
        self.assertEqual(kind.check(12, "it"), "12")
        self.wrongValues(kind, True, None, "", 10**9, b"root")


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

    def test_values(self) -> None:
        """
        A program gives True or False, and nothing that resembles them.
        """
        self.assertIs(Boolean().check(True, "it"), True)
        self.wrongValues(Boolean(), 1, 0, "true", None)


class WholeTests(KindTests):
    kind = Whole(5, 10, "bytes", "never")

    @given(st.integers(), st.integers(), st.integers())
    def test_values(self, value: int, one: int, other: int) -> None:
        least, most = sorted((one, other))
        kind = Whole(least, most)
        if least <= value <= most:
            self.assertEqual(kind.check(value, "it"), value)
        else:
            self.wrongValues(kind, value)

    def test_noValues(self) -> None:
        self.assertEqual(self.kind.check(0, "it"), 0)
        self.wrongValues(self.kind, 4, 11, 7.0, "7", None, True, False)

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

    def test_values(self) -> None:
        """
        Numbers are kept as C{float}.
        """
        self.assertIs(type(self.kind.check(5, "it")), float)
        self.wrongValues(self.kind, 0, 5.1, math.nan, math.inf, "1", None, True)

    def test_zero(self) -> None:
        """
        0 need not be in the range if it has a meaning.
        """
        kind = Number(1.05, 100.0, zero="off")
        self.right(kind, **{"0": 0.0, "1.05": 1.05, "100": 100.0})
        self.wrong(kind, "1", "100.1", "-1")
        self.assertEqual(kind.check(0, "it"), 0.0)
        self.wrongValues(kind, 1, -1)
        self.assertEqual(kind.describe(), "a number from 1.05 to 100, or 0 for off")
        self.assertEqual((kind.show(0.0), kind.show(1.25)), ("0 (off)", "1.25"))


class ClientNetworkTests(KindTests):
    def test_networks(self) -> None:
        self.right(CLIENT_NETWORK, **{"10.0.0.0/8": "10.0.0.0/8", "all": "all"})
        self.wrong(CLIENT_NETWORK, "", "10.0.0.256", "ALL")
        self.assertIn("2001:db8::/32", CLIENT_NETWORK.describe())


class SecondsTests(KindTests):
    kind = Seconds(0.0, 60.0, "never")

    def test_range(self) -> None:
        self.right(self.kind, **{"0": 0.0, "60": 60.0, " .5": 0.5, "1.": 1.0, "+1.25": 1.25})
        self.wrong(self.kind, "-1", "60.01", "9" * 18)

    def test_values(self) -> None:
        """
        A program gives numbers, which are kept as C{float}.
        """
        for value in (1, 2.5, 0):
            found = self.kind.check(value, "it")
            self.assertEqual(found, value)
            self.assertIs(type(found), float)
        self.wrongValues(self.kind, -0.1, 60.1, math.nan, math.inf, "1", "1s", None, True)

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
        self.assertEqual(kind.check("two", "it"), "two")
        self.wrongValues(kind, "Two", "", None, ["two"])
        self.assertEqual(kind.describe(), "one, two or three")
        self.assertEqual(kind.brief(), kind.describe())


class SeveralTests(KindTests):
    kind = Several(Word(("one", "two")))

    def test_texts(self) -> None:
        """
        Values with white space between them; in a file and in a program.
        """
        for text, values in (("", ()), (" two\n one ", ("two", "one")), ("one", ("one",))):
            self.assertEqual(self.kind.parse(text, "it"), values)
            self.assertEqual(self.kind.check(text, "it"), values)
            self.assertEqual(self.kind.parse(self.kind.write(values), "it"), values)
        self.assertEqual(self.kind.check(iter(["two", "one"]), "it"), ("two", "one"))
        self.assertEqual(self.kind.describe(), "a list with spaces between, of one or two")
        self.assertEqual(Several(self.kind, "words").describe(), "words")

    def test_wrong(self) -> None:
        """
        Each is checked, and stands in it once.
        """
        self.wrongValues(self.kind, None, 5, b"one")
        for values in ("one three", ["one", 5]):
            error = self.assertRaises(ModelError, self.kind.check, values, "it")
            self.assertIn("it is one or two", str(error))
        error = self.assertRaises(ModelError, self.kind.parse, "one one", "it")
        self.assertEqual(str(error), "it has 'one' twice; each stands in it once")
        self.assertRaises(ModelError, self.kind.parse, "one " * 65536, "it")


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

    def test_values(self) -> None:
        self.assertEqual(SchedulerWord().check("roundrobin", "it"), "roundr")
        self.assertRaises(UnknownName, SchedulerWord().check, "fair", "it")
        self.assertRaises(ModelError, SchedulerWord().check, 5, "it")


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
        kind = HOST_ADDRESS
        self.assertEqual(kind.parse(kind.write(address), "it"), address)

    @given(listenPlaces)
    def test_listeners(self, address: Address) -> None:
        kind = LISTEN_ADDRESS
        self.assertEqual(kind.parse(kind.write(address), "it"), address)

    def test_wrong(self) -> None:
        self.assertEqual(LISTEN_ADDRESS.check(":0", "it"), TCPAddress("", 0))
        self.wrong(HOST_ADDRESS, "", "a", "a:0", "*:1", "a:70000")
        self.wrong(LISTEN_ADDRESS, "", "a", "*:0", ":70000", "::1:80")
        self.assertIn("host:port", HOST_ADDRESS.describe())
        self.assertIn("*:port", LISTEN_ADDRESS.describe())


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
            *(HOST_ADDRESS, LISTEN_ADDRESS, Path(), Name("host")),
        ]
        for kind in kinds:
            error = self.assertRaises(ModelError, kind.parse, "x" * 1_000_000, "it")
            self.assertTrue(len(str(error)) < 300, kind)


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

    def test_values(self) -> None:
        """
        A program's value is right if its text is.
        """
        kind = Text("[a-z]+", "letters")
        self.assertEqual(kind.check("abc", "it"), "abc")
        error = self.assertRaises(ModelError, kind.check, 5, "it")
        self.assertEqual(str(error), "it is '5'; it is letters")

    def test_secrets(self) -> None:
        """
        No message quotes a wrong secret.
        """
        for value in ("Hunter2", 12345):
            error = self.assertRaises(
                ModelError, Secret(Text("[a-z]+", "letters")).check, value, "token of it"
            )
            self.assertEqual(str(error), "token of it is wrong; it is letters")
