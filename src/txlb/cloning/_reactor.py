"""
A reactor on which endpoints listen with shared sockets.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet import address, defer
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.systemd import ListenFDs
from zope.interface import implementer

from txlb.cloning._group import CloneGroup
from txlb.cloning._listener import BACKLOG, SharedListener, reusePort
from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._rendezvous import CloningError
from txlb.cloning._sharing import Sharing
from txlb.errors import AddressError, ListenError
from txlb.model import UNIXAddress
from txlb.process import listenUNIX, removeStaleSocket
from txlb.wire import MAX_LISTENERS


class SharingReactor:
    """
    Stands for the reactor of endpoints and services of an application that is cloned:
    what they listen on is shared with the other processes. All else is the reactor's own.

    @param reactor: the real one.
    @param group: has the listeners.
    @param settings: how connections come to the clones.
    @ivar count: how many listeners it has made.
    """

    def __init__(
        self, reactor: Any, group: CloneGroup, settings: ListenerSettings | None = None
    ) -> None:
        self.count = 0
        self._reactor = reactor
        self._group = group
        self._settings = settings
        self._reusesPort = settings is not None and settings.sharing is Sharing.REUSEPORT

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> SharedPort:
        """
        Listen on a TCP port.

        @raise CannotListenError: that can't be done.
        """
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET

        def make() -> socket.socket:
            name: Any = (interface, port)
            if family == socket.AF_INET6:
                name = socket.getaddrinfo(interface, port, family, socket.SOCK_STREAM)[0][4]
            return _listen(family, name, backlog, interface, port, self._reusesPort)

        name = f"tcp-{interface}-{port}" if interface else f"tcp-{port}"
        return self._share(name, make, factory)

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> SharedPort:
        """
        Listen on a TCP port for TLS.

        @raise CannotListenError: that can't be done.
        """
        # It brings in OpenSSL, which an application without TLS does not need.
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - see above

        return self.listenTCP(
            port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface
        )

    def listenUNIX(
        self,
        address: str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o600,
        wantPID: int = 0,
    ) -> SharedPort:
        """
        Listen on a UNIX socket.

        @param wantPID: a socket's file that no process listens on is removed first,
            in any case; there is no lock file.
        @raise CannotListenError: that can't be done.
        """

        def make() -> socket.socket:
            try:
                place = UNIXAddress(address, mode=mode)
                removeStaleSocket(place)
                return listenUNIX(place, max(backlog, BACKLOG))
            except (ListenError, AddressError, OSError) as problem:
                raise CannotListenError("", address, problem) from None

        return self._share(f"unix-{os.path.basename(address)}", make, factory)

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> SharedPort:
        """
        Listen with a socket that listens already.
        """

        def make() -> socket.socket:
            sock = socket.socket(fileno=os.dup(fileDescriptor))
            sock.setblocking(False)
            return sock

        return self._share(f"descriptor-{fileDescriptor}", make, factory, own=False)

    def listenSystemd(self, which: str, factory: IProtocolFactory) -> SharedPort:
        """
        Listen with a socket that systemd has given to the first process
        (sd_listen_fds(3)).

        @param which: its name, or its number from 0 on.
        @raise CloningError: systemd has given no such socket.
        """

        def make() -> socket.socket:
            environ = _firstEnvironment()
            if not environ.get("LISTEN_FDNAMES") and environ.get("LISTEN_FDS", "").isdecimal():
                # systemd names all sockets, systemd-socket-activate does not.
                count = min(int(environ["LISTEN_FDS"]), MAX_LISTENERS)
                environ["LISTEN_FDNAMES"] = ":".join(map(str, range(count)))
            given = ListenFDs.fromEnvironment(environ)
            found: dict[str, int] = dict(given.inheritedNamedDescriptors())
            numbered = enumerate(given.inheritedDescriptors())
            found.update({str(number): descriptor for number, descriptor in numbered})
            if which not in found:
                names = ", ".join(found) or "none"
                raise CloningError(
                    f"systemd has given no socket {which!r}, these are there: {names}: compare "
                    "FileDescriptorName and Service of the socket unit"
                )
            sock = socket.socket(fileno=os.dup(found[which]))
            sock.setblocking(False)
            return sock

        return self._share(f"systemd-{which}", make, factory, own=False)

    def settingsOf(self, name: str) -> ListenerSettings | None:
        """
        Tell how the connections of a listening socket come to the clones.
        """
        return self._settings

    def _share(
        self, name: str, make: Any, factory: IProtocolFactory, own: bool = True
    ) -> SharedPort:
        if self._reusesPort and not name.startswith("tcp-"):
            raise CloningError(
                f"{name} has one accept queue, so the clones can't have one each: leave out "
                "sharing='reuseport', or give the endpoint of a TCP port"
            )
        settings = self.settingsOf(name)
        listener = self._group.share(name, make, factory, self._reactor, settings, own)
        self.count += 1
        return SharedPort(listener)


@implementer(IListeningPort)
class SharedPort:
    """
    A listener of this process and others. It stops with the L{CloneGroup}, which gives
    its connections time to finish.
    """

    def __init__(self, listener: SharedListener) -> None:
        self.listener = listener

    def startListening(self) -> None:
        """
        Do nothing: the socket listens already.
        """

    def stopListening(self) -> Deferred[None]:
        """
        Do nothing: the group stops all its listeners at once.

        @return: has fired with L{None}.
        """
        return defer.succeed(None)

    def getHost(self) -> Any:
        sock = self.listener.sock
        name = sock.getsockname()
        if sock.family == socket.AF_UNIX:
            return address.UNIXAddress(name)
        kind = address.IPv6Address if sock.family == socket.AF_INET6 else address.IPv4Address
        return kind("TCP", *name)


def _firstEnvironment() -> dict[str, str]:
    """
    Read the environment with which the process was started. Twisted has removed systemd's
    variables from the one that it has now.
    """
    try:
        data = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    words = (os.fsdecode(each).partition("=") for each in data.split(b"\0"))
    return {name: value for name, _, value in words}


def _listen(
    family: int, name: Any, backlog: int, interface: str, port: Any, reusesPort: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if reusesPort:
            reusePort(sock)
            sock.bind(name)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(name)
            # Twisted's backlog of 50 is for one process that accepts at once.
            sock.listen(max(backlog, BACKLOG))
        sock.setblocking(False)
    except OSError as problem:
        sock.close()
        raise CannotListenError(interface, port, problem) from None
    return sock
