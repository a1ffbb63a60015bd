"""
Much to move: by splice(2) through a pipe, or by copying where there is none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txlb.proxy.fast._end import End

#: Times that a pipe, or the buffer, is filled in a turn.
ROUNDS = 2

#: A burst that ends below this many bytes was the last one: small traffic goes
#: the short way again.
SMALL = 16384

#: Bytes that are copied at once.
BUFFER_SIZE = 262144

MOVE_WITHOUT_WAITING = 3  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK

#: All copying goes through this one buffer; nothing stays in it.
_buffer = memoryview(bytearray(BUFFER_SIZE))
_BUFFERS = (_buffer,)


def move(end: End) -> None:
    """
    Move a part of what an end has sent, and queue it again if there is more.
    """
    if end.pipe is not None:
        _splice(end)
    elif not end.ended and end.peer.unsent is None:
        end.pipe = end.connection.loop.pipes.take()
        if end.pipe is not None:
            _splice(end)
        else:
            _copy(end)


def _splice(end: End) -> None:
    connection = end.connection
    pipe = end.pipe
    assert pipe is not None  # noqa: S101 - the caller has seen it
    source, target = end.fd, end.peer.fd
    total = 0
    for _ in range(ROUNDS):
        if not end.piped:
            try:
                count = os.splice(source, pipe.writer, pipe.size, flags=MOVE_WITHOUT_WAITING)
            except BlockingIOError:
                # The pipe is empty, so it is the source that has nothing.
                _drained(end, total)
                return
            except OSError:
                connection.end(end.resetOutcome)
                return
            if not count:
                _release(end)
                end.finish()
                return
            end.piped = count
            total += count
        try:
            count = os.splice(pipe.reader, target, end.piped, flags=MOVE_WITHOUT_WAITING)
        except BlockingIOError:
            # The target takes no more; it will say when it does.
            end.readable = True
            end.peer.hearOut()
            return
        except OSError:
            connection.end(end.peer.resetOutcome)
            return
        end.piped -= count
        connection.moved(end, count)
    end.readable = True
    if not end.piped:
        _release(end)
    connection.loop.queueBulk(end)


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
    """
    end.readable = False
    _release(end)
    if total < SMALL:
        end.bulk = False


def _copy(end: End) -> None:
    connection, peer = end.connection, end.peer
    total = 0
    for _ in range(ROUNDS):
        try:
            count = os.readv(end.fd, _BUFFERS)
        except BlockingIOError:
            _drained(end, total)
            return
        except OSError:
            connection.end(end.resetOutcome)
            return
        if not count:
            end.finish()
            return
        total += count
        try:
            sent = os.write(peer.fd, _buffer[:count])
        except BlockingIOError:
            sent = 0
        except OSError:
            connection.end(peer.resetOutcome)
            return
        if sent:
            connection.moved(end, sent)
        if sent < count:
            peer.keep(bytes(_buffer[sent:count]))
            end.readable = True
            return
    end.readable = True
    connection.loop.queueBulk(end)
