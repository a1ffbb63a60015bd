"""
Why logins fail.
"""

from __future__ import annotations

from twisted.cred.error import UnauthorizedLogin


class LoginRefused(UnauthorizedLogin):
    """
    A login that is refused. The message is for the log; clients get no reason.
    """


class SourceUnavailable(LoginRefused):
    """
    A login that could not be decided, as a source gave no answer. The message is for the
    log; clients get L{TOLD}.
    """


#: The text for a client whose login could not be decided. It does not depend on the user.
TOLD = "a login server does not answer, so nothing was decided about the password; try again later"
