"""
The ssh channel of a session.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.conch.ssh import connection
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.session import parseRequest_pty_req, parseRequest_window_change

from txlb.admin._access import FULL, Caller
from txlb.admin._log import log, printable, quietLog
from txlb.admin._plain import STOPPING, PlainSession
from txlb.admin._terminal import TerminalSession
from txlb.deadlines import Deadlines
from txlb.errors import AccessDenied

#: Output that waits for a client that doesn't read it, in bytes.
MAX_UNREAD = 16 * 1024 * 1024

#: Input that comes before the request for a session, in bytes.
MAX_EARLY = 65536

#: The widest and the highest screen that is believed.
MAX_SCREEN = 1000


class Session(Protocol):
    """
    The session that runs in a channel.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes from the client.
        """

    def eofReceived(self) -> None:
        """
        Note that the client sends no more.
        """

    def closed(self) -> None:
        """
        Note that the client has gone.
        """

    def stopping(self, why: str) -> None:
        """
        End the session, as the balancer does.

        @param why: the reason, for the client.
        """

    def resized(self, width: int, height: int) -> None:
        """
        Note another size of the client's screen.
        """


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    The parts that all sessions of a manhole share.

    @ivar namespace: given a function that shows a text, and the caller, makes the names
        that are bound in a session.
    @ivar deadlines: its clock.
    @ivar acting: given the name of a caller, makes the context in which each of its lines
        runs.
    """

    namespace: Callable[[Callable[[str], None], Caller], Mapping[str, object]]
    deadlines: Deadlines
    acting: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()


class SessionUser(Protocol):
    """
    The parts of a L{txlb.admin._administrator.Administrator} that its sessions use.
    """

    @property
    def name(self) -> str:
        """
        The login name.
        """

    @property
    def peer(self) -> str:
        """
        The address of the client, for logs.
        """

    @property
    def caller(self) -> Caller:
        """
        The user as a caller of commands.
        """

    @property
    def surroundings(self) -> Surroundings:
        """
        The parts that all sessions share.
        """

    @property
    def sessions(self) -> list[SessionChannel]:
        """
        The channels that are open. One that is closed removes itself.
        """


