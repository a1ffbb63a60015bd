"""
The settings of the administration.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.config._admintoken import AdminToken
from txlb.config._adminuser import AdminUser
from txlb.config._checkersource import CheckerSource
from txlb.config._ldapsource import LDAPSource
from txlb.config._radiussource import RADIUSSource
from txlb.config._sshsettings import SSHSettings
from txlb.config._websettings import WebSettings


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """
    How the balancer is looked at and changed while it runs.

    @ivar ssh: L{None} if the file has no such element.
    @ivar web: L{None} if the file has no such element.
    @ivar users: in the order of the file.
    @ivar tokens: likewise.
    @ivar sources: the other sources of logins, in the order of the file.
    @ivar usersAt: how many of them are asked before the users.
    """

    ssh: SSHSettings | None = None
    web: WebSettings | None = None
    users: tuple[AdminUser, ...] = ()
    tokens: tuple[AdminToken, ...] = ()
    sources: tuple[LDAPSource | RADIUSSource | CheckerSource, ...] = ()
    usersAt: int = 0
