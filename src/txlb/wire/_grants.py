"""
What the manager of an application's clones and its clones say to each other.

A message is one datagram of a C{SOCK_SEQPACKET} socket: a byte for its kind, and a body.
The messages of each connection (permits and counts) are packed, as there are thousands
a second; the ones of a process's life are JSON. Nothing depends on the order of fields in
JSON, and unknown fields are ignored, so that a newer release may say more.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from struct import Struct, error
from typing import Any

#: The version of this protocol. A manager refuses clones of another one.
GRANTS_VERSION = 1

#: The most bytes of a message. A process may have 256 listeners, whose names are long; and what was
#: read of a connection may be a PROXY header and a ClientHello.
MAX_GRANTS_MESSAGE = 40960

#: The most bytes of a connection that are passed with it.
MAX_FIRST = MAX_GRANTS_MESSAGE - 512

#: Listeners of one application: their number is one byte.
MAX_LISTENERS = 256

#: Connections that one permit allows: a number of two bytes.
MAX_GRANT = 0xFFFF


class GrantsError(ValueError):
    """
    A message of the other process can't be understood.
    """


@dataclass(frozen=True, slots=True)
class Hello:
    """
    A process introduces itself to the manager.

    @ivar version: the protocol that it speaks, see L{GRANTS_VERSION}.
    @ivar slot: its place among the clones, 0 or more; -1 if it wants one.
    @ivar generation: the release of the application that it runs, 0 or more.
    @ivar heir: whether it is to become the manager, and serves no clients.
    @ivar draining: whether it accepts nothing more.
    @ivar listeners: the names of the sockets that it shares, in their order.
    @ivar active: its connections on each of them.
    @ivar needsSockets: whether the manager is to send it the listening sockets.
    @ivar spawned: whether a manager has started it, and may find that it is one too many.
    @ivar kept: what a manager has given it to keep, see L{Keep}.
    """

    version: int
    slot: int
    generation: int
    heir: bool = False
    draining: bool = False
    listeners: tuple[str, ...] = ()
    active: tuple[int, ...] = ()
    needsSockets: bool = False
    spawned: bool = False
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """
    The manager takes a process in.

    @ivar version: the protocol that the manager speaks.
    @ivar slot: the place of the clone.
    @ivar generation: the release of the application that the manager starts clones with.
    @ivar listeners: the names of the sockets that follow as descriptors, if it asked for them.
    @ivar passed: the numbers of the listeners whose connections the manager accepts and
        passes. A semaphore for each of them follows as a descriptor.
    """

    version: int
    slot: int
    generation: int
    listeners: tuple[str, ...] = ()
    passed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The manager does not take a process in.

    @ivar reason: why, for people.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    """
    A permit to accept connections.

    @ivar listener: the number of the listening socket.
    @ivar count: how many connections, 0 to L{MAX_GRANT}; 0 tells that the connections in
        the queue wait on purpose, as no clone has room.
    """

    listener: int
    count: int


@dataclass(frozen=True, slots=True)
class Passed:
    """
    A connection that the manager has accepted. Its descriptor comes with the message.

    @ivar listener: the number of the listening socket.
    @ivar client: the address and port of the client, if it is not the one at the other end of the
        connection: a proxy has told it.
    @ivar server: the address and port that the client has connected to, likewise.
    @ivar first: what was read of the connection. It comes before what is still to be read.
    """

    listener: int
    client: tuple[str, int] | None = None
    server: tuple[str, int] | None = None
    first: bytes = b""


@dataclass(frozen=True, slots=True)
class Back:
    """
    A clone could not take a connection that it was passed. It is the manager's again.

    @ivar listener: the number of the listening socket.
    @ivar number: how many permits and connections the clone had used before it, modulo
        2**64.
    """

    listener: int
    number: int


@dataclass(frozen=True, slots=True)
class Status:
    """
    What a clone has on one listening socket. The figures are absolute, so that a lost or
    late one does no harm.

    @ivar listener: the number of the listening socket.
    @ivar used: permits that it has used since its L{Hello}, modulo 2**64.
    @ivar active: its connections now.
    """

    listener: int
    used: int
    active: int


@dataclass(frozen=True, slots=True)
class Ping:
    """
    The manager asks whether a clone is alive.

    @ivar number: comes back in the L{Pong}, modulo 2**64.
    """

    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """
    A clone's answer to a L{Ping}.

    @ivar number: that of the L{Ping}.
    @ivar lag: the longest time that its reactor was held since the last one, in microseconds.
    @ivar memory: its resident memory in KiB.
    """

    number: int
    lag: int
    memory: int


@dataclass(frozen=True, slots=True)
class Drain:
    """
    A clone is to accept nothing more, to finish what it has, and to end.
    """


@dataclass(frozen=True, slots=True)
class Quit:
    """
    The application stops: like L{Drain}, and no clone becomes the manager.
    """


@dataclass(frozen=True, slots=True)
class Keep:
    """
    What the next manager is to know, which the clones keep for it.

    @ivar text: replaces what was kept before.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Take:
    """
    The heir is to become the manager now.
    """


@dataclass(frozen=True, slots=True)
class Bye:
    """
    A clone is about to end, and wants no permits.
    """


