"""
The transport of a response's body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class BodyTransport:
    """
    The transport that Twisted gives to the protocol of a body, with the method that
    C{readBody} calls if it is cancelled, and warns about if it is missing.

    @param transport: Twisted's.
    @param abort: ends the body and its connection.
    """

    def __init__(self, transport: Any, abort: Callable[[], object]) -> None:
        self._transport = transport
        self._abort = abort

    def abortConnection(self) -> None:
        """
        Close the connection, as the rest of the body is not wanted.
        """
        self._abort()

    def __getattr__(self, name: str) -> Any:
        """
        Return a method of Twisted's transport.
        """
        return getattr(self._transport, name)