class SessionChannel(SSHChannel):
    """
    A session: nothing yet, then a prompt at a terminal or a script.

    @ivar user: the avatar of its user.
    """

    name = b"session"
    _log = quietLog
    user: SessionUser
    # Conch declares it as not there yet.
    conn: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session: Session | None = None
        self._early = b""
        self._earlyEOF = False
        self._screen: tuple[int, int] | None = None
        self._start: Callable[[], None] | None = None

    # Requests

    def requestReceived(self, requestType: bytes, data: bytes) -> int:
        """
        Answer a request of the client.

        @return: whether it is granted.
        """
        handler = {
            b"pty-req": self._requestTerminal,
            b"window-change": self._requestResize,
            b"shell": self._requestShell,
            b"exec": self._requestCommand,
        }.get(requestType)
        if handler is not None:
            try:
                return int(handler(data))
            except (struct.error, IndexError, TypeError, ValueError):
                # The packet is malformed.
                return 0
        if requestType in {b"subsystem", b"auth-agent-req@openssh.com", b"x11-req"}:
            log.warn(
                "{user}@{peer}: refused {what}; there is a prompt here, and nothing else",
                user=self.user.name,
                peer=self.user.peer,
                what=requestType.decode("ascii"),
            )
        return 0

    def _requestTerminal(self, data: bytes) -> bool:
        _, (rows, columns, _, _), _ = parseRequest_pty_req(data)
        self._screen = _screen(columns, rows)
        return self.session is None

    def _requestResize(self, data: bytes) -> bool:
        rows, columns, _, _ = parseRequest_window_change(data)
        if self.session is not None:
            self.session.resized(*_screen(columns, rows))
        return True

    def _requestShell(self, data: bytes) -> bool:
        if self._screen is None:
            return self._startLater(lambda: self._begin(self._plain(b"\n")))
        screen = self._screen
        return self._startLater(lambda: self._begin(self._terminal(screen)))

    def _requestCommand(self, data: bytes) -> bool:
        command = getNS(data)[0]
        return self._startLater(lambda: self._runCommand(command))

    def _startLater(self, start: Callable[[], None]) -> bool:
        if self.session is not None or self._start is not None:
            return False
        self._start = start
        return True

    def requestAnswered(self) -> None:
        """
        Begin the session that the client asked for. The answer to its request has to come
        first.
        """
        start, self._start = self._start, None
        if start is None:
            return
        try:
            # A Python prompt can do all that the process can, so that no part of it can be
            # kept from a caller.
            self.user.caller.check(FULL, "a Python prompt")
        except AccessDenied as error:
            log.warn(
                "{user}@{peer}: {error}", user=self.user.name, peer=self.user.peer, error=error
            )
            self.writeError(f"{error}\r\n".encode())
            self.finish(1)
        else:
            start()

    # Sessions

    def _runCommand(self, command: bytes) -> None:
        session = self._plain(b"\n" if self._screen is None else b"\r\n")
        self.session = session
        session.dataReceived(command + b"\n")
        session.eofReceived()

    def _terminal(self, screen: tuple[int, int]) -> TerminalSession:
        return TerminalSession(self, self._namespace, self._logLine, screen, self._acting)

    def _plain(self, newline: bytes) -> PlainSession:
        return PlainSession(
            self,
            self._namespace,
            self.user.surroundings.deadlines,
            self._logLine,
            newline,
            self._acting,
        )

    def _begin(self, session: Session) -> None:
        self.session = session
        early, self._early = self._early, b""
        if early:
            session.dataReceived(early)
        if self._earlyEOF:
            session.eofReceived()

    def _namespace(self, show: Callable[[str], None]) -> Mapping[str, object]:
        return self.user.surroundings.namespace(show, self.user.caller)

    def _acting(self) -> AbstractContextManager[None]:
        return self.user.surroundings.acting(self.user.caller.name)

    def _logLine(self, line: str) -> None:
        log.info(
            "{user}@{peer}: {line}", user=self.user.name, peer=self.user.peer, line=printable(line)
        )

    # From the client

    def dataReceived(self, data: bytes) -> None:
        """
        Take input of the client.
        """
        if self.session is not None:
            self.session.dataReceived(data)
        elif len(self._early) + len(data) <= MAX_EARLY:
            self._early += data
        else:
            self.finish(1)

    def extReceived(self, dataType: int, data: bytes) -> None:
        """
        Drop input of another kind: there is no use for it.
        """

    def eofReceived(self) -> None:
        """
        Note the end of the input.
        """
        if self.session is not None:
            self.session.eofReceived()
        else:
            self._earlyEOF = True

    def closed(self) -> None:
        """
        Forget the session, as the channel is closed.
        """
        self.user.sessions.remove(self)
        if self.session is not None:
            self.session.closed()

    # To the client

    def write(self, data: bytes) -> None:
        """
        Send output. It waits for a slow client, up to a limit.
        """
        super().write(data)
        self._checkUnread()

    def writeError(self, data: bytes) -> None:
        """
        Send output to the standard error of the client.
        """
        super().writeExtended(connection.EXTENDED_DATA_STDERR, data)
        self._checkUnread()

    def finish(self, status: int) -> None:
        """
        End the session.

        @param status: the exit status, 0 to 255.
        """
        self.conn.sendRequest(self, b"exit-status", struct.pack(">L", status))
        self.loseConnection()

    def stopping(self, why: str = STOPPING) -> None:
        """
        End the session, as the balancer does.

        @param why: the reason, for the client.
        """
        if self.session is not None:
            self.session.stopping(why)
        self.conn.sendClose(self)

    def _checkUnread(self) -> None:
        unread = len(self.buf) + sum(len(data) for _, data in self.extBuf)
        if unread <= MAX_UNREAD:
            return
        log.warn(
            "{user}@{peer}: the session ends, as {unread} bytes of output were not read",
            user=self.user.name,
            peer=self.user.peer,
            unread=unread,
        )
        self.buf, self.extBuf = b"", []
        self.finish(1)


def _screen(columns: int, rows: int) -> tuple[int, int]:
    """
    Return the size of a screen; that of a VT100 if it makes no sense.
    """
    return (
        columns if 0 < columns <= MAX_SCREEN else 80,
        rows if 0 < rows <= MAX_SCREEN else 24,
    )
