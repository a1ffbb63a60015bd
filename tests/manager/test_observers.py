"""
Tests for the observers of a manager, L{txlb.manager._observers}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.watched import REFUSED, Watched
from txlb.pool import Event, EventKind


class ObserverTests(SynchronousTestCase):
    def test_afterCommit(self) -> None:
        """
        When an observer is told of a change it has happened in full.
        """
        watched = Watched()
        seen: list[object] = []

        def observe(event: Event) -> None:
            seen.append((event.kind, watched.agrees(), watched.manager.getService("web")))

        watched.manager.subscribe(observe)
        watched.manager.delHost("web", "main", "a")
        after = watched.manager.getService("web")
        self.assertEqual(
            seen, [(EventKind.HOST_REMOVED, True, after), (EventKind.HOST_GONE, True, after)]
        )

    def test_isolated(self) -> None:
        """
        What one raises goes to C{onError}; the others are told, and the change
        stands.
        """
        watched = Watched()
        later: list[Event] = []

        def fail(event: Event) -> None:
            raise RuntimeError(event.kind.value)

        watched.manager.subscribe(fail)
        watched.manager.subscribe(later.append)
        watched.manager.setWeight("web", "main", "a", 5)
        self.assertEqual(len(later), 1)
        errors: list[Exception] = []
        watched.manager.onError = errors.append
        watched.manager.setWeight("web", "main", "a", 6)
        self.assertEqual([str(error) for error in errors], ["host-weight"])
        self.assertEqual((len(later), len(watched.told)), (2, 2))
        self.assertEqual(watched.manager.getHost("web", "main", "a").weight, 6)

    def test_traffic(self) -> None:
        """
        What traffic tells is told as it happens.
        """
        watched = Watched()
        pool = watched.manager.getPool("web")
        with pool.acquire() as lease:
            pool.reportFailed(lease, REFUSED)
            self.assertEqual([event.kind for event in watched.told], [EventKind.HOST_DOWN])
        self.assertEqual(watched.told[0].key, ("web", "main", "a"))

    def test_unsubscribe(self) -> None:
        """
        A subscription ends alone, however often that is asked for.
        """
        watched = Watched()
        told: list[Event] = []
        first = watched.manager.subscribe(told.append)
        watched.manager.subscribe(told.append)
        first()
        first()
        watched.manager.setWeight("web", "main", "a", 5)
        self.assertEqual(len(told), 1)

    def test_unsubscribeMeanwhile(self) -> None:
        """
        One that ends its subscription while it is told harms nobody.
        """
        watched = Watched()
        told: list[str] = []

        def once(event: Event) -> None:
            told.append(f"once {event.kind.value}")
            end()

        end = watched.manager.subscribe(once)
        watched.manager.subscribe(lambda event: told.append(event.kind.value))
        for weight in (5, 6):
            watched.manager.setWeight("web", "main", "a", weight)
        self.assertEqual(told, ["once host-weight", "host-weight", "host-weight"])

    def test_changeMeanwhile(self) -> None:
        """
        An observer may change something itself.
        """
        watched = Watched()

        def replace(event: Event) -> None:
            if event.kind is EventKind.HOST_DOWN:
                watched.manager.delHost(*event.key)

        watched.manager.subscribe(replace)
        attempt = watched.manager.getPool("web").dial().start()
        attempt.failed(REFUSED)  # type: ignore[union-attr]  # there are hosts to try
        self.assertEqual(
            [event.kind.value for event in watched.told],
            ["host-down", "host-removed", "host-gone"],
        )
        self.assertTrue(watched.agrees())
