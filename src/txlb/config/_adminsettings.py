"""
The settings of the administration.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.config._admintoken import AdminToken
from txlb.config._adminuser import AdminUser
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
    """

    ssh: SSHSettings | None = None
    web: WebSettings | None = None
    users: tuple[AdminUser, ...] = ()
    tokens: tuple[AdminToken, ...] = ()
