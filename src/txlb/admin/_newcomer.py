"""
Clients that have not logged in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from txlb.admin._gate import ReadGate
from txlb.admin._packets import PacketError
from txlb.admin._startups import Startups
from txlb.admin._work import Ration, RationedWork

#: The work for clients that have not logged in, accepting them included. A key
#: exchange takes half a millisecond, a whole login one and a half: some thirty are saved up.
#: A login that succeeds gives its time back.
LOGINS = Ration(slice=0.0005, pause=0.005, share=0.01, saved=0.05, owed=0.01, reading=0.00003)

#: Messages, and bytes, that a client may send before it has logged in. OpenSSH's client
#: sends about ten, and two more for each key.
MAX_EARLY_MESSAGES = 128
MAX_EARLY_BYTES = 262_144


class NewConnection(Protocol):
    """
    The parts of a L{txlb.admin._transport.ManholeTransport} that are used until its client
    has logged in.

    @ivar ended: whether input is ignored.
    """

    ended: bool

    @property
    def user(self) -> object | None:
        """
        The avatar of the user; L{None} before the login.
        """

    @property
    def deciding(self) -> bool:
        """
        Whether a try of the client to log in is being decided.
        """

    @property
    def unread(self) -> int:
        """
        The number of bytes that have come and were not looked at yet.
        """

    def begin(self) -> None:
        """
        Talk to the client, as it is the client's turn.
        """

    def makeRoom(self) -> None:
        """
        Close the connection, as other clients want to log in.
        """

    def whileInOrder(self, read: Callable[[], bool]) -> bool:
        """
        Call a function that reads. If the input breaks the rules, end the connection.
        """

    def readOne(self) -> bool:
        """
        Read the first line or the next message, and return whether there was one.
        """

    def readAll(self) -> bool:
        """
        Read all messages that have come.
        """


class NewcomerOwner(Protocol):
    """
    The parts of a L{txlb.admin._factory.ManholeFactory} that its new clients share.

    @ivar startups: the connections whose clients have not logged in.
    @ivar work: does the work for those clients.
    """

    startups: Startups
    work: RationedWork


class Newcomer:
    """
    The state of a client until it has logged in: it takes a place
    (L{txlb.admin._startups.Startup}), and its input is work for later
    (L{txlb.admin._work.Job}). Owned by its connection.

    @ivar source: the source by which limits count it, see L{txlb.admin.login.sourceOf}.
    @ivar stage: 0 until keys were exchanged, then 1.
    @ivar cost: seconds of work that it has had.
    """

    def __init__(
        self, connection: NewConnection, factory: NewcomerOwner, gate: ReadGate, source: str
    ) -> None:
        self.source = source
        self.stage = 0
        self.cost = 0.0
        self._connection = connection
        self._factory = factory
        self._gate = gate
        self._isDue = False
        self._begun = False
        self._toBeDone = False
        self._messages = 0
        self._bytes = 0

    @property
    def begun(self) -> bool:
        """
        Whether anything was sent to the client yet.
        """
        return self._begun

    @property
    def silent(self) -> bool:
        return self._begun and not self._toBeDone and not self._connection.deciding

    def makeRoom(self) -> None:
        self._connection.makeRoom()

    def due(self) -> None:
        """
        Let it begin: nothing is sent to the client before.
        """
        if not self._connection.ended:
            self._isDue = self._toBeDone = True
            self._factory.work.add(self)

    def received(self, size: int) -> None:
        """
        Note that the client has sent something. The connection keeps it.

        @param size: how many bytes.
        """
        self._bytes += size
        self._gate.hold()
        if self._isDue:
            self._toBeDone = True
            self._factory.work.add(self)

    def work(self) -> bool:
        """
        Begin, or look at the next message.
        """
        connection = self._connection
        if self._begun:
            self._toBeDone = connection.whileInOrder(self._next)
        else:
            self._begun = True
            connection.begin()
            self._toBeDone = connection.unread > 0
        if connection.ended:
            return False
        if not self._toBeDone:
            self._gate.release()
        return self._toBeDone

    def _next(self) -> bool:
        """
        @return: whether there may be another message.
        """
        if self._bytes > MAX_EARLY_BYTES or self._messages >= MAX_EARLY_MESSAGES:
            raise PacketError("it has sent too much without logging in")
        self._messages += 1
        if not self._connection.readOne():
            return False
        self._factory.startups.heard(self)
        if self._connection.user is not None:
            # Messages behind it need not wait any more.
            self._connection.readAll()
        return self._connection.unread > 0 and self._connection.user is None
