"""
What a balancer and its successor say to each other during an upgrade.

A message is one datagram of a C{SOCK_SEQPACKET} socket: a JSON list of its kind and its fields.
Descriptors come with it (C{SCM_RIGHTS}). Both processes speak the same version of the protocol:
another one is refused before anything is touched. The fields of all records are those of the
classes here, and the version is raised with each change of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

#: The version of this protocol.
UPGRADE_VERSION = 2

#: The most bytes of a message. A socket of the default size takes about 212,000.
MAX_UPGRADE_MESSAGE = 200_000

#: The most descriptors of a message (C{SCM_MAX_FD} of Linux).
MAX_UPGRADE_DESCRIPTORS = 253

# The flags of an end.

#: It has finished sending, and its FIN was read.
ENDED = 1
#: It has been told that its peer has finished sending.
TOLD = 2
#: There may be bytes that were not read yet, because its peer took no more.
READABLE = 4
#: It is read until nothing is left, because the end of its bytes or an urgent byte has come.
LAST = 8
#: An urgent byte has come.
URGENT = 16
#: Its bytes are moved as bulk.
BULK = 32
#: The system reports it only when much has come (C{SO_RCVLOWAT}).
BATCHED = 64
#: Its socket has failed. What it had sent is delivered, then its peer is reset.
FAILED = 128


class UpgradeError(ValueError):
    """
    A message of the other process can't be understood.
    """


class EndState(NamedTuple):
    """
    One end of a connection.

    @ivar flags: the sum of the flags above.
    @ivar burst: bytes that have gone through pipes since it began to send much.
    @ivar piped: bytes of it that are in a pipe; the pipe's two descriptors follow those of the
        connection then, the one to read from first.
    @ivar heldAt: the place in the held bytes of those that its peer has not taken.
    @ivar held: their number.
    """

    flags: int = 0
    burst: int = 0
    piped: int = 0
    heldAt: int = 0
    held: int = 0


class HostName(NamedTuple):
    """
    The host of connections.

    @ivar address: is written for people; a host that the successor does not have gets it.
    @ivar began: the time at which it was added, which tells hosts of one name apart.
    """

    service: str
    group: str
    host: str
    address: str
    began: float


class MovedConnection(NamedTuple):
    """
    A connection that has a host. The descriptors of the client's and of the host's socket come
    with it, then those of pipes. Times are those of C{CLOCK_MONOTONIC}, in seconds.

    @ivar number: names it in L{ChangedConnection} and L{Gone}.
    @ivar host: the index of its host in the message.
    @ivar clientAddr: the client's address as policies and logs know it: a pair, or a text.
    @ivar began: the start of the search for its host.
    @ivar connectTime: seconds of the search.
    @ivar tried: the names of the hosts that were tried.
    @ivar since: the beginning of its lease.
    @ivar bytesIn: bytes from the client to the host so far.
    @ivar bytesOut: bytes from the host to the client so far.
    @ivar hostFirst: whether the host has finished or reset first.
    @ivar lastMoved: when bytes were moved last.
    @ivar freeIn: bytes to the host that are still to be written and are not the client's.
    @ivar freeOut: bytes to the client, likewise.
    @ivar client: the client's end.
    @ivar hostEnd: the host's end.
    @ivar clientIsUNIX: whether the client has come through a UNIX socket.
    """

    number: int
    host: int
    clientAddr: Any
    began: float
    connectTime: float | None
    tried: Sequence[str]
    since: float
    bytesIn: int
    bytesOut: int
    hostFirst: bool
    lastMoved: float
    freeIn: int
    freeOut: int
    client: EndState
    hostEnd: EndState
    clientIsUNIX: bool


class ChangedConnection(NamedTuple):
    """
    What has changed of a connection since it was copied. Only descriptors of pipes come with
    it. The fields are those of L{MovedConnection}.
    """

    number: int
    bytesIn: int
    bytesOut: int
    hostFirst: bool
    lastMoved: float
    freeIn: int
    freeOut: int
    client: EndState
    hostEnd: EndState


class WaitingClient(NamedTuple):
    """
    A client that has no host yet: it waits in a queue, or a host is being connected to. The
    descriptor of its socket comes with it. Clients come in the order in which they began. The
    fields are those of L{MovedConnection}, and these:

    @ivar waitsUntil: the end of its wait in the queue; L{None} if a host is being connected to,
        so that the search goes on.
    @ivar header: the place and the number of the held bytes that go to the host before TLS and
        everything else.
    @ivar toHost: those that go to the host before the client's own, likewise.
    @ivar toClient: those that go to the client first, likewise.
    """

    service: str
    group: str
    clientAddr: Any
    clientIsUNIX: bool
    began: float
    tried: Sequence[str]
    waitsUntil: float | None
    header: Sequence[int]
    toHost: Sequence[int]
    toClient: Sequence[int]


#: All records, with the names of their fields.
UPGRADE_RECORDS: Mapping[str, tuple[str, ...]] = {
    record.__name__: record._fields
    for record in (EndState, HostName, MovedConnection, ChangedConnection, WaitingClient)
}


@dataclass(frozen=True, slots=True)
class Offer:
    """
    The predecessor introduces itself to the successor that it has started. The descriptors of
    its standard error, of listening sockets and of sockets from systemd come with it.

    @ivar version: the protocol that it speaks.
    @ivar listeners: pairs of an address, as it is configured, and of how many sockets listen
        there.
    @ivar inherited: the names of the sockets from systemd.
    @ivar pidFile: the absolute path of its pid file; empty for none.
    @ivar more: whether another offer follows, as there are more descriptors.
    @ivar changes: whether the second descriptor is of a file with the live changes that were not
        saved, as JSON.
    """

    version: int
    listeners: Sequence[Sequence[Any]] = ()
    inherited: Sequence[str] = ()
    pidFile: str = ""
    more: bool = False
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """
    The successor has read its configuration, and could serve.

    @ivar version: the protocol that it speaks.
    @ivar services: the names of its services.
    @ivar listeners: the addresses whose listening sockets it uses. The predecessor closes the
        other ones.
    """

    version: int
    services: Sequence[str] = ()
    listeners: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Declined:
    """
    The successor can't serve, and ends.

    @ivar reason: why, for people.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """
    The state of the predecessor besides its connections: the descriptor of a file with one JSON
    object comes with it.

    @ivar ahead: whether it is a piece of the state while the predecessor serves. Otherwise it
        is what has changed since.
    """

    ahead: bool = True


