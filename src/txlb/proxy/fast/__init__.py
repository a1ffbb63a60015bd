"""
The fast relay: raw sockets in an epoll of its own, and splice(2) for bulk.

Theory of operation
===================

Twisted's transports cost several times what the system calls of a relay cost. So the bytes of
the fast relay never pass through one. All its sockets are in one private, edge-triggered epoll.
Twisted hosts the loop, and everything else of Twisted runs beside it, under any reactor that
can watch a descriptor.

  - A hosting (C{_hosting.py}) joins the loop and the reactor. Most reactors read the epoll's
    descriptor like any socket. Twisted's epoll reactor has its own epoll put into the loop's,
    and the loop waits for both when the reactor would wait.
  - L{Loop} (C{_loop.py}) gives the events to handlers: one callable for each descriptor, in a
    list that is indexed by it. It divides the time: small traffic first, then bulk from one
    queue with a budget a turn, then the reactor.
  - An C{End} (C{_end.py}) is one socket of a relayed connection. It writes the bytes that it
    reads to its peer at once. It keeps the bytes that the peer does not take, and then it is
    not read. That is all the backpressure there is, and it is bounded.
  - A C{Search} (C{_search.py}) connects to one host after the other until one is reached. The
    way to connect to an address is found out once (C{_targets.py}). A host on this machine is
    asked at once whether it is connected, by the first bytes of its client; for other hosts
    the loop waits.
  - Bulk (C{_bulk.py}): after a full buffer was read, a direction goes through a pipe by
    splice(2), without a copy, until it is drained. A pipe is held only while there are bytes
    in it. Pipes come from a bounded pool (C{_pipes.py}); if that is empty bytes are copied. An
    end that sends much for long is read only when much has come (C{_readbatching.py}).
  - C{LastBytes} (C{_lastbytes.py}) takes over a connection if one of its sockets has failed. It
    delivers the bytes that the failed end had sent, and then resets the other end.
  - A C{Connection} (C{_connection.py}) owns the search, then both ends, and the lease.
  - With TLS on one side or on both, both ends are of another kind (C{_secureends.py}). They move
    bytes through a buffer that all connections share, and don't splice. A C{Handshake}
    (C{_handshake.py}) comes before that: one step a turn, in the queue of bulk, or in a thread if
    the key of the certificate is one that takes long. C{_tlscalls.py} calls OpenSSL directly.
  - A C{Wheel} (C{_wheel.py}) holds the deadlines of all connections. Each connection is in one
    slot, and is asked when that slot begins. A connection that ends before costs no timer.

Rules on which the code relies:

  - A socket is registered once, for everything. Under edge triggering a short read means that
    nothing is left, with three exceptions. If the peer has finished or failed (RDHUP, HUP,
    ERR), or an urgent byte has come (PRI), the socket is read until there is nothing. A read
    from a UNIX socket ends behind a message with descriptors; C{recvmsg} tells that
    (C{_unixend.py}).
  - C{SO_OOBINLINE} is set before any byte can come, or a read drops the urgent byte. Splicing
    ends at such a byte for good, so that it is copied there. Before that byte splice returns 0
    if the end is behind it, so only a read tells the end.
  - An end is not read while its peer has bytes waiting: they would be overwritten.
  - Sockets are closed at the end of a batch of events, so that a descriptor is never used again
    while an event for its former owner may be in the batch.
  - Sockets are read and written by their descriptors, and closed once, by the end that owns
    them.
  - EAGAIN from splice does not tell which side it is about, unless the pipe was empty before.
"""

from txlb.proxy.fast._loop import Loop
from txlb.proxy.fast._relay import FastRelay, whyNot
from txlb.proxy.fast._tlscalls import whyNot as whyNotTLS

__all__ = ["FastRelay", "Loop", "whyNot", "whyNotTLS"]
