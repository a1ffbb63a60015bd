"""
Avatars of users that have logged in, and their connections.

There is no forwarding of ports, agents or displays, no sftp and no other
subsystem: the manhole is a prompt, not a way into the network behind it.
"""

from __future__ import annotations

import struct
from typing import Any

from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh import connection
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.connection import SSHConnection
from zope.interface import implementer

from txlb.admin._channel import SessionChannel, Surroundings
from txlb.admin._log import log, quietLog
from txlb.admin._plain import STOPPING
from txlb.admin.login import Login

#: Sessions of one connection at a time.
MAX_SESSIONS = 4


@implementer(IConchUser)
class Administrator:
    """
    A user that has logged in, as Conch wants it.

    @param login: the login, which every door gets.
    @ivar login: the same.
    @ivar name: the login name.
    @ivar caller: the user as a caller of commands.
    @ivar peer: the client's address, for logs.
    @ivar sessions: the channels that are open.
    """

    def __init__(self, login: Login, surroundings: Surroundings) -> None:
        self.login = login
        self.name = login.name
        self.caller = login.caller("ssh")
        self.peer = "nowhere"
        self.surroundings = surroundings
        self.sessions: list[SessionChannel] = []
        self.conn: SSHConnection | None = None
        self._stopping = False

    def lookupChannel(
        self, channelType: bytes, windowSize: int, maxPacket: int, data: bytes
    ) -> SessionChannel | None:
        """
        Open a session.

        @return: the session; L{None} for every other kind of channel, and if there are too
            many sessions.
        """
        if channelType != b"session":
            log.warn(
                "{user}@{peer}: refused a channel of the kind {kind!r}; there are sessions only",
                user=self.name,
                peer=self.peer,
                kind=channelType[:64],
            )
            return None
        if len(self.sessions) >= MAX_SESSIONS or maxPacket < 1 or self._stopping:
            log.warn(
                "{user}@{peer}: refused a session; a connection has at most {most}",
                user=self.name,
                peer=self.peer,
                most=MAX_SESSIONS,
            )
            return None
        channel = SessionChannel(
            remoteWindow=windowSize, remoteMaxPacket=maxPacket, data=data, avatar=self
        )
        channel.user = self
        self.sessions.append(channel)
        return channel

    def lookupSubsystem(self, subsystem: bytes, data: bytes) -> None:
        """
        Refuse a subsystem: there is none.
        """

    def gotGlobalRequest(self, requestType: bytes, data: bytes) -> int:
        """
        Refuse a global request.
        """
        return 0

    def stopping(self, why: str = STOPPING) -> bool:
        """
        End all sessions, and open no others.

        @param why: the reason, for the client.
        @return: whether there was one.
        """
        self._stopping = True
        channels = tuple(self.sessions)
        for channel in channels:
            channel.stopping(why)
        return bool(channels)


class Connection(SSHConnection):
    """
    The channels of a connection after the login.
    """

    _log = quietLog
    # Conch declares it as not there yet.
    transport: Any

    def ssh_CHANNEL_OPEN(self, packet: bytes) -> None:
        """
        Open a channel. Conch would log a refusal as an error of this program.
        """
        channelType, rest = getNS(packet)
        sender, windowSize, maxPacket = struct.unpack(">3L", rest[:12])
        channel = self.transport.avatar.lookupChannel(channelType, windowSize, maxPacket, rest[12:])
        if channel is None:
            self.transport.sendPacket(
                connection.MSG_CHANNEL_OPEN_FAILURE,
                struct.pack(">2L", sender, connection.OPEN_ADMINISTRATIVELY_PROHIBITED)
                + NS(b"there is a prompt here, and nothing else")
                + NS(b""),
            )
            return
        channel.conn = self
        channel.id = self.localChannelID
        self.localChannelID += 1
        self.channels[channel.id] = channel
        self.channelsToRemoteChannel[channel] = sender
        self.localToRemoteChannel[channel.id] = sender
        self.transport.sendPacket(
            connection.MSG_CHANNEL_OPEN_CONFIRMATION,
            struct.pack(">4L", sender, channel.id, channel.localWindowSize, channel.localMaxPacket),
        )

    def ssh_CHANNEL_REQUEST(self, packet: bytes) -> object:
        """
        Answer a request for a channel, then do it.
        """
        channel = self.channels[struct.unpack(">L", packet[:4])[0]]
        answered = super().ssh_CHANNEL_REQUEST(packet)
        channel.requestAnswered()
        return answered
