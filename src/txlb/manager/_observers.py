"""
The events of a balancer, their authors and their observers.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import replace

from txlb.errors import ModelError
from txlb.pool import Event

Observer = Callable[[Event], None]

#: The number of events that are kept.
HISTORY = 100

#: The longest name of an author, in characters.
MAX_LENGTH = 255

# It is not one for each manager: all changes by one line of the prompt have the same
# author. A context variable, because a coroutine that was started in the line takes it
# along. It is empty for the balancer itself.
_by: ContextVar[str] = ContextVar("txlb.manager.by", default="")


@contextlib.contextmanager
def actingBy(who: str) -> Iterator[None]:
    """
    Name the author of changes within a C{with} statement: see
    L{txlb.manager.ProxyManager.by}.
    """
    if not 0 < len(who) <= MAX_LENGTH or not who.isprintable():
        raise ModelError(
            f"{who[:MAX_LENGTH]!r} can't be the author of a change; a name has 1 to "
            f"{MAX_LENGTH} printable characters"
        )
    token = _by.set(who)
    try:
        yield
    finally:
        _by.reset(token)


def actor() -> str:
    """
    Return the author of changes that are made now; an empty text for the balancer itself.
    """
    return _by.get()


class Observers:
    """
    Passes events on to observers, and keeps the last ones. Owned by the manager.

    While a change is made its events are collected, so that an observer sees them
    after the change is complete, and not in the middle of it.

    @ivar onError: is called with the exception that an observer raised; L{None} to
        drop it.
    """

    def __init__(self) -> None:
        self.onError: Callable[[Exception], object] | None = None
        self._observers: dict[object, Observer] = {}
        self._batch: list[Event] | None = None
        self._history: deque[Event] = deque(maxlen=HISTORY)

    @property
    def history(self) -> tuple[Event, ...]:
        """
        The last hundred events, the oldest first.
        """
        return tuple(self._history)

    def restore(self, events: Iterable[Event]) -> None:
        """
        Have these as the last events.
        """
        self._history.clear()
        self._history.extend(events)

    def forget(self) -> None:
        """
        Forget the events so far.
        """
        self._history.clear()

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """
        Pass every event on to an observer from now on.

        @return: a callable that ends it.
        """
        subscription = object()
        self._observers[subscription] = observer

        def unsubscribe() -> None:
            self._observers.pop(subscription, None)

        return unsubscribe

    @contextlib.contextmanager
    def together(self) -> Iterator[list[Event]]:
        """
        Collect the events within a C{with} statement in a list, and pass them on at its
        end, so that observers see a change that is complete. If the statement raises,
        the events are dropped.
        """
        batch: list[Event] = []
        self._batch = batch
        try:
            yield batch
        finally:
            self._batch = None
        for event in batch:
            self._deliver(event)

    def publish(self, event: Event) -> bool:
        """
        Pass on an event with the name of its author, or collect it.

        @return: whether it was passed on.
        """
        by = _by.get()
        if by:
            event = replace(event, by=by)
        if self._batch is not None:
            self._batch.append(event)
            return False
        self._deliver(event)
        return True

    def _deliver(self, event: Event) -> None:
        self._history.append(event)
        for observer in tuple(self._observers.values()):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - an observer can't undo the event
                self.failed(error)

    def failed(self, error: Exception) -> None:
        """
        Report an exception that came too late to stop a change.
        """
        if self.onError is not None:
            self.onError(error)
