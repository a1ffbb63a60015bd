"""
RADIUS servers as sources of logins. pyrad makes and checks the packets; the datagrams are
txlb's own. pyrad is imported when such a source is made.
"""

from txlb.admin.login.radius._checker import RADIUSChecker

__all__ = ["RADIUSChecker"]
