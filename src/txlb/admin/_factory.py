"""
The connections of a manhole.
"""

from __future__ import annotations

import random
from typing import cast

from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.service import SSHService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime

from txlb.admin._administrator import Administrator, Connection
from txlb.admin._channel import Surroundings
from txlb.admin._log import log, quietLog
from txlb.admin._login import UserAuth
from txlb.admin._newcomer import LOGINS, Newcomer
from txlb.admin._startups import Startups
from txlb.admin._transport import ManholeTransport
from txlb.admin._work import RationedWork
from txlb.admin.login import Login, Logins, peerName, sourceOf
from txlb.admin.login._allowance import Allowance
from txlb.deadlines import Deadlines, Throttle

#: Connections at a time whose clients have logged in.
MAX_INSIDE = 64

#: Connections from one address that begin at once, and seconds after which another one does.
#: The others wait. Logins that succeed don't count.
BEGINNING = 10
BEGINNING_SECONDS = 0.2

#: Seconds between two lines of the log about connections that were refused.
REFUSAL_INTERVAL = 10.0


class ManholeFactory(SSHFactory):
    """
    Makes a L{ManholeTransport} for each client that is let in.

    @param surroundings: the parts that all sessions share.
    @param work: does the work before logins.
    @param chance: refuses clients by chance.
    @ivar logins: decides about logins.
    @ivar connections: all of them.
    @ivar inside: the connections whose clients have logged in.
    @ivar startups: the others.
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
        logins: Logins,
        surroundings: Surroundings,
        hostKey: Key,
        reactor: IReactorTime,
        deadlines: Deadlines,
        work: RationedWork | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.portal = logins.portal
        self.logins = logins
        self._surroundings = surroundings
        self.reactor = reactor
        self.deadlines = deadlines
        self.privateKeys = {b"ssh-ed25519": hostKey}
        self.publicKeys = {b"ssh-ed25519": hostKey.public()}
        self.connections: set[ManholeTransport] = set()
        self.inside: set[ManholeTransport] = set()
        self.startups = Startups(deadlines.seconds, chance or random.Random(), deadlines.sleptSince)
        if work is None:
            work = RationedWork(deadlines, LOGINS, logins.spent, logins.giveWay)
        self.work = work
        self.refused = 0
        self._rate = Allowance(deadlines.seconds, BEGINNING, BEGINNING_SECONDS)
        self._refusals = Throttle(deadlines, self._sayRefused, REFUSAL_INTERVAL)
        self._whenGone: Deferred[None] | None = None

    def admits(self, address: IAddress | None) -> bool:
        """
        Decide whether a client that has connected may log in. If so, it has to be given to
        L{buildProtocol} next.

        @param address: the address of the client.
        """
        if self._whenGone is None and self.startups.admits(sourceOf(address)):
            return True
        self.refused += 1
        self._refusals.happened(address)
        return False

    def buildProtocol(self, addr: IAddress | None) -> ManholeTransport:
        """
        Make the protocol of a client that was admitted.
        """
        made = cast("ManholeTransport", super().buildProtocol(addr))
        made.owner = self
        self.connections.add(made)
        return made

    def getService(self, transport: ManholeTransport, service: bytes) -> type[SSHService] | None:
        """
        Return the service that a client asks for: the login, and after it sessions.
        """
        if service == b"ssh-userauth" or transport.user is not None:
            return self.services.get(service)
        return None

    def userOf(self, login: Login) -> Administrator:
        """
        Return the ssh user of a login.
        """
        return Administrator(login, self._surroundings)

    @property
    def full(self) -> bool:
        """
        Whether as many have logged in as may.
        """
        return len(self.inside) >= MAX_INSIDE

    def begins(self, newcomer: Newcomer) -> None:
        """
        Give a new client a place, and tell it when it is due.
        """
        self.startups.add(newcomer)
        wait = self._rate.wait(newcomer.source)
        self._rate.take(newcomer.source)
        if wait > 0:
            self.deadlines.after(wait, newcomer.due)
        else:
            newcomer.due()

    def loggedIn(self, connection: ManholeTransport) -> None:
        """
        Note that a client has logged in.
        """
        self.inside.add(connection)
        newcomer = connection.newcomer
        self.startups.remove(newcomer)
        self.work.refund(newcomer)
        self._rate.giveBack(newcomer.source)

    def connectionEnds(self, connection: ManholeTransport) -> None:
        """
        Free the place of a client that is told to go, and do no more work for it.
        """
        newcomer = connection.newcomer
        self.inside.discard(connection)
        self.work.remove(newcomer)
        if self.startups.remove(newcomer) and not newcomer.begun:
            # Nothing was done for it.
            self._rate.giveBack(newcomer.source)

    def connectionGone(self, gone: ManholeTransport) -> None:
        """
        Forget a client that has gone.
        """
        self.connectionEnds(gone)
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
        self.work.stop()
        self._refusals.flush()
        if not self.connections:
            self._whenGone.callback(None)
        for each in tuple(self.connections):
            each.shutDown()
        return self._whenGone

    def _sayRefused(self, times: int, address: IAddress | None) -> None:
        log.warn(
            "{peer}: closed, as {count} connections are waiting to log in already "
            "({times} such times, {refused} so far)",
            peer=peerName(address),
            count=len(self.startups),
            times=times,
            refused=self.refused,
        )
