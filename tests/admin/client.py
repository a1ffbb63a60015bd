"""
An ssh client and the manhole, in one process and without sockets.
"""

from __future__ import annotations

import contextlib
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.session import packRequest_pty_req, packRequest_window_change
from twisted.conch.ssh.transport import MSG_NEWKEYS, SSHClientTransport
from twisted.conch.ssh.userauth import MSG_USERAUTH_REQUEST, SSHUserAuthClient
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.admin.fakes import clockAndDeadlines, noNames
from txlb.admin._agreed import Agreed
from txlb.admin._channel import Surroundings
from txlb.admin._ciphers import CIPHERS, MACS
from txlb.admin._factory import ManholeFactory
from txlb.admin._newcomer import LOGINS
from txlb.admin._order import STRICT_CLIENT
from txlb.admin._packets import Packets
from txlb.admin._transport import ManholeTransport
from txlb.admin._work import RationedWork
from txlb.admin.login import Logins, Users
from txlb.admin.login._passwords import PasswordChecks

PEER = IPv4Address("TCP", "192.0.2.1", 4321)


class ClientTransport(SSHClientTransport):
    """
    Conch's client with the manhole's packets and ciphers. It believes every host key, and
    remembers why it was disconnected.

    @ivar strict: whether it asks for a strict key exchange.
    """

    supportedCiphers = list(CIPHERS)  # noqa: RUF012 - as Conch has it
    supportedMACs = list(MACS)  # noqa: RUF012 - likewise
    strict = True
    # Conch declares it as not there yet.
    transport: Any

    def __init__(self) -> None:
        self.secure = False
        self.disconnected: bytes | None = None
        self.unimplemented = 0
        self.packets = Packets()

    def sendKexInit(self) -> None:
        supported = self.supportedKeyExchanges
        if self.strict:
            self.supportedKeyExchanges = [*supported, STRICT_CLIENT]
        try:
            super().sendKexInit()
        finally:
            self.supportedKeyExchanges = supported

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        exchanging = self._keyExchangeState != self._KEY_EXCHANGE_NONE
        if exchanging and not self._allowedKeyExchangeMessageType(messageType):
            self._blockedByKeyExchange.append((messageType, payload))
            return
        self.transport.write(self.packets.seal(bytes((messageType,)) + payload))
        if messageType == MSG_NEWKEYS:
            self.packets.outgoing = self.nextEncryptions.outgoing
            if self.strict:
                self.packets.sent = 0

    def dataReceived(self, data: bytes) -> None:
        self.packets.feed(data)
        if not self.gotVersion:
            line = self.packets.line()
            if line is None:
                return
            self.gotVersion = True
            self.otherVersionString = line
        while (message := self.packets.next()) is not None:
            self.dispatchMessage(message[0], message[1:])

    def ssh_KEXINIT(self, packet: bytes) -> None:
        # Conch sends what follows before it says what was agreed.
        super().ssh_KEXINIT(packet)
        self.nextEncryptions: Any = Agreed(self.nextEncryptions)

    def ssh_NEWKEYS(self, packet: bytes) -> None:
        self.packets.incoming = self.nextEncryptions.incoming
        if self.strict:
            self.packets.received = 0
        self._newKeys()
        self.connectionSecure()

    def verifyHostKey(self, hostKey: bytes, fingerprint: bytes) -> Deferred[bool]:
        return succeed(True)

    def connectionSecure(self) -> None:
        self.secure = True

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        self.disconnected = description

    def receiveUnimplemented(self, seqnum: int) -> None:
        self.unimplemented += 1


class Auth(SSHUserAuthClient):
    """
    Logs in with the passwords and keys that it was given, in turn.
    """

    transport: Any

    def __init__(self, user: bytes, instance: SSHConnection) -> None:
        super().__init__(user, instance)
        self.failures = 0
        self.passwords: list[str] = []
        self.keys: list[Key] = []

    def serviceStarted(self) -> None:
        """
        Begin without a try, so that each test says what is tried.
        """
        self.authenticatedWith: list[bytes] = []
        self.triedPublicKeys: list[Key] = []
        self.lastPublicKey: Key | None = None

    def getPassword(self, prompt: bytes | None = None) -> Deferred[str] | None:
        return succeed(self.passwords.pop(0)) if self.passwords else None

    def getPublicKey(self) -> Key | None:
        if not self.keys:
            return None
        self.offered = self.keys.pop()
        public: Key = self.offered.public()
        return public

    def getPrivateKey(self) -> Deferred[Key]:
        return succeed(self.offered)

    def ssh_USERAUTH_FAILURE(self, packet: bytes) -> object:
        self.failures += 1
        if self.passwords or self.keys:
            return super().ssh_USERAUTH_FAILURE(packet)
        return None

    def request(self, method: bytes, rest: bytes = b"", service: bytes = b"ssh-connection") -> None:
        """
        A try, as its packet.
        """
        self.lastAuth = method
        self.transport.sendPacket(
            MSG_USERAUTH_REQUEST, NS(self.user) + NS(service) + NS(method) + rest
        )


