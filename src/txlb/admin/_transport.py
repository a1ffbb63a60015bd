"""
The ssh protocol below the sessions: what is negotiated, and who gets in.

Conch does the protocol. It offers old algorithms beside good ones, and leaves it
to its users to put bounds to what strangers may do; both is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from twisted.conch.ssh import transport
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.service import SSHService
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure

from txlb.admin._administrator import Administrator, Connection
from txlb.admin._log import log, printable, quietLog
from txlb.admin._login import LOGIN_TIMEOUT, UserAuth
from txlb.admin._users import SIGNATURE_ALGORITHMS
from txlb.deadlines import Deadline, Deadlines

#: Connections at a time, with those that have not logged in.
MAX_CONNECTIONS = 16

#: Seconds that a client has to read what it was last told and go.
CLOSE_TIMEOUT = 2.0

#: Seconds that a client whose sessions have been ended has to go by itself.
GOODBYE_TIMEOUT = 1.0

#: Seconds between two lines of the log about connections that were refused.
REFUSAL_INTERVAL = 10.0

KEY_EXCHANGES = (
    b"mlkem768x25519-sha256",
    b"curve25519-sha256",
    b"curve25519-sha256@libssh.org",
    b"ecdh-sha2-nistp256",
    b"ecdh-sha2-nistp384",
    b"ecdh-sha2-nistp521",
)
CIPHERS = (b"aes256-ctr", b"aes192-ctr", b"aes128-ctr")
MACS = (b"hmac-sha2-512", b"hmac-sha2-256")


def _offered(wanted: Sequence[bytes], supported: Sequence[bytes]) -> list[bytes]:
    return [name for name in wanted if name in supported]


class Backpressure:
    """
    While a client doesn't read, it isn't read from, so that the answers to what
    it asks don't pile up.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def pauseProducing(self) -> None:
        """
        It doesn't read.
        """
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        It reads.
        """
        self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        It is gone.
        """


class ManholeTransport(SSHServerTransport):
    """
    One client's connection.

    @ivar peer: from where it comes.
    """

    _log = quietLog
    factory: ManholeFactory
    # Conch declares it as not there yet.
    transport: Any
    supportedKeyExchanges = _offered(KEY_EXCHANGES, SSHServerTransport.supportedKeyExchanges)
    supportedCiphers = _offered(CIPHERS, SSHServerTransport.supportedCiphers)
    supportedMACs = _offered(MACS, SSHServerTransport.supportedMACs)
    # Compression would let a stranger have a megabyte made of every kilobyte.
    supportedCompressions = [b"none"]  # noqa: RUF012 - as Conch has it

    peer = "nowhere"
    #: Whether nothing that comes is looked at any more.
    ended = False
    _wake: Deadline

    def connectionMade(self) -> None:
        """
        A client is there.
        """
        self.peer = _peerName(self.transport.getPeer())
        self.transport.registerProducer(Backpressure(self.transport), True)
        self._wakeAfter(LOGIN_TIMEOUT, self._tooSlow)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        It has gone.
        """
        self.ended = True
        self._wake.cancel()
        user = self.user
        if user is not None:
            log.info("{user}@{peer}: logged out", user=user.name, peer=self.peer)
        try:
            super().connectionLost(reason)
        finally:
            self.factory.connectionGone(self)

    @property
    def user(self) -> Administrator | None:
        """
        Who has logged in.
        """
        user: Administrator | None = getattr(self, "avatar", None)
        return user

    def loggedIn(self, user: Administrator) -> None:
        """
        The client's user is known.
        """
        user.peer = self.peer
        self._wake.cancel()
        log.info("{user}@{peer}: logged in", user=user.name, peer=self.peer)

    def _tooSlow(self) -> None:
        log.info("{peer}: did not log in within {limit} s", peer=self.peer, limit=LOGIN_TIMEOUT)
        self.sendDisconnect(
            transport.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, b"you took too long"
        )

    # What comes in

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes of the protocol. What breaks its rules ends the connection.
        """
        if self.ended:
            return
        try:
            super().dataReceived(data)
        except Exception as error:  # noqa: BLE001 - Conch's parsers raise whatever they do
            log.warn(
                "{peer}: closed, as it sent what can't be understood ({error})",
                peer=self.peer,
                error=printable(f"{type(error).__name__}: {error}", 200),
            )
            self.abort()

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        """
        A message. After the end of the conversation there is none.
        """
        if not self.ended:
            super().dispatchMessage(messageNum, payload)

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """
        The client wants to log in, which it begins once: beginning again would
        give it as many tries again.
        """
        if self.service is not None or not self.isEncrypted("both"):
            self.sendDisconnect(transport.DISCONNECT_PROTOCOL_ERROR, b"no such service now")
        else:
            super().ssh_SERVICE_REQUEST(packet)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        """
        The client says why it goes; most say that their user wants it.
        """
        self._end()

    def receiveUnimplemented(self, seqnum: int) -> None:
        """
        The client does not know what it was told, and need not.
        """

    # What goes out

    def sendExtInfo(self, extensions: list[tuple[bytes, bytes]]) -> None:
        """
        Tell by which algorithms users may sign. Conch would name those of the
        host key, and nobody with another kind of key could log in.
        """
        super().sendExtInfo([(b"server-sig-algs", b",".join(SIGNATURE_ALGORITHMS))])

    def sendDisconnect(self, reason: int, desc: bytes) -> None:
        """
        Tell the client that this is the end, and close.
        """
        if not self.ended:
            self._end()
            super().sendDisconnect(reason, desc)

    def shutDown(self) -> None:
        """
        The manhole closes. Sessions are ended first: OpenSSH's client goes by
        itself then, and shows what it was told, which it does not once it is
        disconnected.
        """
        if not self.ended and self.user is not None and self.user.stopping():
            self._wakeAfter(GOODBYE_TIMEOUT, self._disconnect)
        else:
            self._disconnect()

    def _disconnect(self) -> None:
        self.sendDisconnect(transport.DISCONNECT_BY_APPLICATION, b"the manhole closes")

    def abort(self) -> None:
        """
        Close at once.
        """
        self._end()
        self.transport.abortConnection()

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        # A producer that is paused would keep a closing connection open.
        self.transport.unregisterProducer()
        self._wake.cancel()
        self._wakeAfter(CLOSE_TIMEOUT, self.transport.abortConnection)

    def _wakeAfter(self, delay: float, action: Callable[[], object]) -> None:
        """
        What is to be done when the client has taken too long for something. There
        is one such thing at a time.
        """
        self._wake = self.factory.deadlines.patience(delay, action)


