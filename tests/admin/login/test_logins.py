"""
Tests for L{txlb.admin.login._logins} and the parts that it owns.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

from twisted.conch.interfaces import IConchUser
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import (
    IUsernamePassword,
    SSHPrivateKey,
    UsernamePassword,
)
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.admin.fakes import collectLog, fakeBalancer, lines, quickChecks, quickHash
from txlb.admin import AdminUser, CheckerSource
from txlb.admin.login import (
    ILogin,
    ILoginSource,
    Login,
    LoginRefused,
    Logins,
    PasswordTry,
    PeerUser,
    Session,
    SourceUnavailable,
    loginsOf,
)
from txlb.admin.login import _order as order
from txlb.admin.login._logins import MAX_RECHECKS
from txlb.admin.login._order import REFUSAL_TIME, SourceOrder
from txlb.admin.login._peerchecker import userText
from txlb.admin.login._realm import LoginRealm
from txlb.admin.login._tries import PAIR_SECONDS, PAIR_TRIES
from txlb.admin.login._usersource import UserSource
from txlb.errors import DuplicateName, ModelError, TxlbError

ANNA = AdminUser("anna", quickHash("secret"))
RITA = AdminUser("rita", quickHash("secret"), access="readonly")
MARA = AdminUser("mara", quickHash("secret"))


@implementer(ILoginSource)
class FakeSource:
    """
    A source whose answer a test says.
    """

    credentialInterfaces = (IUsernamePassword,)
    recheck = 0.0

    def __init__(self, label: str, answer: Any, asksNext: bool = False) -> None:
        self.label = label
        self.answer = answer
        self.asksNext = asksNext
        self.asked = 0
        self.isClosed = False

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        if isinstance(self.answer, Deferred):
            return self.answer
        return succeed(self.answer)

    def again(self, login: object) -> Deferred[Login]:
        return self.requestAvatarId(login)

    def close(self) -> None:
        self.isClosed = True


class LoginsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.logins = Logins([ANNA, RITA, MARA], seconds=self.clock.seconds, checks=quickChecks())
        self.logins.start(self.clock)
        self.addCleanup(self.logins.stop)

    def login(self, name: bytes, password: bytes = b"secret", source: str = "s") -> Deferred[Login]:
        login = self.logins.login(PasswordTry(name, password, source))
        login.addErrback(lambda failure: failure)
        return login

    def refusal(self, name: bytes, password: bytes = b"secret", source: str = "s") -> str:
        login = self.login(name, password, source)
        self.assertNoResult(login)
        self.clock.advance(REFUSAL_TIME)
        return str(self.failureResultOf(login, LoginRefused).value)


class PortalTests(LoginsTestCase):
    def test_password(self) -> None:
        login = self.successResultOf(self.login(b"rita"))
        verifyObject(ILogin, login)
        self.assertEqual(login, Login("rita", "user", (), "readonly"))
        self.assertEqual(login.caller("web").name, "web:rita")
        self.assertEqual(login.caller("web").access, "readonly")

    def test_passwordOfCred(self) -> None:
        """
        Any credentials of cred with a name and a password do.
        """
        login = self.logins.login(UsernamePassword(b"anna", b"secret"))
        self.assertEqual(self.successResultOf(login).access, "full")

    def test_uid(self) -> None:
        login = self.successResultOf(self.logins.login(PeerUser(os.geteuid())))
        self.assertEqual((login.source, login.access), ("uid", "full"))
        self.assertEqual(login.caller("").name, userText(os.geteuid()))
        self.assertEqual(self.successResultOf(self.logins.login(PeerUser(None))).access, "full")
        failure = self.failureResultOf(self.logins.login(PeerUser(4_000_000)), LoginRefused)
        self.assertIn("uid:4000000 was refused", failure.getErrorMessage())

    def test_avatarsAreLogins(self) -> None:
        realm = LoginRealm()
        verifyObject(IRealm, realm)
        login = Login("anna", "user")
        interface, avatar, logout = realm.requestAvatar(login, None, ILogin)
        self.assertEqual((interface, avatar), (ILogin, login))
        logout()
        self.assertRaises(NotImplementedError, realm.requestAvatar, login, None, IConchUser)
        self.assertRaises(NotImplementedError, realm.requestAvatar, (), None, ILogin)

    def test_noSecretInTheText(self) -> None:
        self.assertNotIn("secret", repr(PasswordTry(b"anna", b"secret")))

    def test_guessing(self) -> None:
        """
        A client that guesses the password of an account keeps out neither its owner elsewhere
        nor other users; time or an administrator lets it try again.
        """
        for name in (b"anna", b"nobody"):
            for _ in range(PAIR_TRIES):
                self.assertNotIn("too many", self.refusal(name, b"guess", "bad"))
            self.clock.advance(-REFUSAL_TIME * PAIR_TRIES)
            self.assertIn("too many passwords were wrong", self.refusal(name, b"secret", "bad"))
        self.assertEqual(self.successResultOf(self.login(b"anna", source="good")).name, "anna")
        self.assertEqual(self.successResultOf(self.login(b"mara", source="bad")).name, "mara")
        self.assertEqual(self.logins.tries.unlock(b"anna", "good"), 0)
        self.assertEqual(self.logins.tries.unlock(b"anna"), 1)
        self.assertEqual(self.successResultOf(self.login(b"anna", source="bad")).name, "anna")
        self.clock.advance(PAIR_SECONDS * PAIR_TRIES)

    def test_unlockAll(self) -> None:
        for _ in range(PAIR_TRIES):
            self.refusal(b"anna", b"guess", "bad")
        self.clock.advance(-REFUSAL_TIME * PAIR_TRIES)
        self.assertEqual(self.logins.tries.unlock(), 1)
        self.assertEqual(self.successResultOf(self.login(b"anna", source="bad")).name, "anna")

    def test_tooManyAtOnce(self) -> None:
        self.patch(order, "MAX_DECIDING", 1)
        self.logins._order.sources = (FakeSource("slow", Deferred()),)
        waiting = self.login(b"anna")
        self.assertNoResult(waiting)
        key = SSHPrivateKey(b"anna", b"ssh-ed25519", b"blob", None, None)
        failure = self.failureResultOf(self.logins.login(key), LoginRefused)
        self.assertIn("1 logins are being decided", failure.getErrorMessage())


class OrderTests(LoginsTestCase):
    def ask(self, *sources: FakeSource) -> Deferred[Login]:
        self.logins._order.sources = sources
        return self.login(b"anna")

    def failed(self, login: Deferred[Login]) -> Any:
        self.clock.advance(REFUSAL_TIME)
        return self.failureResultOf(login)

    def test_checkers(self) -> None:
        verifyObject(ICredentialsChecker, self.logins._order)
        verifyObject(ILoginSource, UserSource(self.logins.users, quickChecks()))
        self.assertEqual([each.label for each in self.logins.sources], ["user"])

    def test_firstThatAccepts(self) -> None:
        login = Login("anna", "two")
        one, two = FakeSource("one", LoginRefused("not here")), FakeSource("two", login)
        three = FakeSource("three", Login("anna", "three"))
        self.assertEqual(self.successResultOf(self.ask(one, two, three)), login)
        self.assertEqual([one.asked, two.asked, three.asked], [1, 1, 0])

    def test_allRefuse(self) -> None:
        failure = self.failed(
            self.ask(FakeSource("one", LoginRefused("x")), FakeSource("two", UnauthorizedLogin()))
        )
        failure.trap(LoginRefused)
        self.assertIsNone(failure.check(SourceUnavailable))
        self.assertEqual(failure.getErrorMessage(), "one: x; two: the login is wrong")

    def test_unavailable(self) -> None:
        """
        The next source is asked only if that is configured, and an unreachable source is not
        a wrong password.
        """
        later = FakeSource("two", Login("anna", "two"))
        failure = self.failed(self.ask(FakeSource("one", SourceUnavailable("down")), later))
        failure.trap(SourceUnavailable)
        self.assertEqual((failure.getErrorMessage(), later.asked), ("one: down", 0))
        down = FakeSource("one", SourceUnavailable("down"), asksNext=True)
        self.assertEqual(self.successResultOf(self.ask(down, later)).source, "two")
        failure = self.failed(self.ask(down, FakeSource("two", LoginRefused("no"))))
        failure.trap(SourceUnavailable)
        self.assertEqual(failure.getErrorMessage(), "one: down; two: no")

    def test_noSource(self) -> None:
        failure = self.failed(self.ask())
        self.assertIn("no source decides", failure.getErrorMessage())

    def test_refusalsTakeWholeSeconds(self) -> None:
        """
        The time of a refusal does not tell which source has refused.
        """
        slow: Deferred[Login] = Deferred()
        login = self.ask(FakeSource("slow", slow))
        self.clock.advance(REFUSAL_TIME * 1.4)
        slow.errback(LoginRefused("no"))
        self.clock.advance(REFUSAL_TIME * 0.5)
        self.assertNoResult(login)
        self.clock.advance(REFUSAL_TIME * 0.2)
        self.failureResultOf(login, LoginRefused)

    def test_withoutAClock(self) -> None:
        asked = SourceOrder(self.logins.tries, self.clock.seconds, lambda _, action: action())
        login = asked.requestAvatarId(PasswordTry(b"anna", b"secret"))
        self.failureResultOf(login, LoginRefused)


class TestTests(LoginsTestCase):
    def test_sources(self) -> None:
        """
        Each source that would be asked tells something, and no password.
        """
        login = Login("anna", "two", ("ops",), "operator")
        down = FakeSource("one", SourceUnavailable("down"), asksNext=True)
        sources = [down, FakeSource("no", LoginRefused("wrong")), FakeSource("two", login)]
        self.logins._order.sources = [*sources, FakeSource("three", login)]
        rows = self.successResultOf(self.logins.test("anna", "s3cret"))
        self.assertEqual(
            [row["text"] for row in rows],
            [
                "one: gives no answer: down",
                "no: refuses: wrong",
                "two: lets anna in with operator access; groups or values: ops",
            ],
        )
        self.assertEqual([row["accepts"] for row in rows], [False, False, True])
        self.assertNotIn("s3cret", str(rows))

    def test_unavailable(self) -> None:
        down = FakeSource("one", SourceUnavailable("down"))
        self.logins._order.sources = [down, FakeSource("two", Login("anna", "two"))]
        self.assertEqual(len(list(self.successResultOf(self.logins.test("anna", "x")))), 1)

    def test_nothingIsCounted(self) -> None:
        for _ in range(PAIR_TRIES + 1):
            self.successResultOf(self.logins.test("anna", "guess"))
        self.assertEqual(self.successResultOf(self.login(b"anna", source="unix")).name, "anna")


class ChangeTests(LoginsTestCase):
    def test_accessIsTakenAway(self) -> None:
        """
        The sessions of users that were removed or lowered end, by whichever door they came.
        """
        ended: list[str] = []

        def end(door: str, _why: str) -> None:
            ended.append(door)

        for name, door in ((b"anna", "ssh"), (b"rita", "web"), (b"mara", "token")):
            login = self.successResultOf(self.login(name))
            self.logins.sessions.open(login, door, "there", partial(end, door))
        uid = self.successResultOf(self.logins.login(PeerUser(None)))
        self.logins.sessions.open(uid, "control", "unix", ended.append)
        self.logins.setUsers([AdminUser("anna", ANNA.password, access="operator"), RITA])
        self.assertEqual(ended, ["ssh", "token"])
        self.assertEqual([each.door for each in self.logins.sessions], ["web", "control"])
        self.logins.setUsers([AdminUser("rita", RITA.password)])
        self.assertEqual(ended, ["ssh", "token"])

    def test_takenAwayBeforeTheSession(self) -> None:
        login = self.successResultOf(self.login(b"anna"))
        self.logins.setUsers([RITA])
        opened = self.logins.sessions.open
        error = self.assertRaises(LoginRefused, opened, login, "ssh", "there", list)
        self.assertIn("taken away", str(error))

    def test_twice(self) -> None:
        self.assertRaises(DuplicateName, self.logins.setUsers, [ANNA, ANNA])
        self.assertEqual(self.successResultOf(self.login(b"mara")).name, "mara")

    def test_startAgain(self) -> None:
        self.logins.start(self.clock)
        self.logins.stop()
        self.assertIn("wrong", self.refusal(b"anna", b"guess"))
        self.logins.stop()
        self.logins.start(self.clock)
        self.assertEqual(self.successResultOf(self.login(b"anna")).name, "anna")


class RecheckTests(LoginsTestCase):
    """
    Sources are asked again about users that are in.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ended: list[str] = []
        self.settings = CheckerSource("unix", "full")
        self.logins.setSources([self.settings])
        self.source = FakeSource("checker", Login("anna", "checker", (), "operator"))
        self.source.recheck = 10.0
        self.logins._made["checker"] = (self.settings, self.source)

    def open(self, access: str = "operator", lasts: float = 0.0) -> Session:
        login = Login("anna", "checker", (), access, lasts)
        return self.logins.sessions.open(login, "web", "there", self.ended.append)

    def pass_(self, seconds: int) -> None:
        self.clock.pump([1.0] * seconds)

    def test_asked(self) -> None:
        self.open()
        self.pass_(9)
        self.assertEqual(self.source.asked, 0)
        self.pass_(25)
        self.assertEqual((self.source.asked, self.ended), (3, []))

    def test_lowered(self) -> None:
        self.open("full")
        self.open("readonly")
        self.pass_(12)
        self.assertEqual(self.ended, ["the access of this user was taken away"])
        self.assertEqual(len(self.logins.sessions), 1)

    def test_removed(self) -> None:
        self.open()
        self.source.answer = LoginRefused("there is no such user")
        self.pass_(12)
        self.assertEqual(len(self.ended), 1)

    def test_unavailable(self) -> None:
        """
        The person that is in may be mending the server.
        """
        events = collectLog(self)
        self.open()
        self.source.answer = SourceUnavailable("down")
        self.pass_(12)
        self.assertEqual(self.ended, [])
        self.assertIn("could not be checked again: down", lines(events)[-1])

    def test_slow(self) -> None:
        """
        There is one question about a session at a time, and few of all.
        """
        self.source.answer = Deferred()
        for _ in range(MAX_RECHECKS + 3):
            self.open()
        self.pass_(60)
        self.assertEqual(self.source.asked, MAX_RECHECKS)

    def test_lasts(self) -> None:
        self.open(lasts=5.0)
        self.pass_(4)
        self.assertEqual(self.ended, [])
        self.pass_(2)
        self.assertEqual(self.ended, ["this login is over; log in again"])

    def test_anotherSource(self) -> None:
        """
        Sessions end whose source says something else, and stay if it is the same.
        """
        self.open()
        self.logins.setSources([self.settings])
        self.assertEqual((self.ended, self.source.isClosed), ([], True))
        self.logins.setSources([CheckerSource("unix", "readonly")])
        self.assertEqual(self.ended, ["the source of this login was changed"])

    def test_wrongSource(self) -> None:
        """
        Sources that can't be made leave those that are there.
        """
        wrong = [self.settings, CheckerSource("nothing", "full")]
        self.assertRaises(TxlbError, self.logins.setSources, wrong)
        events = collectLog(self)
        self.logins.configure([RITA], wrong)
        self.assertIn("there is no such checker", lines(events)[-1])
        self.assertEqual([each.label for each in self.logins.sources], ["user", "checker"])
        self.assertEqual(list(self.logins.users), [RITA])

    def test_order(self) -> None:
        """
        The users stand where the configuration has them; without users the others are all.
        """
        self.logins.setSources([self.settings, self.settings], 1)
        labels = [each.label for each in self.logins.sources]
        self.assertEqual(labels, ["checker", "user", "checker2"])
        self.logins.setUsers([])
        self.assertEqual([each.label for each in self.logins.sources], ["checker", "checker2"])
        self.assertFalse(self.logins.asks)


