"""
Every door, every source of logins, every access, every command: exactly what is allowed is
allowed.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import quickChecks, quickHash
from tests.admin.login.test_logins import FakeSource
from txlb.admin import COMMANDS, AdminUser
from txlb.admin._access import LEVELS
from txlb.admin._history import History
from txlb.admin._target import Target
from txlb.admin.login import Login, Logins, PasswordTry, PeerUser
from txlb.errors import AccessDenied

#: The doors, as they name their callers. The control socket has no word.
DOORS = ("ssh", "web", "token", "")

SOURCES = ("user", "ldap", "radius", "checker")


class Reached(Exception):
    """
    The access was enough, and the command begins.
    """


class NoManager:
    def by(self, _caller: str) -> Any:
        raise Reached


class NoBalancer:
    manager = NoManager()


class MatrixTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.target = Target(NoBalancer(), None, History())

    def loginBy(self, source: str, access: str) -> Login:
        """
        Log in by the portal that all doors ask.
        """
        users = [AdminUser("anna", quickHash("secret"), access=access)] if source == "user" else []
        logins = Logins(users, seconds=self.clock.seconds, checks=quickChecks())
        if source != "user":
            logins._order.sources = (FakeSource(source, Login("anna", source, ("g",), access)),)
        return self.successResultOf(logins.login(PasswordTry(b"anna", b"secret")))

    def check(self, login: Login, access: str) -> int:
        """
        Give every command by every door.

        @return: how many were allowed.
        """
        allowed = 0
        for door in DOORS:
            caller = login.caller(door)
            for command in COMMANDS:
                values = {each.name: each.default for each in command.arguments}
                enough = LEVELS.index(access) >= LEVELS.index(command.access)
                with self.subTest(door=door, source=login.source, command=command.name):
                    wanted = Reached if enough else AccessDenied
                    self.assertRaises(wanted, command, self.target, caller, values)
                    allowed += enough
        return allowed

    def test_matrix(self) -> None:
        found: dict[str, set[int]] = {}
        for source in SOURCES:
            for access in LEVELS:
                login = self.loginBy(source, access)
                self.assertEqual((login.source, login.access), (source, access))
                found.setdefault(access, set()).add(self.check(login, access))
        # The sources differ in nothing, and each access has more than the one before.
        counts = [max(found[access]) for access in LEVELS]
        self.assertEqual([len(found[access]) for access in LEVELS], [1, 1, 1])
        self.assertEqual(sorted(set(counts)), counts)
        self.assertEqual(counts[-1], len(DOORS) * len(COMMANDS))

    def test_uid(self) -> None:
        login = self.successResultOf(Logins().login(PeerUser(os.geteuid())))
        self.assertEqual(self.check(login, "full"), len(DOORS) * len(COMMANDS))
