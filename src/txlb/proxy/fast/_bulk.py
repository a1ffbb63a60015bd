"""
Much to move: by splice(2) through a pipe, or by copying where there is none.
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

#: Times that a pipe, or the buffer, is filled in a turn.
ROUNDS = 2

#: A turn that moves less than this many bytes, and all that there was, moves small
#: traffic: that goes the short way again.
SMALL = 16384

#: Bytes that are copied at once.
BUFFER_SIZE = 262144

#: Bytes that are copied at once from a UNIX socket: what the peer does not take has to be
#: kept.
LEFT = 32768

MOVE_WITHOUT_WAITING = 3  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK

#: All copying goes through this one buffer; nothing stays in it.
_buffer = memoryview(bytearray(BUFFER_SIZE))
_LITTLE = (_buffer[:LEFT],)


def move(end: End) -> None:
    """
    Move a part of what an end has sent, and queue it again if there is more.
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
            # It says when it has so much again.
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
    Take what an end has sent into its pipe, which is empty.

    @param before: C{burst} when this turn began.
    @return: whether there was anything.
    """
    if end.urgent:
        # Splicing does not go beyond an urgent byte.
        _release(end)
        end.connection.loop.queueBulk(end)
        return False
    try:
        count = os.splice(end.fd, pipe.writer, pipe.size, flags=MOVE_WITHOUT_WAITING)
    except BlockingIOError:
        # The pipe is empty, so it is the source that has nothing.
        _drained(end, end.burst - before)
        return False
    except OSError:
        end.connection.broke(end)
        return False
    if not count:
        # The end; or an urgent byte, and the end is behind it. A read tells.
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
    Give what is in the pipe to the peer, or a part of it.

    @return: whether it took any.
    """
    try:
        count = os.splice(pipe.reader, end.peer.fd, end.piped, flags=MOVE_WITHOUT_WAITING)
    except BlockingIOError:
        # The target takes no more; it will say when it does.
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
    There is nothing left for now.

    @param total: bytes that were moved in this turn. None at all says nothing: what
        an event told of may have been moved before the event came, and to leave the
        pipe for that has the next 64 KiB of a burst copied, again and again.
    """
    end.readable = end.urgent = False
    _release(end)
    if 0 < total < SMALL:
        end.bulk = False
        end.burst = 0


def _copy(end: End) -> None:
    """
    Move the next bytes through the buffer. What the peer does not take stays with the
    system, or no more than L{LEFT} of it is kept: there may be many slow peers.
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
    Copy what an end has sent, and leave it with the system.
    """
    return end.socket().recv_into(_buffer, BUFFER_SIZE, socket.MSG_PEEK)


def _read(end: End) -> int:
    """
    Take a little of what an end has sent.
    """
    return os.readv(end.fd, _LITTLE)


def _write(end: End, count: int) -> bool:
    """
    Write so many bytes of the buffer to the peer.

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
            # TCP drops them without copying anything.
            end.socket().recv_into(_buffer, sent, socket.MSG_TRUNC)
    if sent == count:
        return True
    end.readable = True
    if end.peeks:
        peer.hearOut()
    else:
        peer.keep(bytes(_buffer[sent:count]))
    return False