class SharedTests(SynchronousTestCase):
    def test_oneForAllDoors(self) -> None:
        balancer = fakeBalancer()
        logins = loginsOf(balancer)
        self.assertIs(balancer.logins, logins)
        self.assertIs(loginsOf(balancer, [ANNA]), logins)
        self.assertEqual(list(logins.users), [ANNA])
        self.assertIs(loginsOf(balancer), logins)
        self.assertIs(loginsOf(balancer, [ANNA]), logins)
        self.assertRaises(ModelError, loginsOf, balancer, [RITA])
        self.assertRaises(DuplicateName, loginsOf, fakeBalancer(), [RITA, RITA])
        other = Logins()
        self.assertIs(loginsOf(fakeBalancer(), given=other), other)

    def test_givesWay(self) -> None:
        """
        The balancer says how relayed connections go on between two parts of a step. Their time
        is none of the steps'.
        """
        given: list[float] = []

        class Balancer:
            logins: Any = None

            def giveWay(self) -> None:
                until = time.thread_time() + 0.02
                while time.thread_time() < until:
                    pass
                given.append(until)

        logins = loginsOf(Balancer())
        before, began = logins.spent(), time.thread_time()
        logins.giveWay()
        self.assertEqual(len(given), 1)
        self.assertLess(logins.spent() - before, time.thread_time() - began - 0.015)
        # Without a balancer that says it, nothing happens.
        loginsOf(fakeBalancer()).giveWay()
