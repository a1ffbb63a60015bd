"""
All streams of events.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any

from txlb.admin._history import History
from txlb.admin._rows import numberedRows
from txlb.admin._work import RationedWork
from txlb.admin.login import sourceOf
from txlb.admin.web._eventstream import EventStream, eventText
from txlb.admin.web._problem import Refusal
from txlb.admin.web._reply import encoded
from txlb.admin.web._session import Session
from txlb.admin.web._updates import Updates
from txlb.deadlines import Deadline, Deadlines

#: Streams at a time: of all clients, of one source, of one session.
MOST = 64
MOST_OF_SOURCE = 32
MOST_OF_SESSION = 8

#: Seconds between two signs of life.
ALIVE = 15.0

#: Seconds in which events that come are collected before they are sent.
COLLECT = 0.05

#: Seconds between two updates at least.
APART = 1.0

#: Events that are encoded in one turn.
IN_TURN = 50

#: Events whose text is kept, as many as L{History} keeps.
KEPT = 1000


class Streams:
    """
    The streams of events. Each event and each update is encoded once for all of them. Owned by
    a L{txlb.admin.web._console.Console}.

    @param history: the events.
    @param refresh: seconds between two updates.
    """

    def __init__(
        self, history: History, deadlines: Deadlines, manager: Any, refresh: float
    ) -> None:
        self.process = secrets.token_hex(4)
        self._history = history
        self._deadlines = deadlines
        self._refresh = refresh
        self._streams: dict[EventStream, tuple[str, Session | None]] = {}
        self._texts: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._unwatch: Any = None
        self._work: RationedWork | None = None
        self._calls: dict[str, Deadline] = {}
        self._updates = Updates(manager, self._updated)
        self._updatedAt = -APART

    def __len__(self) -> int:
        """
        Return their number.
        """
        return len(self._streams)

    @property
    def last(self) -> str:
        """
        The identifier of the last event.
        """
        return f"{self.process}-{self._history.last}"

    def add(self, request: Any, session: Session | None, work: RationedWork) -> None:
        """
        Answer a request with a stream. It begins after the event that C{Last-Event-ID} names, or
        with the next one.

        @param session: the session that it belongs to; L{None} for a program.
        @param work: makes updates.
        @raise Refusal: there are too many.
        """
        source = sourceOf(request.client)
        self._checkBounds(source, session)
        after, isKnown = self._after(request)
        stream = EventStream(self, request, after)
        self._streams[stream] = source, session
        if session is not None:
            session.streams.add(stream)
        hello = {"last": self.last, "refresh": self._refresh}
        text = b"retry: 2000\n" + eventText("hello", hello)
        if not isKnown:
            text += eventText("gap", {"of": "events", "after": None, "first": after + 1})
        more = self._encodeNew()
        stream.start(text)
        self._watch(work)
        if more:
            self._collect()

    def _checkBounds(self, source: str, session: Session | None) -> None:
        ofSource = sum(each == source for each, _ in self._streams.values())
        ofSession = 0 if session is None else len(session.streams)
        if len(self._streams) >= MOST or ofSource >= MOST_OF_SOURCE or ofSession >= MOST_OF_SESSION:
            raise Refusal(
                503, "too many streams of events are open; close a page", {"Retry-After": "10"}
            )

    def _after(self, request: Any) -> tuple[int, bool]:
        """
        Return the number of the event after which a stream begins, and whether the event that
        the client names is known.
        """
        values = request.requestHeaders.getRawHeaders(b"last-event-id") or request.args.get(
            b"lastEventId"
        )
        if not values or not values[0]:
            return self._history.last, True
        process, _, number = values[0].decode("latin-1").partition("-")
        known = process == self.process and number.isdecimal() and len(number) < 16
        if known and int(number) <= self._history.last:
            return int(number), True
        # It is one of a former process. The client has to look at everything anew.
        return self._history.last, False

    # For streams

    def since(self, number: int) -> tuple[int, list[tuple[int, bytes]]]:
        """
        Return the number of the first event that is kept, and the events after one.
        """
        texts = self._texts
        first = texts[0][0] if texts else self._history.last + 1
        if texts and number >= texts[-1][0]:
            return first, []
        return first, [each for each in texts if each[0] > number]

    def gone(self, stream: EventStream) -> None:
        """
        Forget a stream.
        """
        found = self._streams.pop(stream, None)
        if found is not None and found[1] is not None and stream in found[1].streams:
            found[1].streams.discard(stream)
            found[1].used = self._deadlines.seconds()
        if not self._streams:
            self._rest()

    def soon(self, stream: EventStream) -> None:
        """
        Let a stream go on in a later turn.
        """
        self._deadlines.after(0.001, stream.send)

    # Work

    def _watch(self, work: RationedWork) -> None:
        if self._unwatch is None:
            self._tellNext()
            self._every("alive", ALIVE, self._alive)
            self._every("update", self._refresh, lambda: self._update(work))
            self._work = work
            self._update(work)

    def _every(self, name: str, seconds: float, action: Any) -> None:
        def again() -> None:
            self._calls[name] = self._deadlines.after(seconds, again)
            action()

        self._calls[name] = self._deadlines.after(seconds, again)

    def _update(self, work: RationedWork) -> None:
        self._updatedAt = self._deadlines.seconds()
        work.add(self._updates)

    def _updateSoon(self) -> None:
        """
        Make an update, as something has happened that no page shows yet. One that is under way
        may have passed it by already.
        """
        work = self._work
        if work is None or "soon" in self._calls:
            return
        passed = self._deadlines.seconds() - self._updatedAt
        self._calls["soon"] = self._deadlines.after(max(APART - passed, 0.0), self._updateNow)

    def _updateNow(self) -> None:
        self._calls.pop("soon", None)
        work = self._work
        if self._updates.isUnderWay:
            self._updatedAt = self._deadlines.seconds()
            self._updateSoon()
        elif work is not None:
            self._update(work)

    def _rest(self) -> None:
        """
        Do nothing while there are no streams.
        """
        for each in self._calls.values():
            each.cancel()
        self._calls.clear()
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        self._updates.forget()

    def stop(self) -> None:
        """
        End all streams.
        """
        for stream in tuple(self._streams):
            stream.end()
        self._rest()

    def _tellNext(self) -> None:
        self._unwatch = self._history.tellNext(self._collect)

    def _collect(self) -> None:
        # Events come while a change is made. They are sent together, after it.
        if "collect" not in self._calls:
            self._calls["collect"] = self._deadlines.after(COLLECT, self._send)

    def _send(self) -> None:
        self._calls.pop("collect", None)
        more = self._encodeNew()
        for stream in tuple(self._streams):
            stream.send()
        if not self._streams:
            return
        if more:
            self._collect()
        else:
            self._tellNext()
            self._updateSoon()

    def _encodeNew(self) -> bool:
        """
        Encode the events that are new, some at a time.

        @return: whether there are more.
        """
        last = self._texts[-1][0] if self._texts else 0
        new = self._history.since(last)
        if new and new[0][0] != last + 1:
            # Those between were not kept while there were no streams.
            self._texts.clear()
        for row in numberedRows(new[:IN_TURN]):
            number = int(str(row["number"]))
            identifier = f"{self.process}-{number}".encode("ascii")
            text = b"id: %b\nevent: event\ndata: %b\n\n" % (identifier, encoded(row))
            self._texts.append((number, text))
        return len(new) > IN_TURN

    def _alive(self) -> None:
        for stream in tuple(self._streams):
            stream.tell(b": alive\n\n")

    def _updated(self, pieces: list[bytes]) -> None:
        for stream in tuple(self._streams):
            stream.update(pieces)
