"""
Handshakes between two ends in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL


def clientOf(
    name: str | None = "a.example",
    *,
    versions: tuple[int, int] | None = None,
    prepare: Callable[[SSL.Context], object] | None = None,
    session: SSL.Session | None = None,
    context: SSL.Context | None = None,
) -> SSL.Connection:
    """
    Make a client that trusts everything.

    @param prepare: sets more of its context.
    """
    if context is None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        if versions is not None:
            context.set_min_proto_version(versions[0])
            context.set_max_proto_version(versions[1])
        if prepare is not None:
            prepare(context)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    if name is not None:
        client.set_tlsext_host_name(name.encode("ascii"))
    if session is not None:
        client.set_session(session)
    return client


def serverOf(context: SSL.Context) -> SSL.Connection:
    """
    Make a server.
    """
    server = SSL.Connection(context, None)
    server.set_accept_state()
    return server


def move(source: SSL.Connection, target: SSL.Connection) -> bool:
    """
    Move the bytes of one end to the other.

    @return: whether there were any.
    """
    moved = False
    while True:
        try:
            data = source.bio_read(65536)
        except SSL.WantReadError:
            return moved
        target.bio_write(data)
        moved = True


def shake(client: SSL.Connection, server: SSL.Connection) -> None:
    """
    Do the handshake, and let the client read its tickets.

    @raise SSL.Error: one end has refused the other.
    """
    ends: list[Any] = [(client, server), (server, client)]
    done = set()
    for _ in range(20):
        for end, other in ends:
            try:
                end.do_handshake()
                done.add(end)
            except SSL.WantReadError:
                pass
            finally:
                move(end, other)
        if len(done) == 2:
            break
    try:
        client.recv(1)
    except SSL.WantReadError:
        pass


def resumed(client: SSL.Connection) -> bool:
    """
    Tell whether a client's session was resumed.
    """
    lib: Any = getattr(SSL, "_lib")  # noqa: B009 - it is not exported
    return bool(lib.SSL_session_reused(client._ssl))