class ClientChannel(SSHChannel):
    """
    Remembers what comes.
    """

    name = b"session"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opened = False
        self.refused: str | None = None
        self.output = b""
        self.errors = b""
        self.status: int | None = None
        self.over = False
        self.answers: list[bool] = []

    def channelOpen(self, specificData: bytes) -> None:
        self.opened = True

    def openFailed(self, reason: Any) -> None:
        self.refused = str(reason)

    def dataReceived(self, data: bytes) -> None:
        self.output += data

    def extReceived(self, dataType: int, data: bytes) -> None:
        self.errors += data

    def request_exit_status(self, data: bytes) -> int:
        self.status = int.from_bytes(data, "big")
        return 1

    def closed(self) -> None:
        self.over = True


class AbortableTransport(StringTransport):
    """
    One end of the wire.
    """

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()


class Wire:
    """
    A client and a server, and what is between them.

    @param users: who may log in.
    @param checks: how passwords are checked.
    """

    def __init__(self, users: Users, checks: PasswordChecks, **settings: Any) -> None:
        self.clock, deadlines = clockAndDeadlines()
        # Who has acted, a line each.
        self.acting: list[str] = []
        surroundings = Surroundings(settings.pop("namespace", noNames), deadlines, self._acting)
        self.logins = Logins(users, seconds=self.clock.seconds, checks=checks)
        self.logins.start(self.clock)
        self.key = Key(Ed25519PrivateKey.generate())
        # No time passes in work that is done here.
        work = RationedWork(deadlines, LOGINS, settings.pop("spent", lambda: 0.0))
        chance = Random(1)
        self.factory = ManholeFactory(
            self.logins, surroundings, self.key, self.clock, deadlines, work, chance
        )
        self.factory.doStart()

    def _acting(self, who: str) -> contextlib.nullcontext[None]:
        self.acting.append(who)
        return contextlib.nullcontext()

    def connect(self, peer: IAddress = PEER) -> Link | None:
        """
        @return: L{None} where the server doesn't want it.
        """
        if not self.factory.admits(peer):
            return None
        return Link(self.factory.buildProtocol(peer), peer, self.clock)


class Link:
    """
    One connection.

    @param clock: what the server goes by.
    """

    def __init__(self, server: ManholeTransport, peer: IAddress, clock: Clock) -> None:
        self.server = server
        self.clock = clock
        self.client = ClientTransport()
        self.serverEnd = AbortableTransport(peerAddress=peer)
        self.clientEnd = AbortableTransport()
        self.connection = SSHConnection()
        server.makeConnection(self.serverEnd)
        self.client.makeConnection(self.clientEnd)
        self.pump()

    def pump(self) -> None:
        """
        Carry bytes until there are none.
        """
        for _ in range(1000):
            toClient, toServer = self.serverEnd.value(), self.clientEnd.value()
            self.serverEnd.clear()
            self.clientEnd.clear()
            if not toClient and not toServer:
                if not self.work():
                    return
                continue
            if toServer:
                self.server.dataReceived(toServer)
            if toClient:
                self.client.dataReceived(toClient)
        raise AssertionError("they talk without end")

    def work(self) -> bool:
        """
        Let the server do what it has put off.

        @return: whether there was anything.
        """
        had = self.server.owner.work.pending
        if had:
            self.clock.advance(LOGINS.pause)
        return had

    def lose(self) -> None:
        """
        The connection is gone.
        """
        self.server.connectionLost(connectionDone)

    def auth(self, user: bytes = b"anna") -> Auth:
        """
        Begin to log in.
        """
        auth = Auth(user, self.connection)
        self.client.requestService(auth)
        self.pump()
        return auth

    def login(self, user: bytes = b"anna", password: bytes = b"secret") -> None:
        """
        Log in with a password.
        """
        self.auth(user).request(b"password", b"\0" + NS(password))
        self.pump()

    def open(self, name: bytes = b"session", **settings: Any) -> ClientChannel:
        """
        Open a channel.
        """
        channel = ClientChannel(**settings)
        channel.name = name
        channel.conn = self.connection
        self.connection.openChannel(channel)
        self.pump()
        return channel

    def request(self, channel: ClientChannel, what: bytes, data: bytes = b"") -> bool:
        """
        Ask for something.

        @return: whether it was granted.
        """
        answer = self.connection.sendRequest(channel, what, data, wantReply=True)
        granted: list[bool] = []
        answer.addCallbacks(lambda _: granted.append(True), lambda _: granted.append(False))
        self.pump()
        return granted[0]

    def terminal(self, channel: ClientChannel, columns: int = 80, rows: int = 24) -> bool:
        """
        Ask for a terminal.
        """
        data = packRequest_pty_req(b"xterm", (rows, columns, 0, 0), b"")
        return self.request(channel, b"pty-req", data)

    def resize(self, channel: ClientChannel, columns: int, rows: int) -> bool:
        """
        Give the terminal another size.
        """
        data = packRequest_window_change((rows, columns, 0, 0))
        return self.request(channel, b"window-change", data)

    def type(self, channel: ClientChannel, data: bytes) -> None:
        """
        Send input.
        """
        channel.write(data)
        self.pump()
