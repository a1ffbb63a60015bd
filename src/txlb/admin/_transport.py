"""
The ssh protocol below the sessions.

Conch exchanges keys, dispatches messages and logs in. Packets and ciphers are txlb's own
(L{txlb.admin._packets}), as Conch has no cipher that authenticates before it decrypts.
The order in which messages may come is txlb's own too (L{txlb.admin._order}).

Until a client has logged in, its input is kept, up to a bound, and worked on when it is the
client's turn: see L{txlb.admin._work}.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Protocol

from twisted.conch.ssh import transport
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.python.failure import Failure

from txlb.admin._administrator import Administrator
from txlb.admin._agreed import Agreed, keyExchanges, offerOf
from txlb.admin._ciphers import CIPHERS, MACS
from txlb.admin._gate import ReadGate
from txlb.admin._givingkey import GivingKey
from txlb.admin._log import log, printable, quietLog
from txlb.admin._login import LOGIN_TIMEOUT, LoginOwner, UserAuth
from txlb.admin._newcomer import Newcomer, NewcomerOwner
from txlb.admin._order import STRICT_CLIENT, STRICT_SERVER, MessageOrder
from txlb.admin._packets import MAX_PACKET, SEQUENCES, PacketError, Packets
from txlb.admin._plain import STOPPING
from txlb.admin.login import Login, Logins, Session, peerName, sourceOf
from txlb.admin.login._signatures import SIGNATURE_ALGORITHMS
from txlb.deadlines import Deadline

#: Seconds that a client has to read the last messages and go.
CLOSE_TIMEOUT = 2.0

#: Seconds that a client whose sessions have been ended has to go by itself.
GOODBYE_TIMEOUT = 1.0


class ConnectionOwner(NewcomerOwner, LoginOwner, Protocol):
    """
    The owner of the connections: a L{txlb.admin._factory.ManholeFactory}.

    @ivar logins: decides about logins.
    """

    logins: Logins

    def begins(self, newcomer: Newcomer) -> None:
        """
        Give a new client a place, and tell it when it is due.
        """

    def loggedIn(self, connection: ManholeTransport) -> None:
        """
        Take note that a client has logged in.
        """

    def connectionEnds(self, connection: ManholeTransport) -> None:
        """
        Free the place of a client that is told to go.
        """

    def connectionGone(self, gone: ManholeTransport) -> None:
        """
        Forget a client that has gone.
        """


class ManholeTransport(SSHServerTransport):
    """
    One client's connection.

    @ivar owner: its factory, which sets this.
    @ivar peer: the address of the client, as logs name it.
    @ivar newcomer: its state until the client has logged in.
    """

    _log = quietLog
    owner: ConnectionOwner
    # Conch declares it as not there yet.
    transport: Any
    supportedKeyExchanges = keyExchanges(SSHServerTransport.supportedKeyExchanges)
    supportedCiphers = list(CIPHERS)  # noqa: RUF012 - as Conch has it
    supportedMACs = list(MACS)  # noqa: RUF012 - likewise
    # With compression a client could have a megabyte made of every kilobyte.
    supportedCompressions = [b"none"]  # noqa: RUF012 - likewise

    #: Whether input is ignored.
    ended = False
    newcomer: Newcomer
    #: Its place in the register of sessions; L{None} before the login.
    session: Session | None = None
    _wake: Deadline

    def __init__(self) -> None:
        self.peer = "nowhere"
        self._packets = Packets()
        self._order = MessageOrder()

    def connectionMade(self) -> None:
        """
        Give the client a place, and wait for its turn.
        """
        address = self.transport.getPeer()
        self.peer = peerName(address)
        gate = ReadGate(self.transport)
        self.newcomer = Newcomer(self, self.owner, gate, sourceOf(address))
        self.transport.registerProducer(gate, True)
        self._giveWay()
        self._wakeAfter(LOGIN_TIMEOUT, self._tooSlow)
        self.owner.begins(self.newcomer)

    def begin(self) -> None:
        """
        Talk to the client, as it is the client's turn.
        """
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        Forget the client, as it has gone.
        """
        self.ended = True
        self._wake.cancel()
        user = self.user
        if self.session is not None:
            self.session.close()
        if user is not None:
            log.info("{user}@{peer}: logged out", user=user.name, peer=self.peer)
        try:
            super().connectionLost(reason)
        finally:
            self.owner.connectionGone(self)

    @property
    def user(self) -> Administrator | None:
        """
        The avatar of the user; L{None} before the login.
        """
        user: Administrator | None = getattr(self, "avatar", None)
        return user

    def _giveWay(self) -> None:
        """
        Let relayed connections go on, between two parts of the work for a client that has not
        logged in. A command of a user is not interrupted: it may look at what they change.
        """
        if self.user is None:
            self.owner.logins.giveWay()

    def loggedIn(self, user: Administrator) -> None:
        """
        Note the user of the client, whose login was registered.
        """
        user.peer = self.peer
        self._wake.cancel()
        self._packets.maxPacket = MAX_PACKET
        self.owner.loggedIn(self)
        log.info("{user}@{peer}: logged in", user=user.name, peer=self.peer)

    def _tooSlow(self) -> None:
        log.info("{peer}: did not log in within {limit} s", peer=self.peer, limit=LOGIN_TIMEOUT)
        self.sendDisconnect(
            transport.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, b"you took too long"
        )

    # Among the connections before their login

    @property
    def deciding(self) -> bool:
        """
        Whether a try of the client to log in is being decided.
        """
        return isinstance(self.service, UserAuth) and self.service.deciding

    def makeRoom(self) -> None:
        """
        Close the connection, as other clients want to log in.
        """
        self.sendDisconnect(
            transport.DISCONNECT_TOO_MANY_CONNECTIONS, b"others want to log in, try again"
        )

    # Input

    @property
    def unread(self) -> int:
        """
        The number of bytes that have come and were not looked at yet.
        """
        return self._packets.waiting

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes of the protocol. Bytes that break its rules end the connection.
        """
        if self.ended:
            return
        self._packets.feed(data)
        if self.user is None:
            self.newcomer.received(len(data))
        else:
            if self.session is not None:
                self.session.active()
            self.whileInOrder(self.readAll)

    def whileInOrder(self, read: Callable[[], bool]) -> bool:
        """
        Call a function that reads. If the input breaks the rules, end the connection.

        @return: the result of C{read}, or L{False}.
        """
        try:
            return read()
        except PacketError as error:
            self._outOfOrder(str(error), error.reason)
        except Exception as error:  # noqa: BLE001 - Conch's parsers raise many kinds
            self._complain(f"{type(error).__name__}: {error}")
            self.abort()
        return False

    def _outOfOrder(self, what: str, reason: int = transport.DISCONNECT_PROTOCOL_ERROR) -> None:
        if not self.ended:
            self._complain(what)
            self.sendDisconnect(reason, what.encode("ascii", "replace"))

    def _complain(self, what: str) -> None:
        log.warn(
            "{peer}: closed, as its input can't be understood ({error})",
            peer=self.peer,
            error=printable(what, 200),
        )

    def readAll(self) -> bool:
        """
        Read all messages that have come.

        @return: L{False}, as there is no other one then.
        """
        while not self.ended and self.readOne():
            pass
        return False

    def readOne(self) -> bool:
        """
        Read the first line or the next message.

        @return: whether there was one.
        """
        self._giveWay()
        message = self._packets.next() if self.gotVersion else self._packets.line()
        if message is None:
            return False
        if self.gotVersion:
            self.dispatchMessage(message[0], message[1:])
        else:
            self._versionReceived(message)
        return True

    def _versionReceived(self, line: bytes) -> None:
        parts = line.split(b"-", 2)
        if parts[0] != b"SSH" or len(parts) < 3:
            raise PacketError("its first line is no ssh")
        if parts[1] not in self.supportedVersions:
            self._unsupportedVersionReceived(parts[1])
            return
        self.gotVersion = True
        self.otherVersionString = line

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        """
        Take a message, unless the conversation has ended.
        """
        if self.ended:
            return
        self._giveWay()
        if self._order.mayCome(messageNum, self.user is not None):
            super().dispatchMessage(messageNum, payload)
        else:
            self._outOfOrder(f"message {messageNum} does not belong here")

    # Keys

    def sendKexInit(self) -> None:
        """
        Send the offer of algorithms.
        """
        if self._keyExchangeState != self._KEY_EXCHANGE_NONE:
            raise RuntimeError(f"keys are being exchanged: {self._keyExchangeState}")
        exchanges = [*self.supportedKeyExchanges, self._EXT_INFO_S]
        if self.sessionID is None:
            exchanges.append(STRICT_SERVER)
        lists = (
            exchanges,
            self.supportedPublicKeys,
            *(self.supportedCiphers, self.supportedCiphers),
            *(self.supportedMACs, self.supportedMACs),
            *(self.supportedCompressions, self.supportedCompressions),
            *(self.supportedLanguages, self.supportedLanguages),
        )
        offer = offerOf(lists)
        self.ourKexInitPayload = bytes((transport.MSG_KEXINIT,)) + offer
        self.sendPacket(transport.MSG_KEXINIT, offer)
        self._keyExchangeState = self._KEY_EXCHANGE_REQUESTED
        self._blockedByKeyExchange: Any = []

    def ssh_KEXINIT(self, packet: bytes) -> None:
        """
        Take the offer of the client.
        """
        if self.sessionID is None and STRICT_CLIENT in getNS(packet[16:])[0].split(b","):
            self._order.strict = True
            if self._packets.received != 1:
                self._outOfOrder("a strict key exchange begins with the first message")
                return
        super().ssh_KEXINIT(packet)
        if not self.ended:
            self.nextEncryptions: Any = Agreed(self.nextEncryptions)
            self._order.agreed()

    # A key exchange takes half a millisecond, and relayed connections go on between its parts.

    def _getHostKeys(self, keyAlg: bytes) -> tuple[Any, Any]:
        public, private = super()._getHostKeys(keyAlg)
        return GivingKey(public, self._giveWay), GivingKey(private, self._giveWay)

    def _generateECPrivateKey(self) -> Any:
        self._giveWay()
        return super()._generateECPrivateKey()

    def _encodeECPublicKey(self, ecPub: Any) -> Any:
        self._giveWay()
        return super()._encodeECPublicKey(ecPub)

    def _generateECSharedSecret(self, ecPriv: Any, theirECPubBytes: bytes) -> Any:
        self._giveWay()
        shared = super()._generateECSharedSecret(ecPriv, theirECPubBytes)
        self._giveWay()
        return shared

    def _keySetup(self, sharedSecret: bytes, exchangeHash: bytes) -> None:
        self._giveWay()
        super()._keySetup(sharedSecret, exchangeHash)

    def _newKeys(self) -> None:
        """
        Use the new keys for packets of the client.
        """
        self._packets.incoming = self.nextEncryptions.incoming
        if self._order.strict:
            self._packets.received = 0
        self._order.done()
        self.newcomer.stage = 1
        super()._newKeys()

    def sendExtInfo(self, extensions: list[tuple[bytes, bytes]]) -> None:
        """
        Tell by which algorithms users may sign. Conch would name those of the host key, and
        users with another kind of key could not log in.
        """
        super().sendExtInfo([(b"server-sig-algs", b",".join(SIGNATURE_ALGORITHMS))])

    # Other messages

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """
        Begin the login. A client may ask for it before each try, as paramiko does; that gives
        it no more tries.
        """
        asked = getNS(packet)[0]
        if isinstance(self.service, UserAuth) and asked == self.service.name:
            self.sendPacket(transport.MSG_SERVICE_ACCEPT, NS(asked))
        elif self.service is not None:
            self.sendDisconnect(transport.DISCONNECT_PROTOCOL_ERROR, b"no such service now")
        else:
            super().ssh_SERVICE_REQUEST(packet)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        """
        End, as the client says that it goes.
        """
        self._end()

    def receiveUnimplemented(self, seqnum: int) -> None:
        """
        Ignore that the client does not know a message.
        """

    # Output

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """
        Send a message, now or when an exchange of keys is over.
        """
        exchanging = self._keyExchangeState != self._KEY_EXCHANGE_NONE
        if exchanging and not self._allowedKeyExchangeMessageType(messageType):
            self._blockedByKeyExchange.append((messageType, payload))
            return
        self._giveWay()
        self.transport.write(self._packets.seal(bytes((messageType,)) + payload))
        if messageType == transport.MSG_NEWKEYS:
            self._packets.outgoing = self.nextEncryptions.outgoing
            if self._order.strict:
                self._packets.sent = 0
            self._order.sent()

    def sendUnimplemented(self) -> None:
        """
        Tell the client that its last message is not known.
        """
        number = (self._packets.received - 1) % SEQUENCES
        self.sendPacket(transport.MSG_UNIMPLEMENTED, struct.pack(">L", number))

    def sendDisconnect(self, reason: int, desc: bytes) -> None:
        """
        Tell the client that this is the end, and close.
        """
        if self.ended:
            return
        if not self.newcomer.begun:
            self.abort()
            return
        self._end()
        super().sendDisconnect(reason, desc)

    def enter(self, login: Login) -> None:
        """
        Register the login of the client, before it is accepted.

        @raise LoginRefused: the access was taken away again, or too many are in.
        """
        self.session = self.owner.logins.sessions.open(login, "ssh", self.peer, self.shutDown)

    def shutDown(self, why: str = STOPPING) -> None:
        """
        End the sessions, then close. OpenSSH's client goes by itself at the end of its
        session, and shows its last output, which it does not if it is disconnected.

        @param why: the reason, for the client.
        """
        if not self.ended and self.user is not None and self.user.stopping(why):
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
        self.owner.connectionEnds(self)
        # A producer that is paused would keep a closing connection open.
        self.transport.unregisterProducer()
        self._wake.cancel()
        self._wakeAfter(CLOSE_TIMEOUT, self.transport.abortConnection)

    def _wakeAfter(self, delay: float, action: Callable[[], object]) -> None:
        """
        Call a function if the client takes too long. There is one such deadline at a time.
        """
        self._wake = self.owner.deadlines.patience(delay, action)
