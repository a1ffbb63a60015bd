"""
The fast relay: raw sockets in an epoll of its own, and splice(2) for bulk.

Theory of operation
===================

Twisted's transports cost several times what the system calls of a relay cost.
So here the bytes never pass through one. All sockets of the relay stand in one
private, edge-triggered epoll. Twisted hosts the loop, and everything else of
Twisted runs beside it, under any reactor that can watch a descriptor.

  - A hosting (C{_hosting.py}) is how. Most reactors read the epoll's descriptor like
    any socket. Twisted's epoll reactor has its own epoll put into ours, and we wait
    for both when it would wait.
  - L{Loop} (C{_loop.py}) gives the events to handlers, one callable for each
    descriptor in a list that is indexed by it, and shares the time out: small
    traffic first, bulk from one queue with a budget a turn, then the reactor.
  - An C{End} (C{_end.py}) is one socket of a relayed connection. What it reads
    it writes to its peer at once; what does not fit is kept, and then the peer
    is not read: that is all the backpressure there is, and it is bounded.
  - A search (C{_search.py}) connects to one host after the other until one is
    there. What it takes to connect to an address is found out once
    (C{_targets.py}). A host on this machine is asked at once whether it is there,
    for others the loop is waited for.
  - Bulk (C{_bulk.py}): after a full buffer was read, a direction goes through a
    pipe by splice(2), without a copy, until it is drained. A pipe is held only
    while there are bytes in it; they come from a bounded stock (C{_pipes.py}),
    and where that is empty bytes are copied. Who sends much for long is read only
    when much has come (C{_patience.py}).
  - L{LastBytes} (C{_lastbytes.py}) takes over a connection one of whose sockets has
    failed. It delivers what that one had sent, and resets the other then.
  - A C{Connection} (C{_connection.py}) is both ends, the search for the host,
    and the claim on it.
  - A C{Wheel} (C{_wheel.py}) holds the deadlines of all connections: each is in
    one slot, and asked when that comes up. No timer is set or cancelled for a
    connection that lives shorter than that.

Rules that the code relies on:

  - A socket is registered once, for everything. Under edge triggering a short
    read means that nothing is left, with three exceptions. If the peer has finished or
    failed (RDHUP, HUP, ERR), or an urgent byte has come (PRI), the socket is read until
    there is nothing. A read from a UNIX socket ends behind a message with descriptors;
    C{recvmsg} says so (L{UNIXEnd}).
  - C{SO_OOBINLINE} is set before anything can come, or a read drops the urgent byte.
    Splicing ends at such a byte for good, so that it is copied there. Before it splice says
    0 if the end is behind it, so only a read tells the end.
  - Nothing is read from an end whose peer has bytes waiting: they would be
    overwritten.
  - Sockets are closed at the end of a batch of events, so that a descriptor is
    never used again while an event of its old owner may be in the batch.
  - Sockets are read and written by their descriptors, and closed once: by the end
    that has them.
  - EAGAIN from splice says nothing about which side it was about, unless the
    pipe was empty before.
"""

from txlb.proxy.fast._loop import Loop
from txlb.proxy.fast._relay import FastRelay, whyNot

__all__ = ["FastRelay", "Loop", "whyNot"]
