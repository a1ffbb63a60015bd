"""
What goes wrong with etcd.
"""

from __future__ import annotations

from txlb.errors import TxlbError


class EtcdError(TxlbError):
    """
    An error that etcd tells.

    @ivar code: its number, of those of gRPC; 0 if it has none.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class EtcdUnreachable(EtcdError):
    """
    No member of etcd has answered, or none has a leader. What was asked may have been done
    nevertheless.
    """


class EtcdDenied(EtcdError):
    """
    The user is wrong, or may not do what was asked.
    """
