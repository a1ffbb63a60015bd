"""
The clients of a control socket.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txlb.admin._log import log
from txlb.admin._target import Target
from txlb.admin._work import Ration, RationedWork
from txlb.admin.control._protocol import ControlProtocol
from txlb.admin.login import LOCAL, Login, LoginRefused, Logins, PeerUser
from txlb.deadlines import Deadlines, Throttle

if TYPE_CHECKING:
    from txlb.proxy import ClientConnection

#: Clients at a time.
MAX_CLIENTS = 256

#: The work for all of them. A long answer is made in steps of about a millisecond. The time
#: that is saved up is enough for the status of some thousand hosts.
COMMANDS = Ration(slice=0.001, pause=0.001, share=0.2, saved=0.3, owed=0.02, atOnce=True)

#: struct ucred of Linux: the process, its user, its group.
_CREDENTIALS = struct.Struct("3i")


def peerUser(sock: socket.socket) -> int | None:
    """
    Return the user of the process that has connected, as the system tells it.

    @return: L{None} if the system does not tell.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return int(uid)


class OneFactory(Factory):
    """
    A factory of the one protocol that it was made with.
    """

    noisy = False

    def __init__(self, protocol: ControlProtocol) -> None:
        self._only = protocol

    def buildProtocol(self, addr: IAddress | None) -> ControlProtocol:
        return self._only


class Clients:
    """
    The clients of a control socket. Owned by its service.

    @param reactor: adopts their sockets.
    @param most: the most clients at a time.
    @param work: does their requests.
    """

    def __init__(
        self,
        target: Target,
        reactor: Any,
        deadlines: Deadlines,
        most: int = MAX_CLIENTS,
        work: RationedWork | None = None,
    ) -> None:
        self.work = RationedWork(deadlines, COMMANDS) if work is None else work
        self._target = target
        self._logins = target.logins or Logins()
        self._reactor = reactor
        self._deadlines = deadlines
        self._most = most
        # In the order of their last requests.
        self._clients: dict[ControlProtocol, None] = {}
        self._throttle = Throttle(deadlines, _say)
        self._ending = False
        self._allGone: list[Deferred[None]] = []

    def __len__(self) -> int:
        """
        Return their number.
        """
        return len(self._clients)

    def accepted(self, client: ClientConnection) -> None:
        """
        Take the connection of a client.

        @param client: the connection, whose socket belongs to this object from here.
        """
        self.take(client.fd)

    def take(self, descriptor: int) -> None:
        """
        Take the connection of a client.

        @param descriptor: its socket, which belongs to this object from here.
        """
        with socket.socket(fileno=descriptor) as sock:
            if self._ending:
                return
            sock.setblocking(False)
            # The answer is there at once: no server is asked about users of this machine.
            answers: list[Any] = []
            self._logins.login(PeerUser(peerUser(sock))).addBoth(answers.append)
            if isinstance(answers[0], Failure):
                answers[0].trap(LoginRefused)
                self.complain(answers[0].getErrorMessage())
            else:
                self._adopt(sock, answers[0])

    def _adopt(self, sock: socket.socket, login: Login) -> None:
        while len(self._clients) >= self._most:
            self._makeRoom()
        protocol = ControlProtocol(self, self._target, login.caller(""))
        try:
            protocol.session = self._logins.sessions.open(login, "control", LOCAL, protocol.drop)
        except LoginRefused as error:
            self.complain(str(error))
            return
        self._clients[protocol] = None
        try:
            # The reactor takes a copy of the descriptor; ours is closed by the caller.
            self._reactor.adoptStreamConnection(sock.fileno(), socket.AF_UNIX, OneFactory(protocol))
        except BaseException:
            self.gone(protocol)
            raise

    def _makeRoom(self) -> None:
        oldest = next(iter(self._clients))
        self.gone(oldest)
        oldest.drop(f"there are {self._most} clients, and it has been silent for longest")

    def active(self, protocol: ControlProtocol) -> None:
        """
        Note that a client has sent something.
        """
        if protocol.session is not None:
            protocol.session.active()
        if protocol in self._clients:
            del self._clients[protocol]
            self._clients[protocol] = None

    def gone(self, protocol: ControlProtocol) -> None:
        """
        Forget a client that is gone.
        """
        self._clients.pop(protocol, None)
        if protocol.session is not None:
            protocol.session.close()
        self.work.remove(protocol)
        if not self._clients:
            waiting, self._allGone = self._allGone, []
            for each in waiting:
                each.callback(None)

    def complain(self, text: str) -> None:
        """
        Log a misdeed of a client. A stream of such lines is thinned out.
        """
        self._throttle.happened(text)

    def nextTurn(self) -> Deferred[None]:
        """
        @return: fires with L{None} in the reactor's next turn.
        """
        call: Any = None
        turn: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(0, lambda: turn.callback(None))
        return turn

    def turnAway(self) -> None:
        """
        Accept no more clients.
        """
        self._ending = True

    def finish(self, patience: float) -> Deferred[None]:
        """
        Accept no more clients, answer the requests under way, and end all connections.

        @param patience: seconds after which connections are dropped that have not ended.
        @return: fires with L{None} when they are gone.
        """
        self.turnAway()
        for protocol in tuple(self._clients):
            protocol.finish()
        deadline = self._deadlines.after(patience, self.dropAll)

        def ended(_: None) -> None:
            deadline.cancel()
            self.work.stop()
            self._throttle.flush()

        return self._whenGone().addCallback(ended)

    def dropAll(self) -> Deferred[None]:
        """
        Drop all clients.

        @return: fires with L{None} when they are gone.
        """
        self.work.stop()
        self._throttle.flush()
        for protocol in tuple(self._clients):
            protocol.drop("")
        return self._whenGone()

    def _whenGone(self) -> Deferred[None]:
        gone: Deferred[None] = Deferred()
        if self._clients:
            self._allGone.append(gone)
        else:
            gone.callback(None)
        return gone


def _say(times: int, text: str) -> None:
    log.warn("the control socket: {text} ({times} such times)", text=text, times=times)
