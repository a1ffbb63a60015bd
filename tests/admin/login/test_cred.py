"""
Tests for L{txlb.admin.login._cred} and L{txlb.admin.login._made}.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txlb.admin import AccessMap, CheckerSource, LDAPSource
from txlb.admin.login import (
    ILoginSource,
    Login,
    LoginRefused,
    PasswordTry,
    SourceUnavailable,
    _cred,
)
from txlb.admin.login._cred import CredChecker
from txlb.admin.login._made import labelOf, makeSource
from txlb.admin.login._means import Means
from txlb.errors import TxlbError


def means() -> Means:
    return Means(maybeDeferred)


class CheckerTests(SynchronousTestCase):
    def make(self, spec: str, access: str = "operator") -> CredChecker:
        checker = CredChecker(CheckerSource(spec, access), "checker", means())
        verifyObject(ILoginSource, checker)
        return checker

    def login(self, checker: CredChecker, name: bytes, password: bytes) -> Deferred[Any]:
        return maybeDeferred(checker.requestAvatarId, PasswordTry(name, password))

    def test_password(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"anna:secret\nrita:other\n")
        checker = self.make(f"file:{path}")
        login = self.successResultOf(self.login(checker, b"anna", b"secret"))
        self.assertEqual(login, Login("anna", "checker", (), "operator"))
        for name, password in ((b"anna", b"other"), (b"x", b"secret"), (b"anna", b""), (b"", b"x")):
            self.failureResultOf(self.login(checker, name, password), LoginRefused)
        self.assertRaises(SourceUnavailable, checker.again, login)
        checker.close()

    def test_recheck(self) -> None:
        """
        Logins last as long as the settings say.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"anna:secret\n")
        for settings, lasts in (
            (CheckerSource(f"file:{path}", "full"), 0.0),
            (CheckerSource(f"file:{path}", "full", recheck=60), 60.0),
        ):
            checker = CredChecker(settings, "checker", means())
            login = self.successResultOf(self.login(checker, b"anna", b"secret"))
            self.assertEqual(login.lasts, lasts)

    def test_fails(self) -> None:
        checker = self.make("unix")
        checker._checker.requestAvatarId = lambda _: fail(ValueError("secret"))
        failure = self.failureResultOf(self.login(checker, b"anna", b"secret"), SourceUnavailable)
        self.assertEqual(failure.getErrorMessage(), "the checker failed: ValueError")
        checker._checker.requestAvatarId = lambda _: ()
        self.failureResultOf(self.login(checker, b"anna", b"secret"), LoginRefused)

    def test_notAsked(self) -> None:
        """
        A checker that was not asked, as the balancer stops, has refused nothing.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"anna:secret\n")
        stopped = Means(lambda _: fail(SourceUnavailable("the balancer stops")))
        checker = CredChecker(CheckerSource(f"file:{path}", "full"), "checker", stopped)
        failure = self.failureResultOf(self.login(checker, b"anna", b"secret"), SourceUnavailable)
        self.assertEqual(failure.getErrorMessage(), "the balancer stops")

    def test_refused(self) -> None:
        for spec, words in (
            ("nothing:x", "there is no such checker"),
            ("memory:anna", "spec of <checker>"),
            ("anonymous", "neither passwords nor keys, but IAnonymous"),
        ):
            error = self.assertRaises(TxlbError, self.make, spec)
            self.assertIn(words, str(error))

    def test_blocking(self) -> None:
        """
        A checker that blocks is asked in the thread of passwords; another one is not. One that
        waits for the reactor there is unavailable, and the reason is told.
        """
        inThread: list[object] = []

        def run(function: Any) -> Deferred[Any]:
            inThread.append(function)
            return maybeDeferred(function)

        self.patch(_cred, "_SLOW", ())
        for blocking in (False, True):
            settings = CheckerSource("memory:anna:secret", "full", blocking=blocking)
            checker = CredChecker(settings, "checker", Means(run))
            self.failureResultOf(self.login(checker, b"rita", b"secret"), LoginRefused)
            self.assertEqual(len(inThread), blocking)
        checker._checker.requestAvatarId = lambda _: Deferred()
        failure = self.failureResultOf(self.login(checker, b"anna", b"secret"), SourceUnavailable)
        self.assertIn("waits for the reactor", failure.getErrorMessage())

    def test_unix(self) -> None:
        self.assertEqual(self.make("unix").credentialInterfaces, (IUsernamePassword,))


class MadeTests(SynchronousTestCase):
    def test_labels(self) -> None:
        source = CheckerSource("unix", "full")
        self.assertEqual([labelOf(source, 1), labelOf(source, 2)], ["checker", "checker2"])

    def test_missingLibrary(self) -> None:
        """
        A library is imported only if it is configured, and the error tells how to get it.
        """
        settings = LDAPSource(("ldaps://x",), (AccessMap("full", group="x"),), searchBase="dc=x")
        removed = {
            name: sys.modules.pop(name)
            for name in list(sys.modules)
            if name.startswith(("txlb.admin.login.ldap", "ldaptor"))
        }
        self.addCleanup(sys.modules.update, removed)
        sys.modules["ldaptor"] = None  # type: ignore[assignment]
        self.addCleanup(sys.modules.pop, "ldaptor")
        error = self.assertRaises(TxlbError, makeSource, settings, "ldap", means())
        self.assertIn("pip install 'txlb[ldap]'", str(error))
