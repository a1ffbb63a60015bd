"""
The login by ssh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.conch.error import IgnoreAuthentication
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh import transport
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.userauth import MSG_USERAUTH_REQUEST, SSHUserAuthServer
from twisted.cred.credentials import SSHPrivateKey
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from txlb.admin._log import log, printable, quietLog
from txlb.admin._users import LoginRefused, PasswordTry

if TYPE_CHECKING:
    from txlb.admin._transport import ManholeTransport

#: Seconds from connecting to having logged in.
LOGIN_TIMEOUT = 60.0

#: Tries to log in that may fail on one connection. Each offered key is a try.
MAX_TRIES = 6


class UserAuth(SSHUserAuthServer):
    """
    The login of one client. L{ManholeTransport} bounds its time.

    @ivar busy: whether a try is being decided.
    """

    _log = quietLog
    transport: ManholeTransport
    # The transport's own deadline comes before.
    loginTimeout = 2 * int(LOGIN_TIMEOUT)
    attemptsBeforeDisconnect = MAX_TRIES - 1
    busy = False

    def serviceStarted(self) -> None:
        """
        Begin, with the reactor of the factory as the clock.
        """
        self.clock = self.transport.factory.reactor
        super().serviceStarted()

    def packetReceived(self, messageNum: int, packet: bytes) -> object:
        """
        Take a message. Conch would log messages that it doesn't know, and a password might
        be in them.
        """
        if messageNum != MSG_USERAUTH_REQUEST:
            self.transport.sendUnimplemented()
            return None
        return super().packetReceived(messageNum, packet)

    def ssh_USERAUTH_REQUEST(self, packet: bytes) -> Deferred[Any] | None:
        """
        Decide about a try. The next one has to wait until this one is decided: Conch would
        take the user and method of the second for those of the first, and not count it.
        """
        if self.busy:
            self.transport.sendDisconnect(
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
            NS(self.transport.sessionID or b"")
            + bytes((MSG_USERAUTH_REQUEST,))
            + b"".join(map(NS, (user, service, b"publickey")))
            + b"\1"
            + NS(algorithm)
            + NS(blob)
        )
        credentials = SSHPrivateKey(user, algorithm, blob, message, signature)
        login: Deferred[Any] = self.portal.login(credentials, None, IConchUser)
        return login if signed else login.addErrback(self._ebCheckKey, packet[1:])

    def auth_password(self, packet: bytes) -> Deferred[Any]:
        """
        Check a password.
        """
        if packet[:1] != b"\0":
            return fail(LoginRefused("passwords can't be changed here"))
        password = getNS(packet[1:])[0]
        credentials = PasswordTry(self.user or b"", password, self.transport.newcomer.source)
        login: Deferred[Any] = self.portal.login(credentials, None, IConchUser)
        return login.addErrback(self._ebPassword)

    def _ebPassword(self, failure: Failure) -> Deferred[Any]:
        """
        Answer late, so that guessing takes time.
        """
        late: Deferred[Any] = Deferred()
        self.transport.factory.deadlines.after(self.passwordDelay, lambda: late.errback(failure))
        return late

    def _decided(self, result: object) -> object:
        self.busy = False
        return result

    def _cbFinishedAuth(self, result: Any) -> None:
        """
        Accept a client after a right try.
        """
        if self.nextService != b"ssh-connection":
            raise LoginRefused("it was for something else than sessions")
        if self.transport.factory.full:
            raise LoginRefused("too many clients have logged in already")
        # The client may have gone while its password was checked.
        if not self.transport.ended:
            super()._cbFinishedAuth(result)
            self.transport.loggedIn(result[1])

    def _ebBadAuth(self, reason: Failure) -> None:
        """
        Log a try that failed.
        """
        if self.transport.ended:
            return
        if self.method != b"none" and not reason.check(IgnoreAuthentication):
            log.warn(
                "{user}@{peer}: login by {method} failed: {reason}",
                user=_text(self.user),
                peer=self.transport.peer,
                method=_text(self.method),
                reason=printable(reason.getErrorMessage(), 1000),
            )
        super()._ebBadAuth(reason)


def _text(name: bytes | None) -> str:
    return printable((name or b"").decode("utf-8", "replace"), 64)
