"""
Tests for L{txlb.pool._handover} and for policies that get their hosts in slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import Bench
from tests.registries import keepRegistries
from txlb.errors import ModelError
from txlb.interfaces import IHost
from txlb.pool import _rotation
from txlb.schedulers import SCHEDULERS, RoundRobin, Scheduler, registerScheduler


class Counted(Scheduler):
    """
    A policy that counts the calls, and raises at one of them.
    """

    name = "counted"
    calls: ClassVar[list[str]] = []
    raises: ClassVar[str] = ""

    def _note(self, call: str, host: IHost) -> None:
        self.calls.append(f"{call} {host.key[2]}")
        if self.calls[-1] == self.raises:
            raise RuntimeError(self.raises)

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self._note("added", host)

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        self._note("removed", host)

    def hostChanged(self, host: IHost) -> None:
        super().hostChanged(host)
        self._note("changed", host)

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        return hosts[-1]


class HandoverTests(SynchronousTestCase):
    """
    A policy gets two hosts at each step.
    """

    def setUp(self) -> None:
        keepRegistries(self, SCHEDULERS)
        registerScheduler("counted", Counted)
        self.patch(Counted, "calls", [])
        self.patch(Counted, "raises", "")
        self.patch(_rotation, "AT_ONCE", 2)
        self.bench = Bench("a", "b", "c", "d", "e", scheduler="roundr")
        self.pool = self.bench.pool
        self.wanted = replace(self.pool.settings, scheduler="counted")

    def test_steps(self) -> None:
        """
        The present policy chooses until the pool follows the group; then the new one has all
        hosts and gets none again.
        """
        seen = []
        for _ in self.pool.preparing(self.wanted):
            seen.append(list(Counted.calls))
            self.assertIsInstance(self.pool.scheduler, RoundRobin)
            self.pool.acquire().release()
        added = [f"added {name}" for name in "abcde"]
        self.assertEqual([len(calls) for calls in seen], [2, 6, 9])
        self.assertEqual([call for call in Counted.calls if "added" in call], added)
        self.assertEqual(list(self.pool.preparing(self.wanted)), [])
        before = len(Counted.calls)
        self.pool.follow(self.wanted)
        self.assertIsInstance(self.pool.scheduler, Counted)
        self.assertEqual(len(Counted.calls), before)
        self.assertEqual(self.pool.acquire().host.name, "e")

    def test_meanwhile(self) -> None:
        """
        Hosts that come, go and change while it is filled are known to both policies.
        """
        steps = self.pool.preparing(self.wanted)
        next(steps)
        self.bench.fell("a")
        self.bench.fell("e")
        self.pool.setWeight("b", 3)
        for _ in steps:
            pass
        self.assertEqual({key[2] for key in self.pool.scheduler.explain(None)}, set("bcd"))
        self.pool.follow(replace(self.wanted, hosts=self.pool.settings.hosts))
        held = {key[2]: weight for key, weight in self.pool.scheduler.explain(None).items()}
        self.assertEqual(held, {"b": 3, "c": 1, "d": 1})
        self.assertEqual(Counted.calls.count("added e"), 0)
        self.assertIn("removed a", Counted.calls)
        self.assertIn("changed b", Counted.calls)

    def test_notComplete(self) -> None:
        """
        If the pool follows the group before all steps are done, the policy gets the other hosts
        at once.
        """
        next(self.pool.preparing(self.wanted))
        self.pool.follow(self.wanted)
        self.assertEqual(Counted.calls, [f"added {name}" for name in "abcde"])

    def test_forgotten(self) -> None:
        """
        A policy that was prepared and is not wanted any more is told nothing more, and another
        one is made if it is wanted again.
        """
        for _ in self.pool.preparing(self.wanted):
            pass
        self.pool.forgetPrepared()
        self.pool.setWeight("b", 3)
        self.assertEqual(len(Counted.calls), 5)
        self.pool.follow(replace(self.wanted, hosts=self.pool.settings.hosts))
        self.assertEqual(len(Counted.calls), 10)

    def test_otherGroup(self) -> None:
        """
        A policy that was prepared is not used for a group that wants another one.
        """
        next(self.pool.preparing(self.wanted))
        self.pool.follow(replace(self.wanted, scheduler="rand"))
        self.assertEqual(self.pool.scheduler.name, "rand")
        self.pool.setWeight("b", 3)
        self.assertEqual(len(Counted.calls), 2)

    def test_raises(self) -> None:
        """
        If it raises, at any time until it is used, nothing has changed.
        """
        for raises, meanwhile in (
            ("added d", lambda: None),
            ("changed b", lambda: self.pool.setWeight("b", 3)),
            ("removed a", lambda: self.pool.setState("a", "drain")),
        ):
            self.patch(Counted, "raises", raises)
            steps = self.pool.preparing(self.wanted)
            next(steps)
            meanwhile()
            error = self.assertRaises(ModelError, list, steps)
            self.assertEqual(
                str(error),
                f"scheduler 'counted' can't be used for group 'pool' of service 'web': it raises "
                f"RuntimeError('{raises}')",
            )
            self.assertEqual(self.pool.settings.scheduler, "roundr")
            calls = len(Counted.calls)
            self.pool.setWeight("c", 1 + len(raises))
            self.assertEqual(len(Counted.calls), calls)

    def test_raisesLate(self) -> None:
        """
        If it raises after it has got all hosts, C{roundr} stands in or it is made anew, as for
        any policy.
        """
        for _ in self.pool.preparing(self.wanted):
            pass
        self.patch(Counted, "raises", "changed b")
        self.pool.setWeight("b", 3)
        self.bench.events.clear()
        self.pool.follow(replace(self.wanted, hosts=self.pool.settings.hosts))
        self.assertEqual(self.bench.told(), ["scheduler-failed g"])
        self.assertIsInstance(self.pool.scheduler, Counted)
        self.assertEqual(len(self.pool.scheduler.explain(None)), 5)

    def test_presentRaises(self) -> None:
        """
        If the present policy raises meanwhile it is replaced, and both know all changes after
        that.
        """
        self.pool.setScheduler("counted")
        steps = self.pool.preparing(replace(self.wanted, scheduler="weightlc"))
        next(steps)
        Counted.raises = "changed b"
        self.pool.setWeight("b", 3)
        Counted.raises = ""
        self.bench.fell("c")
        for _ in steps:
            pass
        self.assertIsInstance(self.pool.scheduler, Counted)
        hosts = self.pool.settings.hosts
        self.pool.follow(replace(self.wanted, scheduler="weightlc", hosts=hosts))
        self.assertEqual({key[2] for key in self.pool.scheduler.explain(None)}, set("abde"))

    @given(
        st.lists(
            st.tuples(st.sampled_from("abcdefg"), st.sampled_from(["step", "flip", "weight"])),
            max_size=30,
        ),
        st.sampled_from(["counted", "sticky", "weightr", "weightlc", "p2c", "leastc"]),
    )
    def test_anything(self, actions: list[tuple[str, str]], word: str) -> None:
        """
        Whatever happens meanwhile, in the end the new policy holds the hosts that are ready, with
        their weights.
        """
        pool = Bench(*"abcdefg", scheduler="roundr").pool
        wanted = replace(pool.settings, scheduler=word)
        steps, chance = pool.preparing(wanted), Random(1)
        for name, action in actions:
            if action == "step":
                next(steps, None)
            elif action == "flip":
                state = pool.getHost(name).state
                pool.setState(name, "drain" if state == "ready" else "ready")
            else:
                pool.setWeight(name, chance.randint(1, 9))
        pool.follow(replace(wanted, hosts=pool.settings.hosts))
        ready = {host.key: host for host in pool.hosts if host.ready}
        scores = pool.scheduler.explain(None)
        self.assertEqual(set(scores), set(ready))
        if word in {"counted", "weightr"}:
            total = sum(host.weight for host in ready.values()) if word == "weightr" else 1
            for key, host in ready.items():
                self.assertAlmostEqual(scores[key], host.weight / total)