class ManholeFactory(SSHFactory):
    """
    Makes a L{ManholeTransport} for each client.

    @ivar connections: those that are there.
    @ivar refused: how many clients were closed at once because there were too
        many.
    """

    noisy = False
    _log = quietLog
    protocol = ManholeTransport
    services = {  # noqa: RUF012 - as Conch has it
        b"ssh-userauth": UserAuth,
        b"ssh-connection": Connection,
    }
    primes = None

    def __init__(
        self,
        portal: Portal,
        hostKey: Key,
        reactor: IReactorTime,
        deadlines: Deadlines,
        maxConnections: int = MAX_CONNECTIONS,
    ) -> None:
        self.portal = portal
        self.reactor = reactor
        self.deadlines = deadlines
        self.privateKeys = {b"ssh-ed25519": hostKey}
        self.publicKeys = {b"ssh-ed25519": hostKey.public()}
        self.connections: set[ManholeTransport] = set()
        self.refused = 0
        self._maxConnections = maxConnections
        self._lastSaid: float | None = None
        self._whenGone: Deferred[None] | None = None

    def buildProtocol(  # type: ignore[override] # IProtocolFactory allows None, Conch forgot it
        self, addr: IAddress | None
    ) -> ManholeTransport | None:
        """
        A client has connected.

        @return: L{None} where there are too many.
        """
        if len(self.connections) >= self._maxConnections or self._whenGone is not None:
            self._refuse(addr)
            return None
        made = cast("ManholeTransport", super().buildProtocol(addr))
        self.connections.add(made)
        return made

    def getService(self, transport: ManholeTransport, service: bytes) -> type[SSHService] | None:
        """
        What a client can ask for: to log in, and then its sessions.
        """
        if service == b"ssh-userauth" or transport.user is not None:
            return self.services.get(service)
        return None

    def connectionGone(self, gone: ManholeTransport) -> None:
        """
        A client has gone.
        """
        self.connections.discard(gone)
        if not self.connections and self._whenGone is not None:
            self._whenGone.callback(None)

    def shutDown(self) -> Deferred[None]:
        """
        Close every connection.

        @return: fires with L{None} when all are gone, after three seconds or
            little more. It does not fail.
        """
        self._whenGone = Deferred()
        if not self.connections:
            self._whenGone.callback(None)
        for each in tuple(self.connections):
            each.shutDown()
        return self._whenGone

    def _refuse(self, addr: IAddress | None) -> None:
        self.refused += 1
        now = self.deadlines.seconds()
        if self._lastSaid is None or now - self._lastSaid >= REFUSAL_INTERVAL:
            self._lastSaid = now
            log.warn(
                "{peer}: closed, as there are {count} connections already ({refused} so far)",
                peer=_peerName(addr),
                count=len(self.connections),
                refused=self.refused,
            )


def _peerName(address: object) -> str:
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    return "unix"
