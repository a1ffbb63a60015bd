"""
The realm of logins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.portal import IRealm
from zope.interface import Interface, implementer

from txlb.admin.login._interfaces import ILogin
from txlb.admin.login._login import Login


@implementer(IRealm)
class LoginRealm:
    """
    Gives out the avatars, which the checkers have made already: a source knows the groups and
    the access when it has checked the credentials.
    """

    def requestAvatar(
        self, avatarId: Any, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], Login, Callable[[], None]]:
        """
        Give out an avatar.

        @raise NotImplementedError: another interface is wanted than L{ILogin}.
        """
        if ILogin not in interfaces or not isinstance(avatarId, Login):
            raise NotImplementedError("the avatars of logins are ILogin")
        return ILogin, avatarId, lambda: None
