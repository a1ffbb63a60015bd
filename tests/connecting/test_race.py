"""
Tests for L{txlb.connecting._race}.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.connecting import NO_PORTS, Race
from txlb.connecting._race import MOST, STAGGER, TIMED_OUT, combined, interleaved
from txlb.deadlines import Deadlines
from txlb.model import Address, TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind

REFUSED = Failure(FailureKind.REFUSED, "connection refused")
NO_ROUTE = Failure(FailureKind.UNREACHABLE, "no route to the host")
NO_DESCRIPTOR = Failure(FailureKind.LOCAL, "this process has no descriptor left")

FOURS = [TCPAddress(f"192.0.2.{number}", 80) for number in range(1, 11)]
SIXES = [TCPAddress(f"2001:db8::{number}", 80) for number in range(1, 11)]


class FakeTrack:
    """
    Connects as the test says.

    @ivar atOnce: what becomes of an address when it is begun: a failure, or C{"won"};
        by default it takes its time.
    @ivar said: what was begun and stopped, with the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.race: Race
        self.atOnce: dict[Address, Failure | str] = {}
        self.said: list[tuple[str, Address, float]] = []
        self.running: set[Address] = set()
        self.failure: Failure | None = None

    def start(self, address: Address) -> Failure | None:
        self._say("start", address)
        answer = self.atOnce.get(address)
        if isinstance(answer, Failure):
            return answer
        if answer == "won":
            self.race.won(address)
        else:
            self.running.add(address)
        return None

    def stop(self, address: Address) -> None:
        self._say("stop", address)
        self.running.remove(address)

    def lost(self, failure: Failure) -> None:
        assert self.failure is None
        self.failure = failure

    def _say(self, word: str, address: Address) -> None:
        self.said.append((word, address, self._clock.seconds()))


class RaceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.track = FakeTrack(self.clock)

    def race(
        self, addresses: Sequence[Address], timeout: float = 5.0, latest: float = 10.0
    ) -> Race:
        race = Race(self.track, self.deadlines, addresses, timeout, latest)
        self.track.race = race
        return race

    def wait(self, seconds: float) -> None:
        """
        Let time pass, a hundredth of a second at a time.
        """
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)

    def failAt(self, address: Address, failure: Failure = REFUSED) -> None:
        """
        What takes its time fails.
        """
        self.track.running.remove(address)
        self.track.race.failed(address, failure)

    def started(self) -> list[tuple[Address, float]]:
        return [(address, round(when, 2)) for word, address, when in self.track.said
                if word == "start"]  # fmt: skip

    def assertOver(self) -> None:
        """
        Nothing is left.
        """
        self.assertTrue(self.track.race.over)
        self.assertEqual(self.track.running, set())
        self.assertEqual(len(self.deadlines), 0)


