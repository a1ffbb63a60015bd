"""
The console as a Twisted service.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed

from txlb._reactor import pickedReactor
from txlb.admin._doors import joinDoors, socketsAt, whenServing
from txlb.admin._history import History
from txlb.admin._kepthistory import keepHistory
from txlb.admin._log import log
from txlb.admin.login import Logins, loginsOf
from txlb.admin.web._console import Console
from txlb.admin.web._resource import WebResource
from txlb.admin.web._site import WebSite
from txlb.admin.web._tls import ConsoleTLSFactory
from txlb.config import AdminSettings, AdminToken, AdminUser, WebSettings, isLocal
from txlb.errors import ListenError
from txlb.model import Address, InheritedAddress, ListenTLS, UNIXAddress, parseListenAddress
from txlb.process import SocketFile, UNIXPort
from txlb.proxy import bindSockets, socketAddress

#: Clients that may wait to be accepted.
BACKLOG = 128

#: Seconds in which answers under way are sent when another process serves.
PATIENCE = 0.5


def webService(
    lbs: Any,
    listen: object = "127.0.0.1:7001",
    users: Iterable[AdminUser] = (),
    *,
    tls: ListenTLS | str | None = None,
    tokens: Iterable[AdminToken] = (),
    hostNames: Iterable[str] = (),
    refresh: float = 30.0,
    metrics: str | None = None,
    config: Any = None,
    logins: Logins | None = None,
    reactor: Any = None,
) -> WebService:
    """
    Make the web console of a balancer, with its REST interface and its metrics.

    @param lbs: the L{txlb.application.LoadBalancedService}.
    @param listen: the address, as in L{txlb.model.parseListenAddress}. Without TLS it has to be
        one of this machine alone.
    @param users: the users that may log in by their passwords.
    @param tls: the certificates: settings of TLS, or the path of a PEM file or a folder of such;
        L{None} for no TLS.
    @param tokens: the tokens of programs.
    @param hostNames: the names by which browsers may ask for it; by default its address,
        C{localhost} and the name of the machine.
    @param refresh: seconds between two updates of open pages.
    @param metrics: C{open} or C{login}; L{None} for C{open} on loopback alone.
    @param config: the L{txlb.application.ConfigurationFile}; L{None} if there is no file.
    @param logins: decides which users may log in; by default the logins of the balancer's
        other doors, or new ones.
    @param reactor: by default the global one, from when the service starts.
    @raise AddressError: C{listen} is no address to listen on.
    @raise DuplicateName: two users have the same name.
    @raise ModelError: the settings of TLS are wrong, or another door has other users.
    """
    settings = WebSettings(
        parseListenAddress(listen),
        refresh=refresh,
        hostNames=tuple(hostNames),
        metrics=metrics,
        tls=_httpOnly(ListenTLS(tls) if isinstance(tls, str) else tls),
    )
    return WebService(lbs, settings, loginsOf(lbs, users, logins), tuple(tokens), config, reactor)


def webServiceOf(admin: AdminSettings, lbs: Any, config: Any) -> WebService:
    """
    Make the web console that a configuration file asks for.

    @param admin: what it says of the administration; C{web} is there.
    @param lbs: the balancer.
    @param config: the L{txlb.application.ConfigurationFile}.
    """
    settings = admin.web or WebSettings()
    settings = replace(settings, tls=_httpOnly(settings.tls))
    return WebService(lbs, settings, loginsOf(lbs, admin.users), admin.tokens, config, None)


def _httpOnly(tls: ListenTLS | None) -> ListenTLS | None:
    """
    Let clients agree on the one protocol that the console speaks.
    """
    return None if tls is None else replace(tls, alpn=("http/1.1",))


#: Connections that are accepted at once.
ACCEPTS = 2


class WebService(Service):
    """
    Listens for browsers and programs, see L{webService}. It can be stopped and started again.

    @ivar logins: decides which users may log in.
    """

    def __init__(
        self,
        lbs: Any,
        settings: WebSettings,
        logins: Logins,
        tokens: tuple[AdminToken, ...],
        config: Any,
        reactor: Any,
    ) -> None:
        self._lbs = lbs
        self._settings = settings
        self.logins = logins
        self._tokens = tokens
        self._config = config
        self._reactor = reactor
        self._sockets: list[socket.socket] = []
        self._addresses: list[Address] = []
        # The file of a UNIX socket that this service has made.
        self._file: SocketFile | None = None
        self._isLeft = False
        self._ports: list[Any] = []
        self._site: WebSite | None = None
        # Its console is made when the balancer serves, after the events of a process before it
        # were taken over.
        self._history = History()
        keepHistory(lbs, "events-web", self._history)
        joinDoors(lbs, self)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """
        The addresses on which it listens now.
        """
        return tuple(self._addresses)

    def bind(self) -> None:
        """
        Listen, without accepting yet. The service does this when it starts, unless it is
        done.

        @raise ListenError: the address can't be had, or other machines could reach it without
            TLS.
        @raise CertificateError: a certificate can't be used.
        """
        if self._addresses:
            return
        listen, tls = self._settings.listen, self._settings.tls
        if tls is not None:
            self._lbs.tls.keep(tls)
        sockets = socketsAt(self._lbs, listen) or bindSockets(listen, BACKLOG)
        addresses = [socketAddress(sock) for sock in sockets]
        if tls is None and not all(map(isLocal, addresses)):
            for sock in sockets:
                sock.close()
            raise ListenError(
                str(listen),
                "without TLS the web console listens on loopback alone, as passwords would be "
                'readable on the network; give it a certificate (<tls certificates="…"/> in '
                "<web>), or let it listen on 127.0.0.1",
            )
        if isinstance(listen, UNIXAddress):
            self._file = SocketFile(listen.path)
        self._sockets, self._addresses = sockets, addresses

    def setUsers(
        self, users: Iterable[AdminUser], tokens: Iterable[AdminToken] | None = None
    ) -> None:
        """
        Let only these users log in from now on. Sessions of users that were removed or changed
        end.

        @param tokens: those of programs; L{None} for the same as before.
        @raise DuplicateName: two users have the same name; nothing has changed then.
        """
        if tokens is not None:
            self._tokens = tuple(tokens)
        self.logins.setUsers(users)
        if self._site is not None:
            authority = self._site.console.authority
            authority.usersChanged()
            authority.tokens.replace(self._tokens)

    # Life

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise ListenError: see L{bind}.
        """
        self.bind()
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Accept clients.

        @raise ListenError: see L{bind}.
        """
        self.bind()
        super().startService()
        whenServing(self._lbs, self._serve)

    def _serve(self) -> None:
        if not self.running:
            return
        self._reactor = reactor = pickedReactor(self._reactor)
        settings = self._settings
        self.logins.start(reactor)
        console = Console(
            self._lbs,
            self._config,
            self.logins,
            reactor,
            tokens=self._tokens,
            hostNames=settings.hostNames,
            refresh=settings.refresh,
            openMetrics=self._opensMetrics,
            history=self._history,
        )
        self._site = site = WebSite(
            WebResource(console), reactor, console.deadlines, settings.tls is not None
        )
        factory: Any = site
        if settings.tls is not None:
            factory = ConsoleTLSFactory(
                self._lbs.tls, settings.tls, site, reactor, console.deadlines
            )
            self._lbs.certificates.follow()
        sockets, self._sockets = self._sockets, []
        for sock in sockets:
            self._ports.append(_portOf(sock, factory, reactor))
        self.logins.warn()
        log.info(
            "the web console listens on {addresses}{tls}",
            addresses=", ".join(map(str, self._addresses)),
            tls="" if settings.tls is None else ", with TLS",
        )

    @property
    def _opensMetrics(self) -> bool:
        if self._settings.metrics is not None:
            return self._settings.metrics == "open"
        return all(map(isLocal, self._addresses))

    def listening(self) -> tuple[str, Sequence[socket.socket]]:
        """
        Return the address at which it listens, as it is configured, and the sockets; both empty
        if systemd has the sockets.
        """
        if isinstance(self._settings.listen, InheritedAddress):
            return "", ()
        return str(self._settings.listen), [port.socket for port in self._ports]

    @property
    def sessions(self) -> int:
        """
        The number of sessions that have to end in this process: none, as browsers log in again.
        """
        return 0

    def letGo(self) -> None:
        """
        Accept no client here, as another process does.
        """
        self._file = None
        self._isLeft = True
        ports, self._ports = self._ports, []
        for port in ports:
            if isinstance(port, UNIXPort):
                port.letGo()
            else:
                # Twisted shuts a listening socket down, and then closes it.
                port.stopReading()
                port.socket.close()

    def stopService(self) -> Deferred[None]:
        """
        Listen no more, and end every session.

        @return: fires with L{None} when all are gone. It does not fail.
        """
        super().stopService()
        # While the socket is open, as another file may get its number afterwards.
        if self._file is not None:
            self._file.remove()
            self._file = None
        sockets, self._sockets, self._addresses = self._sockets, [], []
        for sock in sockets:
            sock.close()
        ports, self._ports = self._ports, []
        site, self._site = self._site, None
        if self._settings.tls is not None:
            self._lbs.tls.letGo(self._settings.tls)
        if site is None:
            return succeed(None)
        stopped: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in ports]

        def gone(_: object) -> None:
            site.console.stop()
            self.logins.stop()

        # The client that has asked for an upgrade gets its answer.
        isLeft, self._isLeft = self._isLeft, False
        stopped.append(site.finish(PATIENCE if isLeft else 0.0).addCallback(gone))
        return gatherResults(stopped).addCallback(lambda _: None)


def _portOf(sock: socket.socket, factory: Any, reactor: Any) -> Any:
    """
    Let a reactor accept connections from a socket, which is the port's from here.
    """
    if sock.family == socket.AF_UNIX:
        # Twisted's port would let every user of the machine connect, and remove any file at the
        # path at its end.
        return UNIXPort(sock, None, factory, reactor, ACCEPTS)
    with sock:
        # The reactor takes a copy of the descriptor.
        port = reactor.adoptStreamPort(sock.fileno(), sock.family, factory)
    _acceptFew(port)
    return port


def _acceptFew(port: Any) -> None:
    """
    Let a port accept a few connections in a turn of the reactor. Twisted accepts 100 at first,
    and then 20 more each time that there are more.
    """
    doRead: Callable[[], object] = port.doRead

    def accept() -> None:
        port.numberAccepts = ACCEPTS
        doRead()

    port.doRead = accept
