"""
Logins of users of this machine.
"""

from __future__ import annotations

import os
import pwd
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txlb.admin._access import FULL
from txlb.admin._log import printable
from txlb.admin.login._credentials import IPeerUser, PeerUser
from txlb.admin.login._login import Login
from txlb.admin.login._refused import LoginRefused

#: The label of the source.
LABEL = "uid"


def userText(uid: int | None) -> str:
    """
    Return the name of a user of this machine for events and logs.
    """
    if uid is None:
        return "control socket"
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
    return f"uid:{uid} ({printable(name, 64)})"


@implementer(ICredentialsChecker)
class PeerChecker:
    """
    A checker of users that have connected by a UNIX socket. The user of this process and root
    have full access: they could do all of it without the socket. Other users have none. If the
    system does not tell the user, the mode of the socket's file has decided.
    """

    credentialInterfaces = (IPeerUser,)

    def requestAvatarId(self, credentials: PeerUser) -> Deferred[Any]:
        """
        Decide about a user.

        @raise LoginRefused: it is another user.
        """
        uid = credentials.uid
        if uid is not None and uid not in {0, os.geteuid()}:
            raise LoginRefused(f"{userText(uid)} was refused: this socket is for another user")
        return succeed(Login(userText(uid), LABEL, (), FULL))