class RaceTests(RaceCase):
    def test_atOnce(self) -> None:
        """
        An address that is reached at once is the only one that is tried.
        """
        self.track.atOnce[FOURS[0]] = "won"
        self.assertIsNone(self.race(FOURS[:3]).begin())
        self.assertEqual(self.started(), [(FOURS[0], 0.0)])
        self.assertOver()

    def test_stagger(self) -> None:
        """
        An address has 250 ms before the next one is tried as well; the first that
        answers stops the others.
        """
        race = self.race(FOURS[:4])
        self.assertIsNone(race.begin())
        self.wait(0.6)
        self.assertEqual(self.started(), [(FOURS[0], 0.0), (FOURS[1], 0.25), (FOURS[2], 0.5)])
        self.track.running.remove(FOURS[1])
        race.won(FOURS[1])
        self.assertEqual({a for word, a, _ in self.track.said if word == "stop"},
                         {FOURS[0], FOURS[2]})  # fmt: skip
        self.assertOver()
        self.wait(20)
        self.assertEqual(len(self.started()), 3)
        self.assertIsNone(self.track.failure)

    def test_failed(self) -> None:
        """
        When one fails the next is tried at once, and again has its 250 ms.
        """
        self.track.atOnce[FOURS[2]] = NO_ROUTE
        race = self.race(FOURS[:5])
        race.begin()
        self.wait(0.1)
        self.failAt(FOURS[0])
        self.wait(0.1)
        self.failAt(FOURS[1])
        self.wait(0.3)
        found = [(FOURS[0], 0.0), (FOURS[1], 0.1), (FOURS[2], 0.2), (FOURS[3], 0.2)]
        self.assertEqual(self.started(), [*found, (FOURS[4], 0.45)])
        race.end()
        self.assertOver()

    def test_allFailAtOnce(self) -> None:
        """
        If all fail at once, beginning says so.
        """
        self.track.atOnce = {FOURS[0]: REFUSED, FOURS[1]: NO_ROUTE}
        failure = self.race(FOURS[:2]).begin()
        self.assertEqual(
            failure,
            Failure(
                FailureKind.UNREACHABLE,
                "192.0.2.1:80: connection refused; 192.0.2.2:80: no route to the host",
            ),
        )
        self.assertIsNone(self.track.failure)
        self.assertOver()

    def test_allFailLater(self) -> None:
        """
        If the last one fails later, the track is told, once.
        """
        self.track.atOnce[FOURS[0]] = REFUSED
        race = self.race(FOURS[:2])
        self.assertIsNone(race.begin())
        self.failAt(FOURS[1])
        assert self.track.failure is not None
        self.assertIs(self.track.failure.kind, FailureKind.REFUSED)
        race.failed(FOURS[1], REFUSED)
        self.assertOver()

    def test_timeout(self) -> None:
        """
        Each address has the timeout, whenever it is begun.
        """
        self.race(FOURS[:2], timeout=5, latest=20).begin()
        self.wait(5.1)
        self.assertEqual(self.track.running, {FOURS[1]})
        self.assertIsNone(self.track.failure)
        self.wait(0.2)
        self.assertEqual(
            self.track.failure,
            Failure(
                FailureKind.TIMEOUT,
                "192.0.2.1:80: no answer in time; 192.0.2.2:80: no answer in time",
            ),
        )
        self.assertOver()

    def test_latest(self) -> None:
        """
        All of it has its end, for those that are begun late as well.
        """
        self.race(FOURS, timeout=5, latest=1.1).begin()
        self.wait(1.2)
        self.assertEqual(len(self.started()), 5)
        assert self.track.failure is not None
        self.assertIs(self.track.failure.kind, FailureKind.TIMEOUT)
        self.assertOver()

    def test_noTime(self) -> None:
        """
        If there is no time for the next one it is not begun.
        """
        self.race(FOURS[:2], timeout=5, latest=1).begin()
        self.clock.advance(0.2)
        self.track.race._latest = 0.2
        self.failAt(FOURS[0])
        self.assertEqual(len(self.started()), 1)
        self.assertEqual(self.track.failure, REFUSED)
        self.assertOver()
        self.track.said.clear()
        self.assertEqual(self.race(FOURS[:2], latest=0.1).begin(), TIMED_OUT)
        self.assertEqual(self.started(), [])

    def test_shortTimeout(self) -> None:
        """
        With a short timeout each address has its turn within it, so that a check of
        half a second still comes to the third.
        """
        self.race(FOURS[:5], timeout=0.5, latest=0.5).begin()
        self.wait(0.45)
        self.assertEqual([address for address, _ in self.started()], FOURS[:5])
        self.track.race.end()

    def test_begun(self) -> None:
        """
        The first may have been begun before, and may have failed.
        """
        self.race(FOURS[:2]).begin(begun=True)
        self.track.running.add(FOURS[0])
        self.wait(0.3)
        self.assertEqual(self.started(), [(FOURS[1], 0.25)])
        self.track.race.end()
        self.track.said.clear()
        race = self.race(FOURS[:2])
        self.assertIsNone(race.begin(begun=True, failure=REFUSED))
        self.assertEqual([address for address, _ in self.started()], [FOURS[1]])
        self.failAt(FOURS[1], NO_ROUTE)
        assert self.track.failure is not None
        self.assertIn(str(FOURS[0]), self.track.failure.detail)

    def test_bound(self) -> None:
        """
        However many addresses a name has, only so many are tried for one client.
        """
        self.race([*FOURS, *SIXES], timeout=5, latest=100).begin()
        self.wait(10)
        self.assertEqual(len(self.started()), MOST)
        self.assertOver()

    def test_noDescriptor(self) -> None:
        """
        Without descriptors no further address is tried; one that is under way may
        still win.
        """
        self.track.atOnce[FOURS[1]] = NO_DESCRIPTOR
        race = self.race(FOURS[:4])
        race.begin()
        self.wait(2)
        self.assertEqual(len(self.started()), 2)
        self.assertFalse(race.over)
        self.failAt(FOURS[0])
        assert self.track.failure is not None
        self.assertIs(self.track.failure.kind, FailureKind.LOCAL)

    def test_slept(self) -> None:
        """
        Time that the process sleeps is given to all of them.
        """
        self.race(FOURS[:2], timeout=5, latest=6).begin()
        self.wait(1)
        self.deadlines._sleeps.add(1.0, 101.0)
        self.clock.advance(100)
        self.clock.pump([0.0] * 5)
        self.assertEqual(self.track.running, set(FOURS[:2]))
        self.track.race.end()
        self.assertOver()

    @given(
        st.lists(st.sampled_from([*FOURS, *SIXES]), min_size=1, max_size=12, unique=True),
        st.lists(st.tuples(st.integers(0, 11), st.booleans(), st.floats(0, 2)), max_size=40),
        st.floats(0.01, 5.0),
    )
    def test_any(
        self,
        addresses: list[TCPAddress],
        steps: list[tuple[int, bool, float]],
        timeout: float,
    ) -> None:
        """
        Whatever happens, each address is begun once at most, nothing runs after the
        end, and the end comes.
        """
        self.setUp()
        race = self.race(addresses, timeout, 10.0)
        ended = race.begin() is not None
        for which, wins, delay in steps:
            address = addresses[which % len(addresses)]
            if address in self.track.running:
                if wins:
                    self.track.running.remove(address)
                    race.won(address)
                else:
                    self.failAt(address)
            self.clock.advance(delay)
            if race.over:
                self.assertEqual(self.track.running, set())
        self.wait(11)
        begun = [address for address, _ in self.started()]
        self.assertEqual(len(begun), len(set(begun)))
        self.assertFalse(ended)
        self.assertOver()


