"""
The interfaces between doors, logins and sources of logins.
"""

from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from zope.interface import Attribute, Interface


class ILogin(Interface):
    """
    The avatar of a user that has logged in. Doors ask it, and decide nothing themselves.
    """

    name: str = Attribute("""The login name.""")
    source: str = Attribute("""The label of the source that has let it in.""")
    groups: tuple[str, ...] = Attribute("""The groups that the source has told.""")
    access: str = Attribute("""The access, one of L{txlb.admin._access.LEVELS}.""")

    def caller(door: str) -> object:  # noqa: N805 - an interface has no self
        """
        Return the L{txlb.admin.Caller} of commands that come by a door.

        @param door: the word of the door, such as C{ssh}.
        """


class ILoginSource(ICredentialsChecker, Interface):
    """
    A source of logins. C{requestAvatarId} fires with a L{txlb.admin.login.Login}. It fails
    with L{txlb.admin.login.LoginRefused}, or with L{txlb.admin.login.SourceUnavailable} if
    the source gave no answer.
    """

    label: str = Attribute("""The name of the source in logs and answers.""")
    asksNext: bool = Attribute("""Whether the next source is asked if this one is unavailable.""")
    recheck: float = Attribute("""Seconds after which L{again} is asked; 0 for never.""")

    def again(login: object) -> object:  # noqa: N805 - likewise
        """
        Ask once more about a user that is in.

        @param login: the L{txlb.admin.login.Login}.
        @return: a C{Deferred} that fires with the login as it would be now, and fails as
            C{requestAvatarId} does.
        """

    def close() -> None:
        """
        Give up all connections. Requests under way fail.
        """
