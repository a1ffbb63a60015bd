"""
A login that may wait for an answer of the person.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure

from txlb.admin._log import log
from txlb.admin.login import Login, LoginRefused
from txlb.admin.login._credentials import Ask
from txlb.admin.web._problem import Refusal


class PendingLogin:
    """
    One login over several requests. At any time either a request waits for it, or it waits for
    the person. Owned by the L{txlb.admin.web._challenges.Challenges}.

    @param source: the source of the client, see L{txlb.admin.login.sourceOf}.
    @param keep: keeps it until an answer comes, and returns what the client is told: given
        this object, the question, and whether the answer may be shown while it is typed. It
        raises L{Refusal} if too many are kept.
    """

    def __init__(self, source: str, keep: Callable[[PendingLogin, str, bool], Refusal]) -> None:
        self.source = source
        self._keep = keep
        self._login: Deferred[Login] | None = None
        # The request that waits, and the source of logins that does.
        self._request: Deferred[Login] | None = None
        self._asking: Deferred[bytes] | None = None

    def start(self, logIn: Callable[[Ask], Deferred[Login]]) -> Deferred[Login]:
        """
        Begin.

        @param logIn: begins the login, given what asks the person.
        @return: see L{answer}.
        """
        request = self._newRequest()
        self._login = logIn(self._ask)
        self._login.addBoth(self._decided)
        return request

    def answer(self, text: bytes) -> Deferred[Login]:
        """
        Go on with the answer of the person.

        @return: fires with the login. It fails with L{Refusal}, also if there is a question. If
            it is cancelled, the login is given up.
        """
        request = self._newRequest()
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.callback(text)
        return request

    def drop(self, why: str) -> None:
        """
        Give up, as no answer comes. The password counts as a wrong one.

        @param why: the reason, for the log.
        """
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.errback(LoginRefused(why))

    def _newRequest(self) -> Deferred[Login]:
        request: Deferred[Login] = Deferred(self._left)
        self._request = request
        return request

    def _left(self, _request: object) -> None:
        self._request = None
        if self._login is not None:
            self._login.cancel()

    def _ask(self, question: str, echo: bool) -> Deferred[bytes]:
        request, self._request = self._request, None
        if request is None:
            return fail(LoginRefused("the client has gone"))
        asking: Deferred[bytes] = Deferred()
        self._asking = asking
        try:
            told = self._keep(self, question, echo)
        except Refusal as error:
            told = error
            self.drop(str(error))
        request.errback(told)
        return asking

    def _decided(self, result: Any) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.callback(result)
        elif isinstance(result, Failure) and not result.check(Refusal, CancelledError):
            log.failure("a login to the console failed", result)
