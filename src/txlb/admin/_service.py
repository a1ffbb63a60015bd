"""
The manhole as a Twisted service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from txlb._reactor import pickedReactor
from txlb.admin._access import Caller
from txlb.admin._choices import choicesOf
from txlb.admin._completion import CHOICES
from txlb.admin._doors import joinDoors, socketsAt, whenServing
from txlb.admin._filerow import Configured
from txlb.admin._functions import functions
from txlb.admin._help import Help
from txlb.admin._history import History
from txlb.admin._hostkey import fingerprint, hostKey
from txlb.admin._kepthistory import keepHistory
from txlb.admin._log import log
from txlb.admin._state import stateDirectory
from txlb.admin._status import Balancer, statusTable
from txlb.admin._target import Target
from txlb.admin.login import Logins, loginsOf
from txlb.admin.login._made import SourceSettings
from txlb.config import AdminUser
from txlb.model import Address, InheritedAddress, ListenAddress, UNIXAddress, parseListenAddress
from txlb.process import SocketFile
from txlb.proxy import bindSockets, socketAddress

if TYPE_CHECKING:
    import socket

    from twisted.conch.ssh.keys import Key

    from txlb.admin._running import Running

#: The default address of a manhole: for this machine alone.
DEFAULT_LISTEN = "127.0.0.1:2222"

#: Clients that may wait to be accepted: they are let in one at a time, see
#: L{txlb.admin._work}.
BACKLOG = 128


def manholeService(
    lbs: Balancer,
    listen: object = DEFAULT_LISTEN,
    users: Iterable[AdminUser] = (),
    *,
    sources: Iterable[SourceSettings] = (),
    stateDirectory: str | None = None,
    config: Configured | None = None,
    logins: Logins | None = None,
    reactor: Any = None,
) -> ManholeService:
    """
    Make a Python prompt inside a balancer, for OpenSSH's client and others.

    In it C{services} is the balancer, C{manager} its manager, C{config} the
    configuration it was made from, C{status()} shows how things stand, and the other
    commands of L{txlb.admin.COMMANDS} are functions. A line runs in the balancer's own
    thread, so one that does not end stops the balancer.

    @param lbs: the L{txlb.application.LoadBalancedService}.
    @param listen: the address, as in L{txlb.model.parseListenAddress}.
    @param users: the users that may log in. Only those with full access get a prompt.
    @param sources: other sources of logins, such as a L{txlb.admin.LDAPSource}, in their order;
        the users are asked first.
    @param stateDirectory: the directory of the host key; by default what
        L{txlb.admin.stateDirectory} finds.
    @param config: L{None} if there is no file.
    @param logins: decides which users may log in; by default the logins of the balancer's
        other doors, or new ones.
    @param reactor: by default the global one, from when the service starts.
    @raise AddressError: C{listen} is no address to listen on.
    @raise DuplicateName: two users have the same name.
    @raise ModelError: another door has other users.
    @raise TxlbError: a source can't be made, as its library is missing or a file can't be used.
    """
    address = parseListenAddress(listen)
    decided = loginsOf(lbs, users, logins, sources)
    return ManholeService(lbs, address, decided, stateDirectory, config, reactor)


class ManholeService(Service):
    """
    Listens for ssh, see L{manholeService}. It can be stopped and started again.

    @ivar logins: decides which users may log in.
    """

    def __init__(
        self,
        lbs: Balancer,
        listen: ListenAddress,
        logins: Logins,
        directory: str | None,
        config: Configured | None,
        reactor: Any,
    ) -> None:
        self._lbs = lbs
        self._listen = listen
        self.logins = logins
        self._directory = directory
        self._config = config
        self._reactor = reactor
        self._key: Key | None = None
        self._sockets: list[socket.socket] = []
        self._listening: list[socket.socket] = []
        self._addresses: list[Address] = []
        # The file of a UNIX socket that this service has made.
        self._file: SocketFile | None = None
        self._running: Running | None = None
        self._history = History()
        self._unsubscribe: Callable[[], None] | None = None
        keepHistory(lbs, "events-ssh", self._history)
        joinDoors(lbs, self)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """
        The addresses on which it listens now.
        """
        return tuple(self._addresses)

    @property
    def fingerprint(self) -> str:
        """
        The host key's fingerprint, as C{ssh} shows it.

        @raise StateDirectoryError: see L{loadHostKey}.
        """
        return fingerprint(self.loadHostKey())

    def bind(self) -> None:
        """
        Listen, without accepting yet. The service does this when it starts, unless it is
        done.

        @raise ListenError: the address can't be had.
        """
        if not self._addresses:
            taken = socketsAt(self._lbs, self._listen)
            self._sockets = taken or bindSockets(self._listen, BACKLOG)
            self._listening = list(self._sockets)
            if isinstance(self._listen, UNIXAddress):
                self._file = SocketFile(self._listen.path)
            self._addresses = [socketAddress(sock) for sock in self._sockets]

    def loadHostKey(self) -> Key:
        """
        Read the host key, or make it if there is none. The service does this when it
        starts, unless it is done.

        @raise StateDirectoryError: the state directory or the key in it can't be
            used.
        """
        if self._key is None:
            self._key = hostKey(stateDirectory(self._directory))
        return self._key

    def setUsers(self, users: Iterable[AdminUser]) -> None:
        """
        Let only these users log in from now on, by every door of the balancer. The sessions
        of users that were removed, or that have less access now, end.

        @raise DuplicateName: two have the same name; nothing has changed then.
        """
        self.logins.setUsers(users)

    # Life

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise ListenError: the address can't be had.
        """
        self.bind()
        super().privilegedStartService()

    def startService(self) -> None:
        """
        Accept clients.

        @raise ListenError: the address can't be had.
        @raise StateDirectoryError: the state directory or the host key in it
            can't be used.
        """
        key = self.loadHostKey()
        self.bind()
        super().startService()
        whenServing(self._lbs, partial(self._serve, key))

    def _serve(self, key: Key) -> None:
        # Conch takes the global reactor when it is imported. Until now the program could
        # install another one.
        from txlb.admin._running import Running  # noqa: PLC0415

        if not self.running:
            return
        self._reactor = reactor = pickedReactor(self._reactor)
        self._running = running = Running(
            self.logins, key, self._namespace, reactor, self._lbs.manager.by
        )
        sockets, self._sockets = self._sockets, []
        running.accept(sockets)
        self._unsubscribe = self._lbs.manager.subscribe(self._history)
        self.logins.warn()
        log.info(
            "the manhole listens on {addresses}; its host key is {fingerprint}",
            addresses=", ".join(map(str, self._addresses)),
            fingerprint=fingerprint(key),
        )

    def listening(self) -> tuple[str, Sequence[socket.socket]]:
        """
        Return the address at which it listens, as it is configured, and the sockets; both empty
        if systemd has the sockets.
        """
        if isinstance(self._listen, InheritedAddress):
            return "", ()
        return str(self._listen), self._listening

    @property
    def sessions(self) -> int:
        """
        The number of users that are logged in.
        """
        return 0 if self._running is None else len(self._running.factory.inside)

    def letGo(self) -> None:
        """
        Accept no client here, as another process does. Sessions go on.
        """
        self._file = None
        self._listening = []
        if self._running is not None:
            self._running.letGo()

    def stopService(self) -> Deferred[None]:
        """
        Listen no more, and end every session.

        @return: fires with L{None} when all are gone, after three seconds or
            little more. It does not fail.
        """
        super().stopService()
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
        # While the socket is open, as another file may get its number afterwards.
        if self._file is not None:
            self._file.remove()
            self._file = None
        sockets, self._sockets, self._addresses = self._sockets, [], []
        self._listening = []
        for sock in sockets:
            sock.close()
        running, self._running = self._running, None
        if running is None:
            return succeed(None)
        return running.shutDown().addCallback(lambda _: running.stop())

    # Parts

    def _namespace(self, show: Callable[[str], None], caller: Caller) -> Mapping[str, object]:
        """
        Make the names that are bound in a session.

        @param show: shows a text in the session.
        @param caller: types there.
        """

        def status(service: str = "") -> Deferred[None]:
            """
            Show how things stand, of one service or of all.
            """
            look = getattr(self._config, "look", None)
            looked: Deferred[object] = succeed(None) if look is None else look()
            return looked.addCallback(
                lambda _: show(statusTable(self._lbs, self._config, service) + "\n")
            )

        # Python shows this name if the function is called wrongly.
        status.__qualname__ = status.__name__
        setattr(status, CHOICES, choicesOf(self._lbs))
        names: dict[str, object] = {
            "services": self._lbs,
            "manager": self._lbs.manager,
            "config": self._config,
            "status": status,
            **functions(Target(self._lbs, self._config, self._history, logins=self.logins), caller),
        }
        return {**names, "help": Help(show, names)}
