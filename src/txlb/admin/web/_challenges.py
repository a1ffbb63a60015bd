"""
Logins that wait for an answer, such as the code of a second factor.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred

from txlb.admin._log import printable
from txlb.admin.login import Login
from txlb.admin.login._credentials import Ask
from txlb.admin.web._pendinglogin import PendingLogin
from txlb.admin.web._problem import LOG_IN, Refusal
from txlb.deadlines import Deadline, Deadlines

#: Seconds for which a login waits for an answer.
PATIENCE = 60.0

#: Logins that wait, of one source and of all.
MOST_OF_SOURCE = 8
MOST = 64

#: Bytes of chance in a continuation.
BYTES = 24

#: Characters of a question that are passed on.
MAX_QUESTION = 500


class Challenges:
    """
    The logins that wait for the person. Each has a continuation, a text that can't be guessed
    and that counts once, for the source of the client alone.

    @param deadlines: calls when an answer is late.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        # In the order in which they have begun to wait.
        self._waiting: dict[str, tuple[PendingLogin, Deadline]] = {}

    def __len__(self) -> int:
        """
        Return the number of logins that wait.
        """
        return len(self._waiting)

    def begin(self, source: str, logIn: Callable[[Ask], Deferred[Login]]) -> Deferred[Login]:
        """
        Begin a login that may ask.

        @param source: the source of the client.
        @param logIn: begins it, given what asks the person.
        @return: fires with the login. It fails as C{logIn} does, and with L{Refusal} if there is
            a question, which it has as C{challenge}, with the C{continuation}.
        """
        return PendingLogin(source, self._keep).start(logIn)

    def goOn(self, source: str, continuation: str, answer: bytes) -> Deferred[Login]:
        """
        Go on with a login.

        @param source: the source of the client, which has to be that of the beginning.
        @return: see L{begin}.
        @raise Refusal: no login of this source waits under this continuation.
        """
        found = self._waiting.get(continuation)
        if found is None or found[0].source != source:
            raise Refusal(401, "no login waits for this answer any more; log in again", LOG_IN)
        return self._take(continuation).answer(answer)

    def stop(self) -> None:
        """
        Give all of them up.
        """
        for each in tuple(self._waiting):
            self._take(each).drop("the console stops")

    def _keep(self, pending: PendingLogin, question: str, echo: bool) -> Refusal:
        own = [key for key, (each, _) in self._waiting.items() if each.source == pending.source]
        for each in own[: max(len(own) - MOST_OF_SOURCE + 1, 0)]:
            self._take(each).drop(f"{MOST_OF_SOURCE} logins from there wait for answers already")
        if len(self._waiting) >= MOST:
            raise Refusal(
                503,
                "too many logins wait for answers now; try again later",
                {"Retry-After": "10"},
            )
        key = secrets.token_urlsafe(BYTES)
        late = self._deadlines.after(PATIENCE, partial(self._late, key))
        self._waiting[key] = (pending, late)
        return Refusal(
            401,
            "the login needs an answer to a question",
            LOG_IN,
            {
                "challenge": printable(question, MAX_QUESTION),
                "echo": echo,
                "continuation": key,
            },
        )

    def _late(self, key: str) -> None:
        self._take(key).drop(f"no answer came within {PATIENCE:.0f} s")

    def _take(self, key: str) -> PendingLogin:
        pending, late = self._waiting.pop(key)
        late.cancel()
        return pending
