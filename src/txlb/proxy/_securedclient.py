"""
A client whose TLS handshake the fast relay has done.
"""

from __future__ import annotations

from typing import Any, Protocol


class SecuredClient(Protocol):
    """
    A client whose TLS handshake is done, in the loop.

    @ivar parts: its TLS side, as C{txlb.proxy.fast} has it.
    """

    @property
    def parts(self) -> Any: ...

    @property
    def unsent(self) -> bytes | None:
        """
        Bytes that the socket has not taken yet; L{None} for none.
        """

    @property
    def last(self) -> bool:
        """
        Whether the client has finished or failed meanwhile.
        """
        ...

    def refuse(self) -> None:
        """
        Close the connection of a client that gets no host, in good order.
        """
