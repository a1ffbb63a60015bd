"""
The ssh protocol below the sessions: what is negotiated, and what may come when.

Conch exchanges keys, dispatches messages and logs in. Packets and ciphers are ours
(L{txlb.admin._packets}), as Conch has no cipher that authenticates before it decrypts.
So is the order of messages (I{strict key exchange}, which OpenSSH's C{PROTOCOL}
describes in section 1.10): without it an attacker on the way can drop messages from the
beginning of a connection (CVE-2023-48795, "Terrapin").

Until a client has logged in, what it sends is only kept, up to a bound, and worked on
when it is its turn: see L{txlb.admin._work}.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.conch.ssh import transport
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.python.failure import Failure

from txlb.admin._administrator import Administrator
from txlb.admin._ciphers import CIPHERS, MACS, PacketCipher, packetCipher
from txlb.admin._gate import ReadGate
from txlb.admin._log import log, printable, quietLog
from txlb.admin._login import LOGIN_TIMEOUT, UserAuth
from txlb.admin._packets import MAX_PACKET, SEQUENCES, PacketError, Packets
from txlb.admin._source import LOCAL, peerName, sourceOf
from txlb.admin._users import SIGNATURE_ALGORITHMS
from txlb.deadlines import Deadline

if TYPE_CHECKING:
    from txlb.admin._factory import ManholeFactory

#: Seconds that a client has to read what it was last told and go.
CLOSE_TIMEOUT = 2.0

#: Seconds that a client whose sessions have been ended has to go by itself.
GOODBYE_TIMEOUT = 1.0

#: Messages, and bytes, that a client may send before it has logged in. OpenSSH's client
#: sends about ten, and two more for each key.
MAX_EARLY_MESSAGES = 128
MAX_EARLY_BYTES = 262_144

#: Messages without a meaning (C{SSH_MSG_IGNORE} and the like) that may come before the first
#: keys. OpenSSH's client sends none.
MAX_MEANWHILE = 4

#: All of them with x25519 in it: what ssh-audit says of NIST's curves is that they may be
#: backdoored. The first one does not help those who keep what they see until they have a
#: quantum computer; the others are for clients that have no such algorithm, as OpenSSH before
#: release 9.9 has none of those that Conch has.
KEY_EXCHANGES = (
    b"mlkem768x25519-sha256",
    b"curve25519-sha256",
    b"curve25519-sha256@libssh.org",
)

#: What both sides say in their first message to keep to a strict order of messages.
STRICT_SERVER = b"kex-strict-s-v00@openssh.com"
STRICT_CLIENT = b"kex-strict-c-v00@openssh.com"

#: The message that begins a key exchange by any of those algorithms.
MSG_KEX_INIT = transport.MSG_KEX_DH_GEX_REQUEST_OLD


def _offered(wanted: Sequence[bytes], supported: Sequence[bytes]) -> list[bytes]:
    return [name for name in wanted if name in supported]


class KeyExchange(Enum):
    """
    How far an exchange of keys is.
    """

    #: It is for the client to say what it offers.
    WAITING = "waiting"
    #: It has been agreed by what algorithms.
    AGREED = "agreed"
    #: We have sent all, and use the new keys for what goes out.
    SENT = "sent"
    #: Both use the new keys.
    DONE = "done"


#: What may come while an exchange is under way, and what may come of that in a strict one.
_EXCHANGE = {transport.MSG_KEXINIT, MSG_KEX_INIT, transport.MSG_NEWKEYS, transport.MSG_DISCONNECT}
_MEANWHILE = {transport.MSG_IGNORE, transport.MSG_UNIMPLEMENTED, transport.MSG_DEBUG}

#: When each message of an exchange may come.
_WHEN = {
    transport.MSG_KEXINIT: (KeyExchange.WAITING, KeyExchange.DONE),
    MSG_KEX_INIT: (KeyExchange.AGREED,),
    transport.MSG_NEWKEYS: (KeyExchange.SENT,),
}


class Agreed:
    """
    The ciphers that were agreed on, in the place of Conch's C{SSHCiphers}.

    @param names: Conch's, with the names in it.
    @ivar outgoing: what goes out is sealed with it, once there are keys.
    @ivar incoming: what comes in is opened with it, likewise.
    """

    outgoing: PacketCipher
    incoming: PacketCipher

    def __init__(self, names: Any) -> None:
        self.outCipType: bytes = names.outCipType
        self.inCipType: bytes = names.inCipType
        self.outMACType: bytes = names.outMACType
        self.inMACType: bytes = names.inMACType

    def setKeys(
        self,
        outIV: bytes,
        outKey: bytes,
        inIV: bytes,
        inKey: bytes,
        outInteg: bytes,
        inInteg: bytes,
    ) -> None:
        """
        These are the keys, as Conch derives them.
        """
        self.outgoing = packetCipher(
            self.outCipType, self.outMACType, outKey, outIV, outInteg, sealing=True
        )
        self.incoming = packetCipher(
            self.inCipType, self.inMACType, inKey, inIV, inInteg, sealing=False
        )


class ManholeTransport(SSHServerTransport):
    """
    One client's connection. Until its client has logged in it is a
    L{txlb.admin._startups.Startup} and a L{txlb.admin._work.Job}.

    @ivar peer: from where it comes, as it is called in logs.
    @ivar source: from where it comes, as limits count.
    @ivar stage: 0 until keys were exchanged, then 1.
    @ivar cost: seconds of work that it has had before logging in.
    """

    _log = quietLog
    factory: ManholeFactory
    # Conch declares it as not there yet.
    transport: Any
    supportedKeyExchanges = _offered(KEY_EXCHANGES, SSHServerTransport.supportedKeyExchanges)
    supportedCiphers = list(CIPHERS)  # noqa: RUF012 - as Conch has it
    supportedMACs = list(MACS)  # noqa: RUF012 - likewise
    # Compression would let a stranger have a megabyte made of every kilobyte.
    supportedCompressions = [b"none"]  # noqa: RUF012 - likewise

    #: Whether nothing that comes is looked at any more.
    ended = False
    _wake: Deadline
    _gate: ReadGate

    def __init__(self) -> None:
        self.peer = "nowhere"
        self.source = LOCAL
        self.stage = 0
        self.cost = 0.0
        self._packets = Packets()
        self._exchange = KeyExchange.WAITING
        self._strict = False
        self._isDue = False
        self._begun = False
        self._toBeDone = False
        self._earlyMessages = 0
        self._meanwhile = 0
        self._earlyBytes = 0

    def connectionMade(self) -> None:
        """
        A client is there.
        """
        address = self.transport.getPeer()
        self.peer, self.source = peerName(address), sourceOf(address)
        self.factory.startups.add(self)
        self._gate = ReadGate(self.transport)
        self.transport.registerProducer(self._gate, True)
        self._wakeAfter(LOGIN_TIMEOUT, self._tooSlow)
        self.factory.begins(self)

    def due(self) -> None:
        """
        It may begin: nothing is said to the client before.
        """
        if not self.ended:
            self._isDue = self._toBeDone = True
            self.factory.work.add(self)

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
        self._packets.maxPacket = MAX_PACKET
        self.factory.loggedIn(self)
        log.info("{user}@{peer}: logged in", user=user.name, peer=self.peer)

    def _tooSlow(self) -> None:
        log.info("{peer}: did not log in within {limit} s", peer=self.peer, limit=LOGIN_TIMEOUT)
        self.sendDisconnect(
            transport.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, b"you took too long"
        )

    # Among those who have not logged in

    @property
    def silent(self) -> bool:
        """
        See L{txlb.admin._startups.Startup.silent}.
        """
        deciding = isinstance(self.service, UserAuth) and self.service.busy
        return self._begun and not self._toBeDone and not deciding

    def makeRoom(self) -> None:
        """
        See L{txlb.admin._startups.Startup.makeRoom}.
        """
        self.sendDisconnect(
            transport.DISCONNECT_TOO_MANY_CONNECTIONS, b"others want to log in, try again"
        )

    # What comes in

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes of the protocol. What breaks its rules ends the connection.
        """
        if self.ended:
            return
        self._packets.feed(data)
        if self.user is not None:
            self._whileInOrder(self._readAll)
            return
        self._earlyBytes += len(data)
        self._gate.hold()
        if self._isDue:
            self._toBeDone = True
            self.factory.work.add(self)

    def work(self) -> bool:
        """
        Look at the next message, see L{txlb.admin._work.Job.work}.
        """
        if not self.ended:
            self._whileInOrder(self._readOne)
        if self.user is not None:
            self._whileInOrder(self._readAll)
        if self.ended:
            return False
        if not self._toBeDone:
            self._gate.release()
        return self._toBeDone

    def _whileInOrder(self, read: Callable[[], object]) -> None:
        try:
            read()
        except PacketError as error:
            self._outOfOrder(str(error), error.reason)
        except Exception as error:  # noqa: BLE001 - Conch's parsers raise whatever they do
            self._complain(f"{type(error).__name__}: {error}")
            self.abort()

    def _outOfOrder(self, what: str, reason: int = transport.DISCONNECT_PROTOCOL_ERROR) -> None:
        if not self.ended:
            self._complain(what)
            self.sendDisconnect(reason, what.encode("ascii", "replace"))

    def _complain(self, what: str) -> None:
        log.warn(
            "{peer}: closed, as it sent what can't be understood ({error})",
            peer=self.peer,
            error=printable(what, 200),
        )

    def _readAll(self) -> None:
        while not self.ended and (message := self._packets.next()) is not None:
            self.dispatchMessage(message[0], message[1:])
        self._toBeDone = False

    def _readOne(self) -> None:
        """
        Read the first line or the next message; before that, begin.
        """
        if not self._begun:
            self._begun = True
            super().connectionMade()
            self._toBeDone = self._packets.waiting > 0
            return
        if self._earlyBytes > MAX_EARLY_BYTES or self._earlyMessages >= MAX_EARLY_MESSAGES:
            raise PacketError("it has sent too much without logging in")
        if self.gotVersion:
            message = self._packets.next()
            if message is not None:
                self._earlyMessages += 1
                self.dispatchMessage(message[0], message[1:])
        else:
            message = self._packets.line()
            if message is not None:
                self._versionReceived(message)
        if message is not None:
            self.factory.startups.heard(self)
        self._toBeDone = message is not None and self._packets.waiting > 0

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
        A message. After the end of the conversation there is none.
        """
        if self.ended:
            return
        if self._mayCome(messageNum):
            super().dispatchMessage(messageNum, payload)
        else:
            self._outOfOrder(f"message {messageNum} does not belong here")

    def _mayCome(self, number: int) -> bool:
        if number in _WHEN:
            again = number == transport.MSG_KEXINIT and self._exchange is KeyExchange.DONE
            # New keys before a login would be as many exchanges as anybody wants.
            return self._exchange in _WHEN[number] and (not again or self.user is not None)
        if self._exchange is KeyExchange.DONE:
            return not transport.MSG_NEWKEYS < number < 50
        if number in _MEANWHILE and self.sessionID is None:
            self._meanwhile += 1
            return not self._strict and self._meanwhile <= MAX_MEANWHILE
        return number in _EXCHANGE or number in _MEANWHILE

    # Keys

    def sendKexInit(self) -> None:
        """
        Say what is offered.
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
        names = b"".join(NS(b",".join(each)) for each in lists)
        offer = secrets.token_bytes(16) + names + bytes(5)
        self.ourKexInitPayload = bytes((transport.MSG_KEXINIT,)) + offer
        self.sendPacket(transport.MSG_KEXINIT, offer)
        self._keyExchangeState = self._KEY_EXCHANGE_REQUESTED
        self._blockedByKeyExchange: Any = []

    def ssh_KEXINIT(self, packet: bytes) -> None:
        """
        The client says what it offers.
        """
        if self.sessionID is None and STRICT_CLIENT in getNS(packet[16:])[0].split(b","):
            self._strict = True
            if self._packets.received != 1:
                self._outOfOrder("a strict key exchange begins with the first message")
                return
        super().ssh_KEXINIT(packet)
        if not self.ended:
            self.nextEncryptions: Any = Agreed(self.nextEncryptions)
            self._exchange = KeyExchange.AGREED

    def _newKeys(self) -> None:
        """
        The client uses the new keys from now on.
        """
        self._packets.incoming = self.nextEncryptions.incoming
        if self._strict:
            self._packets.received = 0
        self._exchange = KeyExchange.DONE
        self.stage = 1
        super()._newKeys()

    def sendExtInfo(self, extensions: list[tuple[bytes, bytes]]) -> None:
        """
        Tell by which algorithms users may sign. Conch would name those of the
        host key, and nobody with another kind of key could log in.
        """
        super().sendExtInfo([(b"server-sig-algs", b",".join(SIGNATURE_ALGORITHMS))])

    # Other messages

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """
        The client wants to log in. It may say so before each try, as paramiko does; that gives it
        no more tries.
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
        The client says why it goes; most say that their user wants it.
        """
        self._end()

    def receiveUnimplemented(self, seqnum: int) -> None:
        """
        The client does not know what it was told, and need not.
        """

    # What goes out

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """
        Send a message, now or when an exchange of keys is over.
        """
        exchanging = self._keyExchangeState != self._KEY_EXCHANGE_NONE
        if exchanging and not self._allowedKeyExchangeMessageType(messageType):
            self._blockedByKeyExchange.append((messageType, payload))
            return
        self.transport.write(self._packets.seal(bytes((messageType,)) + payload))
        if messageType == transport.MSG_NEWKEYS:
            self._packets.outgoing = self.nextEncryptions.outgoing
            if self._strict:
                self._packets.sent = 0
            self._exchange = KeyExchange.SENT

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
        if not self._begun:
            self.abort()
            return
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
        self.factory.connectionEnds(self)
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
