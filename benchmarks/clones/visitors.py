"""
C{python -m benchmarks.clones.visitors}: clients in a process of their own, so that one kind does
not wait for another. L{Visitors} starts it.

  - C{connections HOST PORT RATE}: so many new connections a second, each with a small request. They
    come at their own rate, whether or not those before have been answered.
  - C{downloads HOST PORT COUNT SIZE RATE}: so many long answers at a time, of C{SIZE} bytes each,
    which take C{RATE} bytes a second together. Each byte is compared with what it is to be.

A line on its standard input asks for a line of JSON: what was done since the last one. It ends
with its standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import machine
from benchmarks.clones.content import part
from benchmarks.programs import PATIENCE, ProgramError, python
from benchmarks.traffic import PLAIN, WRITE, Events, Pace, RequestClient, askFor, bulkHead, connect

#: New connections that may be under way at once; those that would be more are left out.
MOST = 2000

#: Bytes of a long answer that are read at once.
PART = 1 << 16


class Connections:
    """
    New connections at a steady rate.
    """

    def __init__(self, events: Events, address: tuple[str, int], rate: float) -> None:
        self._events = events
        self._address = address
        # Those under way, and when the last answer came.
        self._open: set[RequestClient] = set()
        self._latencies: list[float] = []
        # When this was told last, the longest wait of clients that have come since, and the
        # longest time without an answer.
        self._since = 0.0
        self._fresh = 0.0
        self._silence = 0.0
        self._last = 0.0
        self._pace = Pace(rate, self._come)
        events.paces.append(self._pace)

    def _come(self) -> bool:
        if len(self._open) >= MOST:
            return False
        client = RequestClient(self._events, PLAIN, self._answered, self._failed)
        self._open.add(client)
        client.open(self._address)
        return True

    def _answered(self, client: RequestClient) -> None:
        now = self._pace.seconds()
        self._latencies.append(now - client.began)
        if client.began >= self._since:
            self._fresh = max(self._fresh, now - client.began)
        self._silence = max(self._silence, now - self._last)
        self._last = now
        client.close()
        self._open.discard(client)

    def _failed(self, client: RequestClient) -> None:
        self._open.discard(client)

    def take(self) -> dict[str, object]:
        """
        Tell what was done since the last call. C{silence} is the longest time without an answer;
        C{fresh} is the longest wait of the clients that have come since, those that still wait
        included.
        """
        now = self._pace.seconds()
        waiting = [now - each.began for each in self._open if each.began >= self._since]
        fresh = max(self._fresh, *waiting, 0.0)
        silence = max(self._silence, now - self._last)
        self._since = self._last = now
        self._fresh = self._silence = 0.0
        found, self._latencies = sorted(self._latencies), []
        left, self._pace.left = self._pace.left, 0
        return {
            "units": len(found),
            "left": left,
            "p50": found[len(found) // 2] if found else 0.0,
            "p99": found[len(found) * 99 // 100] if found else 0.0,
            "worst": found[-1] if found else 0.0,
            "fresh": fresh,
            "silence": silence,
        }


class Downloads:
    """
    Long answers, which take so many bytes a second together.
    """

    def __init__(
        self, events: Events, address: tuple[str, int], count: int, size: int, rate: float
    ) -> None:
        self.events = events
        self.address = address
        self.size = size
        self.complete = 0
        self._streams = [Download(self) for _ in range(count)]
        self._next = 0
        events.paces.append(Pace(rate / PART, self._read))

    def _read(self) -> bool:
        self._next = (self._next + 1) % len(self._streams)
        return self._streams[self._next].read()

    def take(self) -> dict[str, object]:
        """
        Tell how many have come whole since the last call.
        """
        complete, self.complete = self.complete, 0
        return {"units": complete}


class Download:
    """
    One of them; when it has come whole it is followed by the next.
    """

    def __init__(self, owner: Downloads) -> None:
        self._owner = owner
        self._begin()

    def _begin(self) -> None:
        self._head = bulkHead(self._owner.size)
        self._missing = len(self._head) + self._owner.size
        self._isOpen = False
        self._sock = connect(self._owner.address)
        self._owner.events.watch(self._sock, self._connected, WRITE)

    def _connected(self, _event: int) -> None:
        # What it takes is read at its pace.
        self._owner.events.change(self._sock, 0)
        try:
            self._sock.send(askFor(self._owner.size))
            self._isOpen = True
        except OSError as problem:
            self._fail(f"connecting: {problem.strerror}")

    def read(self) -> bool:
        """
        Read the next part.

        @return: whether there was one.
        """
        if not self._isOpen:
            return False
        try:
            data = self._sock.recv(min(PART, self._missing))
        except BlockingIOError:
            return False
        except OSError as problem:
            self._fail(f"{self._missing} bytes before the end: {problem.strerror}")
            return False
        if not data:
            self._fail(f"the connection ended {self._missing} bytes before the end")
            return False
        wanted = self._wanted(len(data))
        self._missing -= len(data)
        if data != wanted:
            self._fail("other bytes than those of the answer")
            return False
        if not self._missing:
            self._owner.complete += 1
            self._owner.events.forget(self._sock)
            self._begin()
        return True

    def _wanted(self, count: int) -> bytes:
        """
        Tell the bytes that are to come next.
        """
        came = len(self._head) + self._owner.size - self._missing
        head = self._head[came : came + count]
        begin = max(0, came - len(self._head))
        return head + part(begin, count - len(head))

    def _fail(self, what: str) -> None:
        self._owner.events.trouble.happened(f"download: {what}")
        self._owner.events.forget(self._sock)
        self._begin()


class Visitors:
    """
    Clients in a process of their own.

    @param what: the arguments of this module.
    """

    def __init__(self, *what: object) -> None:
        self._process = subprocess.Popen(
            python("-m", "benchmarks.clones.visitors", *map(str, what)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def take(self) -> dict[str, Any]:
        """
        Ask what was done since the last time. C{trouble} has a line for each kind of error.

        @raise ProgramError: the process has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ProgramError("the process of the clients has no pipes")
        try:
            stdin.write("\n")
            stdin.flush()
            found: dict[str, Any] = json.loads(stdout.readline())
        except (OSError, ValueError) as problem:
            raise ProgramError(f"the process of the clients has ended: {problem}") from None
        return found

    def stop(self) -> None:
        """
        End it.
        """
        try:
            self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


class _Asking:
    """
    Tells what was done, if the standard input asks.
    """

    def __init__(self, events: Events, take: Callable[[], dict[str, object]]) -> None:
        self._events = events
        self._take = take
        self.isOpen = True

    def fileno(self) -> int:
        """
        Return the descriptor of the standard input.
        """
        return 0

    def asked(self, _event: int) -> None:
        """
        Answer, or note that this is the end.
        """
        data = os.read(0, 1024)
        if not data:
            self.isOpen = False
        for _ in range(data.count(b"\n")):
            print(json.dumps({**self._take(), "trouble": self._events.trouble.take()}), flush=True)


def main(arguments: list[str]) -> int:
    """
    Let them come until the standard input ends.

    @return: the exit status.
    """
    machine.raiseDescriptorLimit()
    events = Events()
    kind, host, port, *numbers = arguments
    address = (host, int(port))
    visitors: Connections | Downloads
    if kind == "connections":
        visitors = Connections(events, address, float(numbers[0]))
    else:
        count, size, rate = numbers
        visitors = Downloads(events, address, int(count), int(size), float(rate))
    asking: Any = _Asking(events, visitors.take)
    events.watch(asking, asking.asked)
    while asking.isOpen:
        events.turn()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
