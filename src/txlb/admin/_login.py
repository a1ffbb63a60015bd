"""
The login by ssh.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.conch.error import IgnoreAuthentication
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh import transport
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.userauth import MSG_USERAUTH_BANNER, MSG_USERAUTH_REQUEST, SSHUserAuthServer
from twisted.cred.credentials import SSHPrivateKey
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txlb.admin._interaction import MSG_USERAUTH_INFO_RESPONSE, Interaction
from txlb.admin._log import log, printable, quietLog
from txlb.admin._newcomer import Newcomer
from txlb.admin.login import ILogin, Login, LoginRefused, Logins, PasswordTry, SourceUnavailable
from txlb.admin.login._refused import TOLD
from txlb.deadlines import Deadlines

#: Seconds from connecting to having logged in.
LOGIN_TIMEOUT = 60.0

#: Tries to log in that may fail on one connection. Each offered key is a try.
MAX_TRIES = 6


class LoginOwner(Protocol):
    """
    The parts of a L{txlb.admin._factory.ManholeFactory} that logins use.

    @ivar reactor: the clock of Conch's own timer.
    @ivar deadlines: calls when an answer is due.
    @ivar logins: decides about logins.
    """

    logins: Logins
    reactor: IReactorTime
    deadlines: Deadlines

    @property
    def full(self) -> bool:
        """
        Whether as many have logged in as may.
        """

    def userOf(self, login: Login) -> Any:
        """
        Return the ssh user of a login.
        """


class LoginConnection(Protocol):
    """
    The parts of a L{txlb.admin._transport.ManholeTransport} that its login uses.
    """

    @property
    def owner(self) -> LoginOwner:
        """
        The owner of the connection.
        """

    @property
    def peer(self) -> str:
        """
        The address of the client, as logs name it.
        """

    @property
    def newcomer(self) -> Newcomer:
        """
        Its state until the client has logged in.
        """

    @property
    def ended(self) -> bool:
        """
        Whether input is ignored.
        """

    @property
    def sessionID(self) -> bytes | None:
        """
        The text by which signatures are those of this connection.
        """

    def enter(self, login: Login) -> None:
        """
        Register the login of the client, before it is accepted, or raise L{LoginRefused}.
        """

    def loggedIn(self, user: Any) -> None:
        """
        Note the user of the client, its avatar.
        """

    def sendDisconnect(self, reason: int, desc: bytes) -> None:
        """
        Tell the client that this is the end, and close.
        """

    def sendUnimplemented(self) -> None:
        """
        Tell the client that its last message is not known.
        """


class UserAuth(SSHUserAuthServer):
    """
    The login of one client. L{txlb.admin._transport.ManholeTransport} bounds its time.

    @ivar busy: whether a try is being decided.
    """

    _log = quietLog
    # L{LoginConnection} tells the parts of it that are used.
    transport: Any
    # The transport's own deadline comes before.
    loginTimeout = 2 * int(LOGIN_TIMEOUT)
    attemptsBeforeDisconnect = MAX_TRIES - 1
    busy = False

    @property
    def _connection(self) -> LoginConnection:
        connection: LoginConnection = self.transport
        return connection

    def serviceStarted(self) -> None:
        """
        Begin, with the reactor of the factory as the clock.
        """
        self.clock = self._connection.owner.reactor
        self._interaction = Interaction(self.transport.sendPacket)
        super().serviceStarted()
        if self._connection.owner.logins.asks:
            # Only then: clients prefer it to a mere password.
            self.supportedAuthentications.insert(0, b"keyboard-interactive")

    def serviceStopped(self) -> None:
        """
        End, as the client has logged in or gone.
        """
        super().serviceStopped()
        self._interaction.stop()

    @property
    def deciding(self) -> bool:
        """
        Whether a try is being decided, and does not wait for the client.
        """
        return self.busy and not self._interaction.waiting

    def packetReceived(self, messageNum: int, packet: bytes) -> object:
        """
        Take a message. Conch would log messages that it doesn't know, and a password might
        be in them.
        """
        if messageNum == MSG_USERAUTH_INFO_RESPONSE and self._interaction.waiting:
            self._interaction.answered(packet)
            return None
        if messageNum != MSG_USERAUTH_REQUEST:
            self._connection.sendUnimplemented()
            return None
        return super().packetReceived(messageNum, packet)

    def ssh_USERAUTH_REQUEST(self, packet: bytes) -> Deferred[Any] | None:
        """
        Decide about a try. The next one has to wait until this one is decided: Conch would
        take the user and method of the second for those of the first, and not count it.
        """
        if self.busy:
            self._connection.sendDisconnect(
                transport.DISCONNECT_PROTOCOL_ERROR, b"one try at a time, please"
            )
            return None
        self.busy = True
        trying: Deferred[Any] = super().ssh_USERAUTH_REQUEST(packet) or succeed(None)
        return trying.addBoth(self._decided)

    def auth_publickey(self, packet: bytes) -> Deferred[Any]:
        """
        Check a key, which comes with a signature or without. It is parsed only if it is one
        that may log in.
        """
        signed = packet[:1] != b"\0"
        algorithm, blob, rest = getNS(packet[1:], 2)
        signature = getNS(rest)[0] if signed else None
        user, service = self.user or b"", self.nextService or b""
        message = (
            NS(self._connection.sessionID or b"")
            + bytes((MSG_USERAUTH_REQUEST,))
            + b"".join(map(NS, (user, service, b"publickey")))
            + b"\1"
            + NS(algorithm)
            + NS(blob)
        )
        credentials = SSHPrivateKey(user, algorithm, blob, message, signature)
        login: Deferred[Any] = self.portal.login(credentials, None, ILogin)
        return login if signed else login.addErrback(self._ebCheckKey, packet[1:])

    def auth_password(self, packet: bytes) -> Deferred[Any]:
        """
        Check a password.
        """
        if packet[:1] != b"\0":
            return fail(LoginRefused("passwords can't be changed here"))
        password = getNS(packet[1:])[0]
        credentials = PasswordTry(self.user or b"", password, self._connection.newcomer.source)
        login: Deferred[Any] = self.portal.login(credentials, None, ILogin)
        return login

    def auth_keyboard_interactive(self, packet: bytes) -> Deferred[Any]:
        """
        Ask for a password, and then for all that its source wants to know.
        """
        user, source = self.user or b"", self._connection.newcomer.source
        asked = self._interaction.ask("Password", False)

        def check(password: bytes) -> Deferred[Any]:
            credentials = PasswordTry(user, password, source, self._interaction.ask)
            login: Deferred[Any] = self.portal.login(credentials, None, ILogin)
            return login

        return asked.addCallback(check)

    def _decided(self, result: object) -> object:
        self.busy = False
        return result

    def _cbFinishedAuth(self, result: Any) -> None:
        """
        Accept a client after a right try.
        """
        if self.nextService != b"ssh-connection":
            raise LoginRefused("it was for something else than sessions")
        if self._connection.owner.full:
            raise LoginRefused("too many clients have logged in already")
        # The client may have gone while its password was checked.
        if not self._connection.ended:
            _, login, logout = result
            self._connection.enter(login)
            user = self._connection.owner.userOf(login)
            super()._cbFinishedAuth((IConchUser, user, logout))
            self._connection.loggedIn(user)

    def _ebBadAuth(self, reason: Failure) -> None:
        """
        Log a try that failed.
        """
        if self._connection.ended:
            return
        giveWay = self._connection.owner.logins.giveWay
        giveWay()
        if self.method != b"none" and not reason.check(IgnoreAuthentication):
            log.warn(
                "{user}@{peer}: login by {method} failed: {reason}",
                user=_text(self.user),
                peer=self._connection.peer,
                method=_text(self.method),
                reason=printable(reason.getErrorMessage(), 1000),
            )
            giveWay()
        if reason.check(SourceUnavailable):
            self._tell(TOLD)
        super()._ebBadAuth(reason)

    def _tell(self, text: str) -> None:
        """
        Show a text to the person, as a banner.
        """
        self.transport.sendPacket(MSG_USERAUTH_BANNER, NS(f"{text}\r\n".encode()) + NS(b"en"))


def _text(name: bytes | None) -> str:
    return printable((name or b"").decode("utf-8", "replace"), 64)
