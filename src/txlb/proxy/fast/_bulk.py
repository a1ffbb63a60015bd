"""
Moving bulk: by splice(2) through a pipe, or by copying if there is no pipe.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from txlb.proxy._sockets import bytesToRead
from txlb.proxy.fast._readbatching import LASTING, MUCH

if TYPE_CHECKING:
    from txlb.proxy.fast._end import End
    from txlb.proxy.fast._pipes import Pipe

#: Times that a pipe, or the buffer, is filled in a turn: with pipes of 1 MiB, 2 MiB.
ROUNDS = 2

#: If a turn moves all bytes that there were, and fewer than this, the direction carries small
#: traffic again, which End.pump moves. This is a quarter of the read that begins bulk, so that
#: a direction does not change to and fro.
SMALL = 16384

#: Bytes that are copied at once: large enough that system calls cost little beside the copy.
BUFFER_SIZE = 262144

#: Bytes that are copied at once from a UNIX socket. The relay keeps those that the peer does
#: not take, so this bounds the memory of a connection.
LEFT = 32768

MOVE_WITHOUT_WAITING = 3  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK

#: All copying goes through this one buffer; nothing stays in it.
_buffer = memoryview(bytearray(BUFFER_SIZE))
_LITTLE = (_buffer[:LEFT],)


def move(end: End) -> None:
    """
    Move a part of the bytes that an end has sent, and queue the end again if there are more.
    """
    if end.pipe is not None:
        _splice(end)
    elif end.peer.unsent is not None:
        end.readable = True
    elif not end.ended:
        if not end.urgent:
            end.pipe = end.connection.loop.pipes.take()
        if end.pipe is not None:
            _splice(end)
        else:
            _copy(end)


def _splice(end: End) -> None:
    connection, pipe = end.connection, end.pipe
    assert pipe is not None  # noqa: S101 - the caller has seen it
    before = end.burst
    for _ in range(ROUNDS):
        if not (end.piped or _fill(end, pipe, before)) or not _empty(end, pipe):
            return
        if end.batched and not (end.piped or end.last) and bytesToRead(end.fd) < MUCH:
            # The loop tells when it has so much again.
            _release(end)
            return
    if end.burst >= LASTING and not end.batched:
        connection.lasts(end)
        connection.loop.batching.begin(end)
    end.readable = True
    if not end.piped:
        _release(end)
    connection.loop.queueBulk(end)


def _fill(end: End, pipe: Pipe, before: int) -> bool:
    """
    Move bytes that an end has sent into its pipe, which is empty.

    @param before: C{burst} when this turn began.
    @return: whether there were any.
    """
    if end.urgent:
        # Splicing stops before an urgent byte.
        _release(end)
        end.connection.loop.queueBulk(end)
        return False
    try:
        count = os.splice(end.fd, pipe.writer, pipe.size, flags=MOVE_WITHOUT_WAITING)
    except BlockingIOError:
        # The pipe is empty, so the source has nothing.
        _drained(end, end.burst - before)
        return False
    except OSError:
        end.connection.broke(end)
        return False
    if not count:
        # Either the end, or an urgent byte with the end behind it. A read tells which.
        _release(end)
        end.bulk = False
        end.last = True
        end.pump()
        return False
    end.piped = count
    end.burst += count
    return True


def _empty(end: End, pipe: Pipe) -> bool:
    """
    Move the bytes in the pipe to the peer, or a part of them.

    @return: whether it took any.
    """
    try:
        count = os.splice(pipe.reader, end.peer.fd, end.piped, flags=MOVE_WITHOUT_WAITING)
    except BlockingIOError:
        # The peer takes no more; the loop tells when it does.
        end.readable = True
        end.peer.hearOut()
        return False
    except OSError:
        end.connection.broke(end.peer)
        return False
    end.piped -= count
    end.connection.moved(end, count)
    return True


def _release(end: End) -> None:
    """
    Give an empty pipe back.
    """
    if end.pipe is not None:
        end.connection.loop.pipes.give(end.pipe)
        end.pipe = None


def _drained(end: End, total: int) -> None:
    """
    Go on without a pipe, as nothing is left for now.

    @param total: bytes that were moved in this turn. 0 does not mean small traffic: the bytes
        of an event may have been moved before the event came. If the direction left bulk for
        that, the next 64 KiB of each burst would be copied.
    """
    end.readable = end.urgent = False
    _release(end)
    if 0 < total < SMALL:
        end.bulk = False
        end.burst = 0


def _copy(end: End) -> None:
    """
    Move the next bytes through the buffer. The bytes that the peer does not take stay with the
    system, or at most L{LEFT} of them are kept, because there may be many slow peers.
    """
    total = 0
    for _ in range(ROUNDS):
        try:
            count = _peek(end) if end.peeks else _read(end)
        except BlockingIOError:
            _drained(end, total)
            return
        except OSError:
            end.connection.broke(end)
            return
        if not count:
            end.finish()
            return
        if not _write(end, count):
            return
        total += count
    end.readable = True
    end.connection.loop.queueBulk(end)


def _peek(end: End) -> int:
    """
    Copy bytes that an end has sent, and leave them with the system.
    """
    return end.socket().recv_into(_buffer, BUFFER_SIZE, socket.MSG_PEEK)


def _read(end: End) -> int:
    """
    Read at most L{LEFT} of the bytes that an end has sent.
    """
    return os.readv(end.fd, _LITTLE)


def _write(end: End, count: int) -> bool:
    """
    Write the first bytes of the buffer to the peer.

    @return: whether it took all of them.
    """
    connection, peer = end.connection, end.peer
    try:
        sent = os.write(peer.fd, _buffer[:count])
    except BlockingIOError:
        sent = 0
    except OSError:
        connection.broke(peer)
        return False
    if sent:
        connection.moved(end, sent)
        if end.peeks:
            # TCP drops them without a copy.
            end.socket().recv_into(_buffer, sent, socket.MSG_TRUNC)
    if sent == count:
        return True
    end.readable = True
    if end.peeks:
        peer.hearOut()
    else:
        peer.keep(bytes(_buffer[sent:count]))
    return False
