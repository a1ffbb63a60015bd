"""
The tests that every source of hosts has to pass, for one's own sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txlb.discovery import FoundHost
from txlb.interfaces import IFindings, IHostSource


@implementer(IFindings)
class NotedFindings:
    """
    Notes what a source finds.

    @ivar answers: the hosts of each answer.
    @ivar wrong: what was wrong in the last one.
    @ivar troubles: the reason of each failure.
    """

    def __init__(self) -> None:
        self.answers: list[list[FoundHost]] = []
        self.wrong: Sequence[str] = ()
        self.troubles: list[str] = []

    def found(self, hosts: Sequence[FoundHost], wrong: Sequence[str] = ()) -> None:
        """
        Note an answer.
        """
        self.answers.append(list(hosts))
        self.wrong = wrong

    def failed(self, reason: str) -> None:
        """
        Note a failure.
        """
        self.troubles.append(reason)

    @property
    def calls(self) -> int:
        """
        How often the source has reported.
        """
        return len(self.answers) + len(self.troubles)


class HostSourceContract:
    """
    The tests that every source of hosts passes. Derive from it and from
    L{twisted.trial.unittest.SynchronousTestCase}, and implement C{makeSource}, C{say} and
    C{fail}, which change what the source finds::

        class MySourceTests(HostSourceContract, SynchronousTestCase):
            def makeSource(self, clock):
                self.registry = FakeRegistry()
                return MySource(self.registry, clock)

            def say(self, *hosts):
                self.registry.hosts = hosts

            def fail_(self):
                self.registry.hosts = None

    The source gets its time from the clock. A source reports within C{patience} seconds.
    """

    #: Seconds of the clock in which a source reports.
    patience = 120.0

    def makeSource(self, clock: Clock) -> IHostSource:
        """
        Make the source under test, which finds no host yet.
        """
        raise NotImplementedError("implement makeSource")

    def say(self, *hosts: FoundHost) -> None:
        """
        Let the source find these hosts.
        """
        raise NotImplementedError("implement say")

    def fail_(self) -> None:
        """
        Let what the source asks be away.
        """
        raise NotImplementedError("implement fail_")

    def setUp(self: Any) -> None:
        """
        Make a source.
        """
        self.clock = Clock()
        self.findings = NotedFindings()
        self.source = self.makeSource(self.clock)
        self.addCleanup(self.source.stop)

    def passUntil(self: Any, condition: Any) -> None:
        """
        Let time pass until something is so.
        """
        end = self.clock.seconds() + self.patience
        while not condition() and self.clock.seconds() < end:
            self.clock.advance(0.1)
        self.assertTrue(condition(), "the source has not reported it")

    def test_interface(self: Any) -> None:
        """
        The source provides its interface, and has a name.
        """
        self.assertTrue(verifyObject(IHostSource, self.source))
        self.assertTrue(0 < len(self.source.origin) <= 255 and self.source.origin.isprintable())

    def test_wholeSet(self: Any) -> None:
        """
        Each answer has all hosts that are there.
        """
        one, two = (
            FoundHost("127.0.0.1:7001", "127.0.0.1:7001"),
            FoundHost("127.0.0.1:7002", "127.0.0.1:7002"),
        )
        self.say(one)
        self.source.start(self.findings)
        self.passUntil(lambda: [one] in self.findings.answers)
        self.say(one, two)
        self.passUntil(
            lambda: (
                self.findings.answers
                and sorted(each.address for each in self.findings.answers[-1])
                == [one.address, two.address]
            )
        )
        self.say(two)
        self.passUntil(lambda: self.findings.answers[-1] == [two])

    def test_failure(self: Any) -> None:
        """
        A source that can't find anything says why, tries again, and reports no empty set.
        """
        one = FoundHost("127.0.0.1:7001", "127.0.0.1:7001")
        self.fail_()
        self.source.start(self.findings)
        self.passUntil(lambda: self.findings.troubles)
        self.assertEqual(self.findings.answers, [])
        self.assertTrue(all(self.findings.troubles))
        self.say(one)
        self.passUntil(lambda: [one] in self.findings.answers)

    def test_stop(self: Any) -> None:
        """
        A source that was stopped reports nothing, and may be stopped twice.
        """
        self.say()
        self.source.start(self.findings)
        self.source.stop()
        self.source.stop()
        calls = self.findings.calls
        self.say(FoundHost("127.0.0.1:7001", "127.0.0.1:7001"))
        for _ in range(100):
            self.clock.advance(1.0)
        self.assertEqual(self.findings.calls, calls)
