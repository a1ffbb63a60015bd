"""
The credentials that doors give to the portal. Signatures are Conch's
L{twisted.cred.credentials.SSHPrivateKey}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.cred.credentials import ICredentials, UsernamePassword
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer

from txlb.admin.login._clientsource import LOCAL

#: Asks the person that logs in a question: gets the question, and whether the answer may be
#: shown while it is typed. Its Deferred fires with the answer; it fails if there is none.
Ask = Callable[[str, bool], "Deferred[bytes]"]


class PasswordTry(UsernamePassword):
    """
    A password, with the place from which it comes.

    @ivar source: the client's address as limits count it, see L{txlb.admin.login.sourceOf}.
    @ivar ask: asks the person another question, such as for a second factor; L{None} if the
        door can't.
    """

    def __init__(
        self, username: bytes, password: bytes, source: str = LOCAL, ask: Ask | None = None
    ) -> None:
        super().__init__(username, password)
        self.source = source
        self.ask = ask

    def __repr__(self) -> str:
        # Tracebacks and logs show it. The password is not for them.
        return f"<PasswordTry from {self.source}>"


class IPeerUser(ICredentials, Interface):
    """
    The user of this machine that has connected by a UNIX socket.
    """

    uid: int | None = Attribute("""Its number, as the system tells it; L{None} if it does not.""")


@implementer(IPeerUser)
@dataclass(frozen=True, slots=True)
class PeerUser:
    """
    The user of a process that has connected by a UNIX socket.

    @ivar uid: its number; L{None} if the system does not tell.
    """

    uid: int | None
