"""
Records of connections on their way into one message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from txlb.proxy import MovingConnection
from txlb.wire import (
    MAX_UPGRADE_DESCRIPTORS,
    ChangedConnection,
    Copies,
    EndState,
    HostName,
    MovedConnection,
    Moves,
    WaitingClient,
)

#: Characters of names in a message, about. With its numbers it stays below what a socket takes.
MOST_TEXT = 60_000

#: Keeps bytes, and returns their place.
Hold = Callable[[bytes], int]


class Batch:
    """
    Records that are sent together, with their descriptors.

    @param send: sends it, before it would be too large for one more record.
    """

    def __init__(self, send: Callable[[Batch], object]) -> None:
        self._send = send
        self._clear()

    def _clear(self) -> None:
        self._hosts: dict[HostName, int] = {}
        self._connections: list[MovedConnection] = []
        self._changes: list[ChangedConnection] = []
        self._waiting: list[WaitingClient] = []
        self._descriptors: tuple[list[int], list[int], list[int]] = ([], [], [])
        self._text = self._count = 0

    def __len__(self) -> int:
        """
        Count the records.
        """
        return len(self._connections) + len(self._changes) + len(self._waiting)

    @property
    def copies(self) -> Copies:
        """
        The message with connections that the predecessor still serves.
        """
        return Copies(list(self._hosts), self._connections)

    @property
    def moves(self) -> Moves:
        """
        The message with connections that it does not serve any more.
        """
        return Moves(list(self._hosts), self._connections, self._changes, self._waiting)

    @property
    def descriptors(self) -> list[int]:
        """
        The descriptors of the message.
        """
        return [number for part in self._descriptors for number in part]

    def flush(self) -> None:
        """
        Send the records, if there are any.
        """
        if len(self):
            self._send(self)
            self._clear()

    def _room(self, part: int, descriptors: Sequence[int], text: int = 0) -> None:
        """
        Take the descriptors of a record that is added next.

        @param text: characters of its names.
        """
        if (
            self._count + len(descriptors) > MAX_UPGRADE_DESCRIPTORS
            or self._text + text > MOST_TEXT
        ):
            self.flush()
        self._descriptors[part].extend(descriptors)
        self._count += len(descriptors)
        self._text += text

    def connection(
        self,
        service: str,
        connection: MovingConnection,
        number: int,
        hold: Hold | None = None,
    ) -> None:
        """
        Add a connection that has a host.

        @param hold: keeps the bytes that it holds; L{None} if the predecessor goes on with them.
        """
        dial, lease = connection.dial, connection.lease
        host = lease.host
        name = HostName(
            service, dial.pool.group, host.name, str(host.configured.address), host.began
        )
        tried = dial.tried
        client, hostEnd, pipes = connection.states(_nothing if hold is None else hold)
        if hold is None:
            client, hostEnd, pipes = _without(client), _without(hostEnd), ()
        self._room(
            0,
            (*connection.descriptors, *pipes),
            sum(map(len, name[:4])) + sum(map(len, tried)) + 300,
        )
        index = self._hosts.setdefault(name, len(self._hosts))
        freeIn, freeOut = connection.free
        self._connections.append(
            MovedConnection(
                number,
                index,
                dial.clientAddr,
                dial.began,
                dial.connectTime,
                tried,
                lease.since,
                lease.bytesIn,
                lease.bytesOut,
                lease.hostFirst,
                connection.lastMoved,
                freeIn,
                freeOut,
                client,
                hostEnd,
                connection.clientIsUNIX,
            )
        )

    def change(self, connection: MovingConnection, number: int, hold: Hold) -> None:
        """
        Add what has changed of a connection that was copied.
        """
        client, hostEnd, pipes = connection.states(hold)
        self._room(1, pipes, 150)
        lease = connection.lease
        self._changes.append(
            ChangedConnection(
                number,
                lease.bytesIn,
                lease.bytesOut,
                lease.hostFirst,
                connection.lastMoved,
                *connection.free,
                client,
                hostEnd,
            )
        )

    def client(self, service: str, connection: MovingConnection, hold: Hold) -> None:
        """
        Add a client that has no host.
        """
        dial = connection.dial
        group, tried = dial.pool.group, dial.failedHosts
        text = len(service) + len(group) + sum(map(len, tried)) + 200
        self._room(2, connection.descriptors, text)
        held = [(hold(data), len(data)) for data in (connection.header, *connection.firstBytes)]
        self._waiting.append(
            WaitingClient(
                service,
                group,
                dial.clientAddr,
                connection.clientIsUNIX,
                dial.began,
                tried,
                dial.waitsUntil,
                *held,
            )
        )


def _nothing(_data: bytes) -> int:
    return 0


def _without(end: EndState) -> EndState:
    """
    Return the state of an end without the bytes that it holds.
    """
    return EndState(end.flags, end.burst)