@dataclass(frozen=True, slots=True)
class Copies:
    """
    Connections, with their descriptors, that the predecessor still serves.

    @ivar hosts: each a L{HostName}.
    @ivar connections: each a L{MovedConnection}.
    """

    hosts: Sequence[Any] = ()
    connections: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """
    Connections that were copied have ended.

    @ivar numbers: their numbers.
    """

    numbers: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class AllCopied:
    """
    All connections were copied. The successor answers with L{Prepared}.
    """


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    The successor has read everything so far.
    """


@dataclass(frozen=True, slots=True)
class Frozen:
    """
    From here on the predecessor serves nothing. The descriptor of the file for held bytes comes
    with it; the file grows.
    """


@dataclass(frozen=True, slots=True)
class Moves:
    """
    Connections, complete in themselves. Descriptors are those of C{connections}, then of
    C{changes}, then of C{waiting}.

    @ivar hosts: each a L{HostName}.
    @ivar connections: each a L{MovedConnection}.
    @ivar changes: each a L{ChangedConnection}.
    @ivar waiting: each a L{WaitingClient}.
    """

    hosts: Sequence[Any] = ()
    connections: Sequence[Any] = ()
    changes: Sequence[Any] = ()
    waiting: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class AllChanged:
    """
    What has changed of connections that were copied has come. The other copies are as their
    connections are: before this message the successor can't know that.
    """


@dataclass(frozen=True, slots=True)
class AllMoved:
    """
    The successor has everything.

    @ivar connections: how many connections and clients it has by now.
    """

    connections: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """
    The successor serves. This is the commit.
    """


@dataclass(frozen=True, slots=True)
class Aborted:
    """
    The predecessor goes on, and the successor has to end.

    @ivar reason: why, for people.
    """

    reason: str = ""


UpgradeMessage = (
    Offer
    | Ready
    | Declined
    | Kept
    | Copies
    | Gone
    | AllCopied
    | Prepared
    | Frozen
    | Moves
    | AllChanged
    | AllMoved
    | Started
    | Aborted
)

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Offer,
        Ready,
        Declined,
        Kept,
        Copies,
        Gone,
        AllCopied,
        Prepared,
        Frozen,
        Moves,
        AllChanged,
        AllMoved,
        Started,
        Aborted,
    )
}

#: The messages that processes of different versions exchange. Unknown fields are ignored.
_OPENING = frozenset({Offer, Ready, Declined})

#: The records in the fields of messages.
_RECORDS: dict[str, type[Any]] = {
    "hosts": HostName,
    "connections": MovedConnection,
    "changes": ChangedConnection,
    "waiting": WaitingClient,
}

#: The places of ends in them.
_ENDS: dict[type[Any], tuple[int, ...]] = {
    record: tuple(record._fields.index(name) for name in ("client", "hostEnd"))
    for record in (MovedConnection, ChangedConnection)
}

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False).encode


def encodeUpgrade(message: UpgradeMessage) -> bytes:
    """
    Write a message.

    @raise UpgradeError: it is longer than L{MAX_UPGRADE_MESSAGE}.
    """
    told = {each.name: getattr(message, each.name) for each in fields(message)}
    data = _encode([type(message).__name__, told]).encode("ascii")
    if len(data) > MAX_UPGRADE_MESSAGE:
        raise UpgradeError(f"a message has {len(data)} bytes, more than {MAX_UPGRADE_MESSAGE}")
    return data


def decodeUpgrade(data: bytes) -> UpgradeMessage:
    """
    Read a message.

    @raise UpgradeError: it is none of this version.
    """
    try:
        name, told = json.loads(data)
        kind = _KINDS[name]
        if kind in _OPENING:
            # The version decides, and it may say more.
            told = {each.name: told[each.name] for each in fields(kind) if each.name in told}
        for field, record in _RECORDS.items():
            if isinstance(told.get(field), list):
                told[field] = [_recordOf(record, each) for each in told[field]]
        message: UpgradeMessage = kind(**told)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as problem:
        raise UpgradeError(f"a message that can't be read ({problem}): {data[:40]!r}") from None
    return message


def _recordOf(record: type[Any], values: Any) -> Any:
    if record in _ENDS:
        values = list(values)
        for place in _ENDS[record]:
            values[place] = EndState(*values[place])
    return record(*values)


def upgradeRefusal(version: int) -> str:
    """
    Say why the other process is refused.

    @param version: of the protocol that it speaks.
    @return: an empty text if it is not.
    """
    if version == UPGRADE_VERSION:
        return ""
    return (
        f"the successor speaks version {version} of the protocol of upgrades, and this process "
        f"version {UPGRADE_VERSION}, so that connections can't move; stop the process and start "
        "the other release"
    )
