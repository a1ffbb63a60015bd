"""
A client whose TLS handshake the fast relay has done.
"""

from __future__ import annotations

from typing import Any, Protocol


class SecuredClient(Protocol):
    """
    A client whose TLS handshake is done, in the loop.

    @ivar handshake: its handshake, as C{txlb.proxy.fast} has it.
    """

    @property
    def handshake(self) -> Any: ...

    def refuse(self) -> None:
        """
        Close the connection of a client that gets no host, in good order.
        """