Message = (
    Hello
    | Welcome
    | Refused
    | Grant
    | Passed
    | Back
    | Status
    | Ping
    | Pong
    | Drain
    | Quit
    | Keep
    | Take
    | Bye
)

_PACKED: dict[type[Any], tuple[bytes, Struct]] = {
    Grant: (b"G", Struct("!BH")),
    Back: (b"b", Struct("!BQ")),
    Status: (b"S", Struct("!BQI")),
    Ping: (b"P", Struct("!Q")),
    Pong: (b"p", Struct("!QII")),
}
#: The kind of L{Passed}, and its beginning: the number of the listener and the length of the JSON
#: of the addresses. The first bytes follow.
_PASSED = b"F"
_PASSED_HEAD = Struct("!BB")

_JSON: dict[type[Any], bytes] = {Hello: b"H", Welcome: b"W", Refused: b"R", Keep: b"K"}
_BARE: dict[type[Any], bytes] = {Drain: b"D", Quit: b"Q", Take: b"T", Bye: b"B"}


def encodeGrants(message: Message) -> bytes:
    """
    Write a message.

    @raise GrantsError: it is longer than L{MAX_GRANTS_MESSAGE}.
    """
    kind = type(message)
    if kind in _PACKED:
        letter, form = _PACKED[kind]
        return letter + form.pack(*(getattr(message, each.name) for each in fields(message)))
    if kind in _BARE:
        return _BARE[kind]
    data = _encodePassed(message) if isinstance(message, Passed) else _encodeJSON(message)
    if len(data) > MAX_GRANTS_MESSAGE:
        raise GrantsError(f"a message has {len(data)} bytes, more than {MAX_GRANTS_MESSAGE}")
    return data


def _encodePassed(message: Passed) -> bytes:
    told = b""
    if message.client or message.server:
        told = json.dumps([message.client, message.server], separators=(",", ":")).encode()
    return _PASSED + _PASSED_HEAD.pack(message.listener, len(told)) + told + message.first


def _encodeJSON(message: Message) -> bytes:
    return _JSON[type(message)] + json.dumps(asdict(message)).encode()


def decodeGrants(data: bytes) -> Message:
    """
    Read a message.

    @raise GrantsError: it is none.
    """
    reader = _READERS.get(data[:1])
    if reader is None or len(data) > MAX_GRANTS_MESSAGE:
        raise GrantsError(f"an unknown message of {len(data)} bytes: {data[:20]!r}")
    return reader(data)


def _packed(kind: type[Any], form: Struct) -> Callable[[bytes], Message]:
    def read(data: bytes) -> Message:
        if len(data) != form.size + 1:
            raise GrantsError(f"a {kind.__name__} of {len(data)} bytes, not {form.size + 1}")
        message: Message = kind(*form.unpack_from(data, 1))
        return message

    return read


def _readPassed(data: bytes) -> Message:
    try:
        listener, size = _PASSED_HEAD.unpack_from(data, 1)
        start = 1 + _PASSED_HEAD.size
        told = data[start : start + size]
        client, server = json.loads(told) if size else (None, None)
        first = data[start + size :]
        return Passed(listener, _address(client), _address(server), first)
    except (ValueError, TypeError, error, RecursionError) as problem:
        raise GrantsError(f"a Passed that can't be read: {problem}") from None


def _address(value: Any) -> tuple[str, int] | None:
    if value is None:
        return None
    host, port = value
    return _is("host", host, str), _is("port", port, int)


def _bare(kind: type[Any]) -> Callable[[bytes], Message]:
    def read(data: bytes) -> Message:
        if len(data) != 1:
            raise GrantsError(f"a {kind.__name__} with a body")
        message: Message = kind()
        return message

    return read


def _json(kind: type[Any]) -> Callable[[bytes], Message]:
    def read(data: bytes) -> Message:
        try:
            found = json.loads(data[1:])
            known = {name: found[name] for name in kind.__slots__ if name in found}
            for name, value in known.items():
                known[name] = _checked(kind, name, value)
            message: Message = kind(**known)
        except (ValueError, TypeError, KeyError, RecursionError) as problem:
            raise GrantsError(f"a {kind.__name__} that can't be read: {problem}") from None
        return message

    return read


def _checked(kind: type[Any], name: str, value: Any) -> Any:
    wanted = kind.__annotations__[name]
    if wanted.startswith("tuple"):
        inner = str if "str" in wanted else int
        if not isinstance(value, list) or len(value) > MAX_LISTENERS:
            raise ValueError(f"{name} is no list of at most {MAX_LISTENERS}")
        return tuple(_is(name, each, inner) for each in value)
    return _is(name, value, {"int": int, "str": str, "bool": bool}[wanted])


def _is(name: str, value: Any, kind: type[Any]) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{name} is no {kind.__name__}: {value!r:.40}")
    return value


_READERS: dict[bytes, Callable[[bytes], Message]] = {
    _PASSED: _readPassed,
    **{letter: _packed(kind, form) for kind, (letter, form) in _PACKED.items()},
    **{letter: _bare(kind) for kind, letter in _BARE.items()},
    **{letter: _json(kind) for kind, letter in _JSON.items()},
}