class OrderTests(SynchronousTestCase):
    def test_interleaved(self) -> None:
        """
        The families take turns, beginning with that of the first address.
        """
        self.assertEqual(
            interleaved([*SIXES[:3], *FOURS[:1]]), [SIXES[0], FOURS[0], SIXES[1], SIXES[2]]
        )
        self.assertEqual(
            interleaved([*FOURS[:2], *SIXES[:3]]),
            [FOURS[0], SIXES[0], FOURS[1], SIXES[1], SIXES[2]],
        )
        self.assertEqual(interleaved([UNIXAddress("/x")]), [UNIXAddress("/x")])
        self.assertEqual(interleaved([]), [])

    @given(st.lists(st.sampled_from([*FOURS, *SIXES]), unique=True))
    def test_any(self, addresses: list[TCPAddress]) -> None:
        """
        None is lost, the first stays the first, and each family stays in its order.
        """
        found = interleaved(addresses)
        self.assertEqual(found[:1], addresses[:1])
        for family in (FOURS, SIXES):
            self.assertEqual(
                [each for each in found if each in family],
                [each for each in addresses if each in family],
            )
        self.assertEqual(len(found), len(addresses))


class CombinedTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """
        What is not the host's fault with one address is not its fault: it may be well.
        """
        one, two = FOURS[:2]
        for first, second, kind in (
            (REFUSED, TIMED_OUT, FailureKind.TIMEOUT),
            (TIMED_OUT, REFUSED, FailureKind.REFUSED),
            (NO_PORTS, REFUSED, FailureKind.PORTS),
            (REFUSED, NO_PORTS, FailureKind.PORTS),
            (NO_DESCRIPTOR, NO_PORTS, FailureKind.LOCAL),
        ):
            self.assertIs(combined([(one, first), (two, second)]).kind, kind)
        self.assertEqual(combined([(one, REFUSED)]), REFUSED)
        self.assertEqual(combined([]), TIMED_OUT)

    def test_length(self) -> None:
        """
        A name with many addresses makes no long line.
        """
        failure = combined([(each, REFUSED) for each in SIXES[:MOST]])
        self.assertTrue(failure.detail.endswith("[2001:db8::3]:80: connection refused; 5 more"))
        self.assertEqual(STAGGER, 0.25)
