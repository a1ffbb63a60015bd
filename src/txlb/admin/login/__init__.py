"""
Logins: which users may come in by any of the doors, and which are in.

A door makes credentials (C{_credentials.py}), gives them to the portal of the balancer's
L{Logins}, and gets a L{Login}: a name with its source, groups and access. It registers the
session in L{Sessions}, which ends it if the access is taken away.

  - C{_logins.py}: the one place; it owns all others.
  - C{_interfaces.py}: the avatar, and what a source of logins is.
  - C{_order.py}: asks the sources in turn.
  - C{_users.py}, C{_passwordchecker.py}, C{_keychecker.py}: the users of the configuration.
  - C{_peerchecker.py}: the users of this machine, by their uids.
  - C{_tries.py}: bounds on guesses, of all doors together.
  - C{_sessions.py}: the clients that are in.
"""

from txlb.admin.login._clientsource import LOCAL, clientHost, peerName, sourceOf, sourceOfText
from txlb.admin.login._credentials import IPeerUser, PasswordTry, PeerUser
from txlb.admin.login._interfaces import ILogin, ILoginSource
from txlb.admin.login._login import Login
from txlb.admin.login._logins import Logins, loginsOf
from txlb.admin.login._refused import LoginRefused, SourceUnavailable
from txlb.admin.login._session import Session
from txlb.admin.login._sessions import Sessions
from txlb.admin.login._users import Users

__all__ = [
    "LOCAL",
    "ILogin",
    "ILoginSource",
    "IPeerUser",
    "Login",
    "LoginRefused",
    "Logins",
    "PasswordTry",
    "PeerUser",
    "Session",
    "Sessions",
    "SourceUnavailable",
    "Users",
    "clientHost",
    "loginsOf",
    "peerName",
    "sourceOf",
    "sourceOfText",
]
