"""
Tests for L{txlb.admin.web._challenges} and L{txlb.admin.web._pendinglogin}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.admin.web.asking import Answer, Client, ConsoleCase
from txlb.admin.login import Login, LoginRefused, SourceUnavailable
from txlb.admin.login._interfaces import ILoginSource
from txlb.admin.login._tries import PAIR_TRIES
from txlb.admin.web import _challenges
from txlb.admin.web._challenges import MAX_QUESTION, MOST, MOST_OF_SOURCE, PATIENCE
from txlb.admin.web._problem import Refusal


@implementer(ILoginSource)
class AskingSource:
    """
    A source of logins that asks for a code after the password.

    @ivar questions: its questions, in their order.
    @ivar echo: whether the answers may be shown while they are typed.
    @ivar looking: what the source waits for before it asks; L{None} for nothing.
    @ivar refusals: why logins have failed.
    """

    label = "radius"
    asksNext = False
    recheck = 0.0
    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, *questions: str) -> None:
        self.questions = questions
        self.echo = False
        self.looking: Deferred[None] | None = None
        self.refusals: list[str] = []

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._decide(credentials)).addErrback(self._refused)

    def _refused(self, failure: Failure) -> Failure:
        self.refusals.append(failure.getErrorMessage())
        return failure

    async def _decide(self, credentials: Any) -> Login:
        if credentials.password != b"secret":
            raise LoginRefused("the server refuses")
        for question in self.questions:
            if self.looking is not None:
                await self.looking
            reply = await credentials.ask(question, self.echo)
            if reply == b"broken":
                raise SourceUnavailable("the server is gone")
            if reply == b"fault":
                raise ZeroDivisionError
            if reply != b"246810":
                raise LoginRefused("the server refuses")
        return Login("otto", "radius", ("ops",), "operator")

    def again(self, login: object) -> Deferred[Login]:
        return fail(SourceUnavailable("it can't be asked again"))

    def close(self) -> None:
        pass


def _asked(ask: Any, looking: Deferred[Login]) -> Deferred[Login]:
    """
    Ask, and go on only later if there is no answer.
    """
    asked: Deferred[Any] = ask("Code", False)
    return asked.addErrback(lambda _: looking)


class ChallengesTests(ConsoleCase):
    def setUp(self) -> None:
        super().setUp()
        self.use("Code of the token")

    def use(self, *questions: str) -> None:
        self.source = AskingSource(*questions)
        self.logins._order.sources = (self.source,)

    def begin(
        self, password: str = "secret", peer: str = "127.0.0.1", user: str = "otto"
    ) -> Answer:
        body = {"user": user, "password": password}
        return self.ask("POST", "/api/v1/login", body, token=None, peer=peer)

    def goOn(self, asked: Answer, text: object = "246810", peer: str = "127.0.0.1") -> Answer:
        body = {"continuation": asked.json["continuation"], "answer": text}
        return self.ask("POST", "/api/v1/login", body, token=None, peer=peer)

    def assertNothingWaits(self) -> None:
        self.assertEqual((len(self.console.challenges), self.logins._order.deciding), (0, 0))

    def test_echo(self) -> None:
        """
        The page is told whether the answer may be shown while it is typed.
        """
        for echo in (False, True):
            self.source.echo = echo
            self.assertIs(self.begin().json["echo"], echo)

    def test_rightAnswer(self) -> None:
        asked = self.begin()
        self.assertEqual((asked.status, asked.json["challenge"]), (401, "Code of the token"))
        self.assertNotIn("set-cookie", asked.headers)
        self.assertEqual(len(self.console.challenges), 1)
        right = self.goOn(asked)
        self.assertEqual((right.status, right.json["access"]), (200, "operator"))
        headers = {"Cookie": self.cookieOf(right)}
        session = self.ask("GET", "/api/v1/session", token=None, headers=headers)
        self.assertEqual(session.json["name"], "web:otto")
        self.assertNothingWaits()

    def test_severalQuestions(self) -> None:
        self.use("One", "Two")
        first = self.begin()
        second = self.goOn(first)
        self.assertEqual((second.status, second.json["challenge"]), (401, "Two"))
        self.assertNotEqual(first.json["continuation"], second.json["continuation"])
        self.assertEqual(self.goOn(first).status, 401)
        self.assertEqual(self.goOn(second).status, 200)
        self.assertNothingWaits()

    def test_once(self) -> None:
        """
        A continuation counts once, whether the answer was right or wrong.
        """
        for text, status in (("1", 401), ("246810", 200)):
            asked = self.begin()
            answer = self.goOn(asked, text)
            self.assertEqual(answer.status, status)
            again = self.goOn(asked)
            self.assertEqual(again.status, 401)
            self.assertIn("no login waits", again.detail)
        self.assertNothingWaits()

    def test_wrongAnswer(self) -> None:
        """
        A wrong answer counts as a wrong password.
        """
        for _ in range(PAIR_TRIES):
            answer = self.goOn(self.begin(), "1")
            self.assertEqual(answer.detail, "the answer is wrong; log in again")
        late = self.begin()
        self.assertEqual((late.status, late.detail), (401, "the user or the password is wrong"))
        self.assertNotIn("challenge", late.json)

    def test_alike(self) -> None:
        """
        A wrong password and an unknown user get the same answer, and no question.
        """
        wrong, unknown = self.begin("wrong"), self.begin("wrong", user="nobody")
        self.assertEqual((wrong.status, wrong.json), (unknown.status, unknown.json))
        self.assertNotIn("continuation", wrong.json)

    def test_otherClient(self) -> None:
        """
        A continuation is for the source of its client, and stays its own.
        """
        asked = self.begin(peer="127.0.0.1")
        self.assertIn("no login waits", self.goOn(asked, peer="127.0.0.2").detail)
        self.assertEqual(self.goOn(asked, peer="127.0.0.1").status, 200)

    def test_late(self) -> None:
        """
        The login is given up if no answer comes.
        """
        asked = self.begin()
        self.clock.advance(PATIENCE - 1)
        self.assertEqual(len(self.console.challenges), 1)
        self.clock.advance(1)
        self.assertNothingWaits()
        self.assertIn("no answer came", self.source.refusals[0])
        self.assertIn("no login waits", self.goOn(asked).detail)

    def test_lateCounts(self) -> None:
        """
        A login without an answer counts as a wrong password.
        """
        for _ in range(PAIR_TRIES):
            self.assertIn("challenge", self.begin().json)
            self.console.challenges.stop()
        self.assertNotIn("challenge", self.begin().json)

    def test_stop(self) -> None:
        self.begin()
        self.console.stop()
        self.assertNothingWaits()
        self.assertEqual(self.source.refusals, ["the console stops"])

    def test_bounds(self) -> None:
        first = self.begin(peer="127.0.0.1", user="u0")
        for number in range(1, MOST_OF_SOURCE + 1):
            self.assertIn("challenge", self.begin(peer="127.0.0.1", user=f"u{number}").json)
        self.assertEqual(len(self.console.challenges), MOST_OF_SOURCE)
        self.assertIn("no login waits", self.goOn(first).detail)
        for number in range(MOST - MOST_OF_SOURCE):
            self.begin(peer=f"127.0.1.{number}")
        full = self.begin(peer="127.0.2.1")
        self.assertEqual(full.status, 503)
        self.assertIn("too many logins wait", full.detail)
        self.assertEqual(len(self.console.challenges), MOST)
        self.assertEqual(self.logins._order.deciding, MOST)
        # A source that has its share may begin another one, in the place of its oldest.
        self.assertIn("challenge", self.begin(peer="127.0.0.1", user="u99").json)
        self.console.challenges.stop()
        self.assertNothingWaits()

    def test_question(self) -> None:
        """
        A question is one line of bounded length.
        """
        self.use("a\n<b>\x1b[2J" + "x" * 1000)
        text = self.begin().json["challenge"]
        self.assertTrue(text.isprintable())
        self.assertLess(len(text), MAX_QUESTION + 20)

    def test_chance(self) -> None:
        self.patch(_challenges, "MOST_OF_SOURCE", 30)
        found = {self.begin(user=f"u{number}").json["continuation"] for number in range(10)}
        self.assertEqual((len(found), {len(each) for each in found}), (10, {32}))

    def test_clientGone(self) -> None:
        """
        A client that leaves before the question ends its login.
        """
        looking: Deferred[None] = Deferred()
        self.source.looking = looking
        client = Client(self)
        data = json.dumps({"user": "otto", "password": "secret"})
        client.send(
            "POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1:8081\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n{data}".encode()
        )
        self.assertEqual(self.logins._order.deciding, 1)
        client.leave()
        self.turn()
        self.assertTrue(looking.called)
        self.assertNothingWaits()

    def test_askedInVain(self) -> None:
        """
        A source that asks after its client has gone gets no answer.
        """
        asks: list[Any] = []
        looking: Deferred[Login] = Deferred(lambda _: None)

        def logIn(ask: Any) -> Deferred[Login]:
            asks.append(ask)
            return looking

        login = self.console.challenges.begin("127.0.0.1", logIn)
        login.addErrback(lambda _: None)
        login.cancel()
        self.failureResultOf(asks[0]("Code", False), LoginRefused)
        self.assertEqual(len(self.console.challenges), 0)

    def test_unavailable(self) -> None:
        answer = self.goOn(self.begin(), "broken")
        self.assertEqual(answer.status, 503)
        self.assertNothingWaits()

    def test_fault(self) -> None:
        """
        A fault of a source is an error of the server, and is in the log.
        """
        self.assertEqual(self.goOn(self.begin(), "fault").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNothingWaits()

    def test_faultInVain(self) -> None:
        """
        A fault that no client waits for is in the log.
        """
        looking: Deferred[Login] = Deferred()
        login = self.console.challenges.begin("127.0.0.1", lambda ask: _asked(ask, looking))
        self.failureResultOf(login, Refusal)
        self.console.challenges.stop()
        looking.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_wrongBodies(self) -> None:
        for body in (
            {"continuation": "x"},
            {"continuation": 1, "answer": "x"},
            {"continuation": "x" * 100, "answer": "x"},
            {"continuation": "x", "answer": "x" * 2000},
            {"continuation": "x", "answer": "x", "user": "otto"},
        ):
            self.assertEqual(self.ask("POST", "/api/v1/login", body, token=None).status, 422)
        body = {"continuation": "\ud800", "answer": "\ud800"}
        self.assertEqual(self.ask("POST", "/api/v1/login", body, token=None).status, 401)

    def test_described(self) -> None:
        document = self.ask("GET", "/api/openapi.json", token=None).json
        login = document["paths"]["/api/v1/login"]["post"]
        bodies = login["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
        self.assertEqual(
            [each["required"] for each in bodies],
            [["user", "password"], ["continuation", "answer"]],
        )
        self.assertIn("continuation", document["components"]["schemas"]["Problem"]["properties"])
