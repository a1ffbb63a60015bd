"""
An accepted connection of a client.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from txlb.connecting import hostOf
from txlb.model import Listener, plainHost
from txlb.proxy._acceptedclient import AcceptedClient
from txlb.proxy._securedclient import SecuredClient
from txlb.wire import Done


class ClientConnection:
    """
    A connection of a client, from the accept until a relay has it. The listener makes it,
    the frontend looks for a host by it, and the relay takes its socket.

    It costs one object of seven values. Everything else is computed when it is asked for.

    @param fd: the descriptor of its socket, which belongs to the part that has the
        connection; -1 if the reactor has accepted it.
    @param peer: the address of the other end, as C{accept} gives it.
    @param listener: the listener that has accepted it, as it was configured then.
    @param accepted: the client, if the reactor has accepted it.

    @ivar secured: its TLS handshake, if the fast relay has done one.
    @ivar found: what its preface told; L{None} if it has no preface, or before that is read.
    @ivar session: tells what its TLS handshake has found, on top of that; L{None} if TLS does not
        end here. See L{learnSession}.
    """

    __slots__ = ("accepted", "fd", "found", "listener", "peer", "secured", "session")

    def __init__(
        self,
        fd: int,
        peer: object,
        listener: Listener,
        accepted: AcceptedClient | None = None,
    ) -> None:
        self.fd = fd
        self.peer = peer
        self.listener = listener
        self.accepted = accepted
        self.found: Done | None = None
        self.secured: SecuredClient | None = None
        self.session: Callable[[Done | None], Done] | None = None

    def learnSession(self) -> None:
        """
        Add what the TLS handshake has found to C{found}. Few want to know it, and asking OpenSSL
        takes longer than the choice of a host.
        """
        session, self.session = self.session, None
        if session is not None:
            self.found = session(self.found)

    @property
    def isUNIX(self) -> bool:
        """
        Whether it has come through a UNIX socket.
        """
        return not isinstance(self.peer, tuple)

    @property
    def localAddress(self) -> Any:
        """
        The address of the balancer's end, as C{getsockname} gives it: a system call.
        """
        if self.accepted is not None:
            return self.accepted.ownName
        sock = socket.socket(fileno=self.fd)
        try:
            return sock.getsockname()
        finally:
            sock.detach()

    @property
    def clientAddr(self) -> tuple[str, int]:
        """
        The address by which schedulers, limits and logs know the client. The preface may have
        told it. Whichever family of sockets the client came through, its address is written
        in one way. The address of a client of a UNIX socket is the path where it came in.
        """
        found, peer = self.found, self.peer
        if found is not None and found.clientAddr is not None:
            host, port = found.clientAddr
            return plainHost(host), port
        if isinstance(peer, tuple):
            return peer if len(peer) == 2 else (hostOf(peer), peer[1])
        return f"unix:{os.fsdecode(self.localAddress)}", 0

    @property
    def sourceAddress(self) -> Any:
        """
        The address of the client for a PROXY header: that of its preface, else the peer's; an
        empty text if there is none.
        """
        found = self.found
        if found is not None:
            if found.header is not None and found.header.source is not None:
                return found.header.source
            if found.clientAddr is not None:
                return self.clientAddr
        return self.peer if isinstance(self.peer, (tuple, str, bytes)) else ""

    @property
    def destinationAddress(self) -> Any:
        """
        The address that the client has connected to, for a PROXY header: that of its own PROXY
        header, else that of the balancer's end.
        """
        header = None if self.found is None else self.found.header
        if header is not None and header.destination is not None:
            return header.destination
        return self.localAddress

    @property
    def serverName(self) -> str | None:
        """
        The name of the server that the client has asked for; L{None} if its preface told
        none.
        """
        return None if self.found is None else self.found.serverName

    @property
    def alpn(self) -> tuple[str, ...]:
        """
        The protocols that the client offers (ALPN), the preferred one first.
        """
        return () if self.found is None else self.found.alpn

    @property
    def leftover(self) -> bytes:
        """
        The bytes that were read behind the preface. They belong to the host.
        """
        # TLS has them, if it ends here.
        return b"" if self.found is None or self.session is not None else self.found.leftover

    def say(self, data: bytes) -> None:
        """
        Send some bytes to a client of a socket that is closed next. They fit into its buffer, as
        nothing was sent before.
        """
        with suppress(OSError):
            os.write(self.fd, data)

    def close(self) -> None:
        """
        Close the connection of a client that gets no host.
        """
        if self.accepted is not None:
            self.accepted.close()
        elif self.secured is not None:
            self.secured.refuse()
        else:
            os.close(self.fd)
