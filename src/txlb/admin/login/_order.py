"""
The sources of logins, in their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.conch.error import ValidPublicKey
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.admin._work import nothing
from txlb.admin.login._clientsource import LOCAL
from txlb.admin.login._credentials import IPeerUser, PeerUser
from txlb.admin.login._interfaces import ILoginSource
from txlb.admin.login._login import Login
from txlb.admin.login._peerchecker import PeerChecker
from txlb.admin.login._refused import LoginRefused, SourceUnavailable
from txlb.admin.login._tries import PasswordTries, TooManyTries
from txlb.admin.login._turns import Turns

#: Logins that may be decided at a time.
MAX_DECIDING = 256

#: Refused passwords are answered at whole multiples of these seconds after they came, so that
#: guessing takes time, and the time does not tell which source knows a user.
REFUSAL_TIME = 1.0


class NothingDecided(SourceUnavailable):
    """
    A login about which no source has decided anything, so that nothing was guessed.
    """


@implementer(ICredentialsChecker)
class SourceOrder:
    """
    The checker of all credentials. It asks the sources in turn until one accepts.

    @param tries: counts wrong passwords.
    @param seconds: the monotonic clock.
    @param after: calls a function after some seconds.
    @param giveWay: lets relayed connections go on, between two parts of a step.
    @ivar sources: in their order.
    @ivar deciding: the number of logins that are being decided.
    @ivar turns: lets them go on a few at a time.
    """

    credentialInterfaces = (IUsernamePassword, ISSHPrivateKey, IPeerUser)

    def __init__(
        self,
        tries: PasswordTries,
        seconds: Callable[[], float],
        after: Callable[[float, Callable[[], object]], object],
        giveWay: Callable[[], object] = nothing,
    ) -> None:
        self._giveWay = giveWay
        self.sources: Sequence[ILoginSource] = ()
        self.deciding = 0
        self._tries = tries
        self._seconds = seconds
        self._after = after
        self._peers = PeerChecker()
        self.turns = Turns(seconds, after, giveWay)

    def stop(self) -> None:
        """
        Let the logins that wait for their turn come to their ends: no source answers any more.
        """
        self.turns.finish()

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Check credentials.

        @return: fires with the login. It fails with L{SourceUnavailable} if a source gave no
            answer and none accepted, and otherwise with L{LoginRefused}; with
            L{ValidPublicKey} if a key would do and there is no signature.
        """
        if isinstance(credentials, PeerUser):
            return self._peers.requestAvatarId(credentials)
        if IUsernamePassword.providedBy(credentials):
            return self._byPassword(credentials)
        return self._ask(credentials)

    def _byPassword(self, credentials: Any) -> Deferred[Login]:
        name: bytes = credentials.username
        source: str = getattr(credentials, "source", LOCAL)
        begun = self._seconds()

        def right(login: Login) -> Login:
            self._tries.wasRight(source, name)
            return login

        def refused(failure: Failure) -> Deferred[Any]:
            if failure.check(NothingDecided):
                self._tries.undecided(source, name)
            failure.cleanFailure()
            late: Deferred[Any] = Deferred()
            passed = self._seconds() - begun
            slots = max(math.ceil(passed / REFUSAL_TIME), 1)
            delay = slots * REFUSAL_TIME - passed
            self._after(delay, lambda: self.turns.do(lambda: late.errback(failure), source))
            return late

        try:
            self._giveWay()
            self._tries.begin(source, name)
        except TooManyTries as error:
            return refused(Failure(LoginRefused(str(error))))
        return self._ask(credentials).addCallback(right).addErrback(refused)

    def _ask(self, credentials: Any) -> Deferred[Login]:
        if self.deciding >= MAX_DECIDING:
            raise LoginRefused(f"{MAX_DECIDING} logins are being decided already")
        self.deciding += 1
        asking = Deferred.fromCoroutine(self._inTurn(credentials))
        return asking.addBoth(self._decided)

    def _decided(self, result: Any) -> Any:
        self.deciding -= 1
        return result

    async def _inTurn(self, credentials: Any) -> Login:
        reasons: list[str] = []
        unavailable = refused = False
        client: str = getattr(credentials, "source", LOCAL)
        for source in self.sources:
            if not any(each.providedBy(credentials) for each in source.credentialInterfaces):
                continue
            turn: Deferred[None] = Deferred()
            self.turns.do(partial(turn.callback, None), client)
            await turn
            self._giveWay()
            try:
                ask: Callable[[Any], Deferred[Any]] = source.requestAvatarId
                login: Login = await maybeDeferred(ask, credentials)
            except ValidPublicKey:
                raise
            except SourceUnavailable as error:
                unavailable = True
                reasons.append(_reason(source, error))
                if not source.asksNext:
                    break
            except UnauthorizedLogin as error:
                refused = True
                reasons.append(_reason(source, error))
            else:
                return login
        self._giveWay()
        text = "; ".join(reasons) or "no source decides about such a login"
        if unavailable and not refused:
            raise NothingDecided(text) from None
        # Without the context, in which a traceback has the password.
        raise (SourceUnavailable if unavailable else LoginRefused)(text) from None


def _reason(source: ILoginSource, error: Exception) -> str:
    text = str(error) or "the login is wrong"
    return text if source.label == "user" else f"{source.label}: {text}"
