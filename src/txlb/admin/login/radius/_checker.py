"""
RADIUS servers as a source of logins.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from txlb.admin.login._clientsource import LOCAL
from txlb.admin.login._interfaces import ILoginSource
from txlb.admin.login._login import Login
from txlb.admin.login._means import Means
from txlb.admin.login._refused import LoginRefused, SourceUnavailable
from txlb.admin.login._secretfile import readSecret
from txlb.admin.login._unreached import Unreached
from txlb.admin.login._username import checkPassword, userName
from txlb.admin.login.radius import _packets as packets
from txlb.admin.login.radius._exchange import Exchange, addressesOf
from txlb.admin.login.radius._packets import Answer, Request
from txlb.config import RADIUSSource, accessOf
from txlb.model import TCPAddress

#: Requests at a time.
MAX_EXCHANGES = 64

#: Questions of one login.
MAX_CHALLENGES = 4

#: Seconds that looking up the name of a server may take.
LOOKUP = 5.0

#: The most bytes of a user's name: RFC 2865, section 5.
MAX_NAME = 253


@implementer(ILoginSource)
class RADIUSChecker:
    """
    The users of RADIUS servers.

    @param label: its name in logs and answers.
    @raise TxlbError: the file of the secret can't be used.
    """

    credentialInterfaces = (IUsernamePassword,)
    recheck = 0.0

    def __init__(self, settings: RADIUSSource, label: str, means: Means) -> None:
        self.label = label
        self.asksNext = settings.onUnavailable == "next"
        self._settings = settings
        self._means = means
        self._secret = readSecret(settings.secretFile)
        self._exchanges: set[Exchange] = set()
        self._unreached = Unreached(means)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Check a password, and what the server asks after it.

        @return: fires with the login; see L{ILoginSource}.
        """
        return Deferred.fromCoroutine(self._byPassword(credentials))

    async def _byPassword(self, credentials: Any) -> Login:
        user = userName(credentials.username)
        password: bytes = credentials.password
        checkPassword(password)
        if len(password) > packets.MAX_PASSWORD or len(credentials.username) > MAX_NAME:
            raise LoginRefused("the password or the name is too long for RADIUS")
        station = getattr(credentials, "source", LOCAL)
        server, answer = await self._firstAnswer(user, password, station)
        for _ in range(MAX_CHALLENGES):
            if answer.code != packets.CHALLENGE:
                break
            reply = await _asked(getattr(credentials, "ask", None), answer)
            answer = await self._ask(server, user, reply, station, answer.state)
        if answer.code == packets.CHALLENGE:
            raise LoginRefused(f"the server asks more than {MAX_CHALLENGES} questions")
        if answer.code != packets.ACCEPT:
            told = f": {answer.message}" if answer.message else ""
            raise LoginRefused(f"the server refuses{told}")
        return self._login(user, answer)

    def _login(self, user: str, answer: Answer) -> Login:
        """
        Make the login of an Access-Accept. Attributes of other answers tell no access.
        """
        settings = self._settings
        values = answer.texts(settings.attribute)
        access = accessOf(each for each in settings.maps if each.value in values)
        if access is None:
            raise LoginRefused(f"the server tells no {settings.attribute} that has access")
        lasts = min(settings.recheck, answer.lasts or settings.recheck)
        return Login(user, self.label, values, access, lasts)

    async def _firstAnswer(
        self, user: str, password: bytes, station: str
    ) -> tuple[TCPAddress, Answer]:
        faults: list[str] = []
        for server in self._settings.servers:
            why = self._unreached.why(server)
            if why is not None:
                faults.append(f"{server}: {why}")
                continue
            try:
                return server, await self._ask(server, user, password, station)
            except SourceUnavailable as error:
                faults.append(f"{server}: {error}")
        raise SourceUnavailable(f"no server answers: {'; '.join(faults)}")

    async def _ask(
        self,
        server: TCPAddress,
        user: str,
        password: bytes,
        station: str,
        state: tuple[bytes, ...] = (),
    ) -> Answer:
        means, settings = self._means, self._settings
        if means.deadlines is None:
            raise SourceUnavailable("the balancer stops")
        if len(self._exchanges) >= MAX_EXCHANGES:
            raise SourceUnavailable(f"{MAX_EXCHANGES} requests are under way already")
        host = await self._lookUp(server)
        means.giveWay()
        request = Request(self._secret, user, password, settings.nasIdentifier, station, state)
        means.giveWay()
        exchange = Exchange(
            means.reactor, means.deadlines, request, settings.timeout, settings.retries
        )
        self._exchanges.add(exchange)
        try:
            exchange.begin(host, server.port)
            return await exchange.answered
        except SourceUnavailable as error:
            # A server that is silent may be so about one user only.
            if not exchange.reached:
                self._unreached.add(server, str(error))
            raise
        except CancelledError:
            raise SourceUnavailable("the source was closed") from None
        except OSError as error:
            raise SourceUnavailable(f"there is no socket for a request: {error}") from None
        finally:
            self._exchanges.discard(exchange)

    async def _lookUp(self, server: TCPAddress) -> str:
        try:
            return str(ipaddress.ip_address(server.host))
        except ValueError:
            pass
        reactor, deadlines = self._means.reactor, self._means.deadlines
        pool = reactor.getThreadPool()
        looking = deferToThreadPool(reactor, pool, addressesOf, server.host, server.port)
        limit = None if deadlines is None else deadlines.after(LOOKUP, looking.cancel)
        try:
            found: list[str] = await looking
        except (OSError, CancelledError):
            raise SourceUnavailable(f"the name {server.host} can't be looked up") from None
        finally:
            if limit is not None:
                limit.cancel()
        return found[0]

    def again(self, login: Any) -> Deferred[Any]:
        """
        Refuse: RADIUS is not asked without the password. Logins last a time instead.
        """
        raise SourceUnavailable("RADIUS can't be asked without the password")

    def close(self) -> None:
        """
        Give up all requests.
        """
        for exchange in tuple(self._exchanges):
            exchange.answered.cancel()


async def _asked(ask: Any, answer: Answer) -> bytes:
    """
    Ask the person what the server wants to know.
    """
    question = answer.message or "Answer"
    if ask is None:
        raise LoginRefused(
            "the server asks for more than a password, which can't be asked for here; ssh asks by "
            "keyboard-interactive, and the web console asks on its page"
        )
    reply: bytes = await ask(question, answer.echo)
    if not 0 < len(reply) <= packets.MAX_PASSWORD:
        raise LoginRefused("the answer is empty or too long")
    return reply
