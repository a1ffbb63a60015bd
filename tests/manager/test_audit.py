"""
Tests for who made a change, and from what to what.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from tests.watched import Watched
from txlb.errors import ModelError, UnknownName
from txlb.model import TCPAddress
from txlb.pool import Event, EventKind
from txlb.schedulers import leastc, roundr

ADDED = {
    "address": "127.0.0.1:9",
    "weight": 3,
    "maxConnections": None,
    "state": "ready",
    "backup": False,
}


class ByTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.watched = Watched()
        self.manager = self.watched.manager

    def weigh(self, weight: int) -> str:
        [event] = self.manager.setWeight("web", "main", "a", weight)
        self.assertEqual(self.watched.told.pop(), event)
        return event.by

    def wrong(self, who: str) -> None:
        with self.manager.by(who):
            self.manager.setWeight("web", "main", "nobody", 1)

    def test_itself(self) -> None:
        self.assertEqual(self.weigh(2), "")

    def test_nested(self) -> None:
        """
        The innermost counts, and what raises ends it too.
        """
        with self.manager.by("ssh:alice"):
            self.assertEqual(self.weigh(2), "ssh:alice")
            with self.manager.by("uid:0"):
                self.assertEqual(self.weigh(3), "uid:0")
            self.assertEqual(self.weigh(4), "ssh:alice")
            self.assertRaises(UnknownName, self.wrong, "signal:SIGHUP")
            self.assertEqual(self.weigh(5), "ssh:alice")
        self.assertEqual(self.weigh(6), "")

    def test_told(self) -> None:
        """
        It is at the end of the line, and in what programs read.
        """
        with self.manager.by("ssh:alice"):
            [event] = self.manager.setWeight("web", "main", "a", 2)
        self.assertEqual(str(event), "host-weight web/main/a: weight 1 -> 2, by ssh:alice")
        self.assertEqual(event.asDict()["by"], "ssh:alice")

    def test_observations(self) -> None:
        """
        What the balancer sees for itself has nobody's name.
        """
        lease = self.manager.getPool("web").acquire()
        with self.manager.by("ssh:alice"):
            self.manager.delHost("web", "main", "a")
        lease.release()
        self.assertEqual(
            [(event.kind, event.by) for event in self.watched.told],
            [(EventKind.HOST_REMOVED, "ssh:alice"), (EventKind.HOST_GONE, "")],
        )

    def test_coroutine(self) -> None:
        """
        A coroutine takes along who began it; others are not touched by it.
        """
        pause: Deferred[None] = Deferred()
        seen: list[str] = []

        async def later() -> None:
            seen.append(self.weigh(2))
            await pause
            seen.append(self.weigh(3))

        with self.manager.by("ssh:alice"):
            done = ensureDeferred(later())
        self.assertEqual(self.weigh(4), "")
        with self.manager.by("ssh:bob"):
            pause.callback(None)
            self.assertEqual(self.weigh(5), "ssh:bob")
        self.successResultOf(done)
        self.assertEqual(seen, ["ssh:alice", "ssh:alice"])

    def test_nobody(self) -> None:
        """
        What would break a line of the log is no name.
        """
        for who in ("", "a\nb", "\x1b[2J", "x" * 256):
            with self.subTest(who=who):
                context = self.manager.by(who)
                error = self.assertRaises(ModelError, context.__enter__)
                self.assertIn("1 to 255 printable characters", str(error))
                self.assertLess(len(str(error)), 400)


class DetailsTests(SynchronousTestCase):
    """
    Each change says from what to what, in values that any format can hold.
    """

    def setUp(self) -> None:
        self.manager = Watched().manager

    def assertChanged(
        self, change: Callable[[], tuple[Event, ...]], before: object, after: object
    ) -> None:
        event = change()[0]
        details = dict(event.details)
        details.pop("setting", None)
        self.assertEqual(details, {"before": before, "after": after})
        self.assertEqual(json.loads(json.dumps(event.asDict()))["details"], dict(event.details))

    def test_hosts(self) -> None:
        manager = self.manager
        self.assertChanged(
            lambda: manager.addHost("web", "main", "d", "127.0.0.1:9", 3), None, ADDED
        )
        self.assertChanged(lambda: manager.setWeight("web", "main", "d", 0), 3, 0)
        self.assertChanged(
            lambda: manager.delHost("web", "main", "d"), {**ADDED, "weight": 0}, None
        )

    def test_groups(self) -> None:
        manager = self.manager
        self.assertChanged(lambda: manager.setScheduler("web", "main", roundr), leastc, roundr)
        self.assertChanged(lambda: manager.switchGroup("web", "main", "spare"), "main", "spare")

    def test_listener(self) -> None:
        self.assertChanged(
            lambda: self.manager.listenerMoved("web", 1, TCPAddress("::1", 8)),
            "127.0.0.1:81",
            "[::1]:8",
        )
