"""
Tests for L{txlb.schedulers._kind} and L{txlb.schedulers._base}.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.registries import keepRegistries
from txlb import schedulers
from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.interfaces import IScheduler
from txlb.schedulers import (
    SCHEDULERS,
    Scheduler,
    canonicalWord,
    registerScheduler,
    schedulerFactory,
    schedulerWords,
)
from txlb.testing import FakeHost


class WordTests(SynchronousTestCase):
    def test_words(self) -> None:
        self.assertEqual(
            schedulerWords()[:11],
            [
                "rand",
                "roundr",
                "leastc",
                "weightr",
                "weightlc",
                "p2c",
                "ewma",
                "sticky",
                "maglev",
                "first",
                "resource",
            ],
        )

    def test_canonical(self) -> None:
        """
        PythonDirector's words stand for ours.
        """
        for word, ours in (
            ("leastc", "leastc"),
            ("random", "rand"),
            ("roundrobin", "roundr"),
            ("leastconns", "leastc"),
            ("leastconnsrr", "leastc"),
            ("lweighted", "weightr"),
        ):
            self.assertEqual(canonicalWord(word), ours)

    def test_unknown(self) -> None:
        """
        A word that nobody knows is an error that says which one is near.
        """
        error = self.assertRaises(UnknownName, canonicalWord, "leastcc")
        self.assertEqual(str(error), "no scheduler is called 'leastcc'; did you mean 'leastc'?")
        error = self.assertRaises(UnknownName, canonicalWord, "x")
        self.assertIn("no scheduler is called 'x'; there are: ewma, first, leastc, ", str(error))
        wrong = self.assertRaises(ModelError, canonicalWord, 5)
        self.assertEqual(str(wrong), "the scheduler is 5; it is a word, such as 'leastc'")
        self.assertRaises(UnknownName, canonicalWord, "Leastc")
        self.assertRaises(UnknownName, schedulerFactory, "")

    def test_register(self) -> None:
        """
        A policy from elsewhere is made by its word like any other.
        """
        made = []

        class Mine(Scheduler):
            name = "mine"

            def __init__(self, random: Random) -> None:
                super().__init__(random)
                made.append(random)

        keepRegistries(self, SCHEDULERS)
        registerScheduler("mine", Mine)
        self.assertEqual(canonicalWord("mine"), "mine")
        self.assertEqual(schedulerWords()[-1], "mine")
        source = Random(1)
        self.assertIsInstance(schedulerFactory("mine", random=source), Mine)
        self.assertIs(made[0], source)

    def test_taken(self) -> None:
        """
        No word is given twice, nor one of PythonDirector's.
        """
        for word in ("leastc", "roundrobin"):
            error = self.assertRaises(DuplicateName, registerScheduler, word, Scheduler)
            self.assertEqual(
                str(error), f"there is a scheduler {word!r} already; choose another word"
            )


class FactoryTests(SynchronousTestCase):
    def test_names(self) -> None:
        """
        Each policy knows its word.
        """
        for word in (
            schedulers.rand,
            schedulers.roundr,
            schedulers.leastc,
            schedulers.weightr,
            schedulers.weightlc,
            schedulers.sticky,
        ):
            self.assertEqual(schedulerFactory(word).name, word)

    def test_tracker(self) -> None:
        """
        What tracks the hosts is told to use the new policy.
        """
        told: list[IScheduler] = []

        class Tracker:
            def setScheduler(self, scheduler: IScheduler) -> None:
                told.append(scheduler)

        made = schedulerFactory("leastc", Tracker())
        self.assertEqual(told, [made])

    def test_random(self) -> None:
        """
        The same chance gives the same choices; by default it is another.
        """
        picks = []
        for _ in range(2):
            scheduler = schedulerFactory("rand", random=Random(4))
            for number in range(50):
                scheduler.hostAdded(FakeHost(f"h{number}"))
            picks.append([getattr(scheduler.nextHost(None), "key", None) for _ in range(20)])
        self.assertEqual(picks[0], picks[1])
        own = [schedulerFactory("rand") for _ in range(2)]
        sources = [scheduler.random for scheduler in own if isinstance(scheduler, Scheduler)]
        self.assertIsNot(sources[0], sources[1])
        self.assertNotEqual(sources[0].getstate(), sources[1].getstate())


class BaseTests(SynchronousTestCase):
    def test_choose(self) -> None:
        """
        A policy that doesn't say how to choose is told so when it has to.
        """
        scheduler = Scheduler(Random(1))
        self.assertIsNone(scheduler.nextHost(None))
        host = FakeHost("a", 3)
        scheduler.hostAdded(host)
        error = self.assertRaises(NotImplementedError, scheduler.nextHost, None)
        self.assertEqual(str(error), "Scheduler does not say how to choose")
        self.assertEqual(scheduler.explain(None), {host.key: 3.0})
        self.assertIsNone(scheduler.nextHost(None, frozenset({host.key})))
