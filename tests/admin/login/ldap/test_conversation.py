"""
Tests for L{txlb.admin.login.ldap._conversation} and for what is done with it in the package;
C{tests.integration.test_login_ldap} has those with a real server.
"""

from __future__ import annotations

from typing import Any

from ldaptor.protocols import pureldap
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import clockAndDeadlines
from txlb.admin.login.ldap._conversation import MAX_ANSWER, Conversation
from txlb.admin.login.ldap._errors import ResultError, ServerError
from txlb.admin.login.ldap._messages import encode, searchRequest


class Transport(StringTransport):
    """
    Notes that TLS begins.
    """

    tls: Any = None
    aborted = False

    def startTLS(self, options: Any) -> None:
        self.tls = options

    def abortConnection(self) -> None:
        self.aborted = True


def result(number: int, code: int = 0, kind: Any = pureldap.LDAPBindResponse) -> bytes:
    return encode(number, kind(resultCode=code))


ENTRY = pureldap.LDAPSearchResultEntry(b"cn=a", [(b"uid", [b"a"])])


class ConversationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, deadlines = clockAndDeadlines()
        self.transport = Transport()
        self.talk = Conversation(deadlines, 5.0)
        self.talk.makeConnection(self.transport)

    def run_(self, asked: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(asked)

    def fault(self, asked: Deferred[Any]) -> str:
        self.assertTrue(self.transport.aborted)
        self.assertFalse(self.talk.usable)
        return str(self.failureResultOf(asked, ServerError).value)

    def test_bind(self) -> None:
        bound = self.run_(self.talk.bind("cn=a", b"x"))
        self.talk.dataReceived(result(1))
        self.assertIsNone(self.successResultOf(bound))
        bound = self.run_(self.talk.bind("cn=a", b"x"))
        self.talk.dataReceived(result(2, 49))
        self.assertEqual(self.failureResultOf(bound, ResultError).value.code, 49)
        bound = self.run_(self.talk.bind("cn=a", b"x"))
        self.talk.dataReceived(result(3, 10))
        message = self.failureResultOf(bound, ResultError).getErrorMessage()
        self.assertIn("not followed", message)
        self.assertTrue(self.talk.usable)

    def test_oneAtATime(self) -> None:
        bound = self.run_(self.talk.bind("", b""))
        self.failureResultOf(self.run_(self.talk.bind("", b"")), ServerError)
        self.talk.dataReceived(result(1))
        self.successResultOf(bound)

    def test_silence(self) -> None:
        bound = self.run_(self.talk.bind("", b""))
        self.clock.advance(5)
        self.assertIn("no answer within 5 s", self.fault(bound))

    def test_lost(self) -> None:
        bound = self.run_(self.talk.bind("", b""))
        self.talk.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(bound, ServerError)
        self.failureResultOf(self.run_(self.talk.bind("", b"")), ServerError)
        self.failureResultOf(self.talk.whenSecure(), ServerError)

    def test_unasked(self) -> None:
        """
        The number of an answer has to be that of the question.
        """
        bound = self.run_(self.talk.bind("", b""))
        self.talk.dataReceived(result(2))
        self.assertIn("not asked for", self.fault(bound))

    def search(self) -> Deferred[Any]:
        return self.run_(self.talk.search(searchRequest("dc=x", None, ["uid"], 2, 5.0), 2))

    def test_search(self) -> None:
        found = self.search()
        self.talk.dataReceived(encode(1, ENTRY) + bytes.fromhex("300d02010173080406") + b"ldap:/")
        self.talk.dataReceived(result(1, 0, pureldap.LDAPSearchResultDone))
        self.assertEqual([each.dn for each in self.successResultOf(found)], ["cn=a"])
        found = self.search()
        self.talk.dataReceived(result(2, 32, pureldap.LDAPSearchResultDone))
        self.assertEqual(self.successResultOf(found), [])
        found = self.search()
        self.talk.dataReceived(result(3, 4, pureldap.LDAPSearchResultDone))
        self.failureResultOf(found, ResultError)

    def test_moreThanAsked(self) -> None:
        found = self.search()
        self.talk.dataReceived(encode(1, ENTRY) * 3)
        self.assertIn("more than 2 entries", self.fault(found))

    def test_tooLong(self) -> None:
        found = self.search()
        self.talk.dataReceived(b"\x30\x83\x0f\x00\x00")
        for _ in range(MAX_ANSWER // 65536 + 1):
            self.talk.dataReceived(b"x" * 65536)
        self.fault(found)

    def test_startTLS(self) -> None:
        begun = self.run_(self.talk.startTLS("options"))
        self.talk.dataReceived(result(1, 0, pureldap.LDAPExtendedResponse))
        self.successResultOf(begun)
        self.assertEqual(self.transport.tls, "options")
        secure = self.talk.whenSecure()
        self.assertNoResult(secure)
        self.talk.handshakeCompleted()
        self.successResultOf(secure)
        self.successResultOf(self.talk.whenSecure())
        self.clock.advance(60)
        self.assertTrue(self.talk.usable)

    def test_noHandshake(self) -> None:
        secure = self.talk.whenSecure()
        self.clock.advance(5)
        self.fault(secure)

    def test_startTLSRefused(self) -> None:
        begun = self.run_(self.talk.startTLS("options"))
        self.talk.dataReceived(result(1, 2, pureldap.LDAPExtendedResponse))
        self.assertIn("does not begin TLS", self.fault(begun))
        self.assertIsNone(self.transport.tls)

    def test_textBeforeTLS(self) -> None:
        """
        What stands behind the answer came without protection.
        """
        begun = self.run_(self.talk.startTLS("options"))
        self.talk.dataReceived(result(1, 0, pureldap.LDAPExtendedResponse) + b"\x30")
        self.assertIn("between its answer and TLS", self.fault(begun))
        self.assertIsNone(self.transport.tls)

    def test_cancelled(self) -> None:
        bound = self.run_(self.talk.bind("", b""))
        bound.cancel()
        self.fault(bound)
