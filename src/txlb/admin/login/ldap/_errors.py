"""
What can go wrong with a directory server.
"""

from __future__ import annotations

from txlb.errors import TxlbError


class ServerError(TxlbError):
    """
    A server that gave no usable answer: the next one may be asked.
    """


class ResultError(TxlbError):
    """
    A result of an operation that is no success.

    @ivar code: the code of RFC 4511, appendix A.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
