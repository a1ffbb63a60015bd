"""
What goes wrong with a broker of STOMP.
"""

from __future__ import annotations

from txlb.errors import TxlbError


class StompError(TxlbError):
    """
    An error that a broker tells, or a broker that does what the protocol does not have.
    """


class StompUnreachable(StompError):
    """
    A broker does not answer, or the connection to it has ended. What was sent may have been
    delivered nevertheless.
    """
