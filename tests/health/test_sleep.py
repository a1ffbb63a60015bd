"""
Checks in a process that sleeps: an answer that came meanwhile is read before the check
is over, and a host that has yet to answer has as much time as before.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.health.fakes import WELL, HeartbeatCase
from tests.sleeping import SleepingClock
from txlb.deadlines import CATCH_UP
from txlb.model import HealthCheck

#: One failure is enough to put a host out.
CHECK = HealthCheck("fake", 2.0, rise=1, fall=1)

#: Seconds that the process sleeps.
SLEEP = 60.0


class SleepTests(HeartbeatCase, SynchronousTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: SleepingClock = SleepingClock()
        self.world.clock = self.clock
        self.beat(check=CHECK)
        self.run_(4)
        self.world.answer = None
        while not self.world.open:
            self.run_(0.005)

    def test_answered(self) -> None:
        """
        The host has answered while the process slept.
        """
        self.clock.sleep(SLEEP)
        self.world.answer = WELL
        for each in tuple(self.world.open):
            each.callback(WELL)
        self.clock.decide()
        self.run_(5)
        self.assertEqual((self.world.cancelled, self.host().health.isHealthy), (0, True))

    def test_answersLater(self) -> None:
        """
        The host answers when the process goes on, as one that has to be asked something
        else before does.
        """
        self.clock.sleep(SLEEP)
        self.clock.decide()
        self.run_(1.9)
        self.world.answer = WELL
        for each in tuple(self.world.open):
            each.callback(WELL)
        self.run_(5)
        self.assertEqual((self.world.cancelled, self.host().health.isHealthy), (0, True))

    def test_doesNotAnswer(self) -> None:
        """
        A host that does not answer then either goes out.
        """
        self.clock.sleep(SLEEP)
        self.clock.decide()
        self.run_(2 + CATCH_UP + 0.1)
        self.assertFalse(self.host().health.isHealthy)
