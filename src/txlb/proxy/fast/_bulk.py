"""
Moving bulk: by splice(2) through a pipe, or by copying if there is no pipe.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from txlb.proxy.fast._readbatching import LASTING

if TYPE_CHECKING:
    from collections.abc import Callable

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

#: C{SPLICE_F_MOVE | SPLICE_F_NONBLOCK}
AT_ONCE = 3

#: All copying goes through this one buffer; nothing stays in it.
_buffer = memoryview(bytearray(BUFFER_SIZE))
_LITTLE = (_buffer[:LEFT],)


def move(end: End) -> None:
    """
    Move a part of the bytes that an end has sent, and queue the end again if there are more.
    """
    pipe = end.pipe
    if pipe is None:
        if end.peer.unsent is not None:
            end.readable = True
            return
        if end.ended:
            return
        if not end.urgent:
            pipe = end.pipe = end.connection.loop.pipes.take()
        if pipe is None:
            _copy(end)
            return
    _splice(end, pipe)


def _splice(end: End, pipe: Pipe) -> None:  # noqa: C901 - calls would cost more than splicing
    """
    Fill the pipe from an end and empty it into the peer. The bytes are counted once a turn.
    """
    sink, batched = end.peer.fd, end.batched
    moved = filled = 0
    then: Callable[[End], None] = _goOn
    for _ in range(ROUNDS):
        if not pipe.held:
            if end.urgent:
                # Splicing stops before an urgent byte.
                then = _copyOn
                break
            try:
                pipe.held = filled = os.splice(end.fd, pipe.writer, pipe.size, flags=AT_ONCE)
            except BlockingIOError:
                # The pipe is empty, so the source has nothing.
                then = _drained
                break
            except OSError:
                then = _failed
                break
            if not filled:
                then = _endOrUrgent
                break
            end.burst += filled
        try:
            count = os.splice(pipe.reader, sink, pipe.held, flags=AT_ONCE)
        except BlockingIOError:
            then = _waitForPeer
            break
        except OSError:
            then = _peerFailed
            break
        pipe.held -= count
        moved += count
        if batched and count == filled < pipe.size // 4 * 3 and not end.last:
            # It had no more than that: otherwise the pipe would be nearly full. If small
            # fragments have filled it, C{ReadBatching} finds the others.
            then = _awaitMuch
            break
    if moved:
        end.connection.moved(end, moved)
        if moved < SMALL and then is _drained:
            _carriesLittle(end)
    elif filled:
        end.connection.lastMoved = end.connection.loop.now
    then(end)


def _goOn(end: End) -> None:
    """
    Go on in the next turn.
    """
    connection = end.connection
    if end.burst >= LASTING and not end.batched:
        connection.lasts(end)
        connection.loop.batching.begin(end)
    end.readable = True
    if not end.piped:
        _release(end)
    connection.loop.queueBulk(end)


def _copyOn(end: End) -> None:
    """
    Go on without a pipe in the next turn.
    """
    _release(end)
    end.connection.loop.queueBulk(end)


def _awaitMuch(end: End) -> None:
    """
    Go on when the loop tells that much has come again.
    """
    _release(end)


def _waitForPeer(end: End) -> None:
    """
    Go on when the loop tells that the peer takes more.
    """
    end.readable = True
    end.peer.hearOut()


def _failed(end: End) -> None:
    """
    Go on without the end, whose socket has failed.
    """
    end.connection.broke(end)


def _peerFailed(end: End) -> None:
    """
    Go on without the peer, whose socket has failed.
    """
    end.connection.broke(end.peer)


def _endOrUrgent(end: End) -> None:
    """
    Read once: nothing came, which is either the end, or an urgent byte with the end behind it.
    """
    _release(end)
    end.bulk = False
    end.last = True
    end.pump()


def _release(end: End) -> None:
    """
    Give an empty pipe back.
    """
    if end.pipe is not None:
        end.connection.loop.pipes.give(end.pipe)
        end.pipe = None


def _drained(end: End) -> None:
    """
    Wait for more, as nothing is left for now. It may be that the bytes of an event were moved
    before the event came. If the direction left bulk for that, the next 64 KiB of each burst
    would be copied.
    """
    end.readable = end.urgent = False
    _release(end)


def _carriesLittle(end: End) -> None:
    """
    Leave bulk, as a turn has moved all that there was, and it was little.
    """
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
            if 0 < total < SMALL:
                _carriesLittle(end)
            _drained(end)
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
