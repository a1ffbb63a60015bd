"""
Counts of what each client has under way.
"""

from __future__ import annotations

from txlb.connecting import packedClient

#: Bytes of an IPv6 address by which clients are counted: those of a network of 64 bits, which
#: one customer has in most cases.
NETWORK = 8


class ClientCounts:
    """
    The counts of what each client has under way, such as handshakes. A client is an IPv4 address,
    or an IPv6 network of 64 bits. The clients of UNIX sockets are not counted. A client that has
    nothing under way takes no memory.
    """

    def __init__(self) -> None:
        # A Counter would take a call of Python's for each client that comes and goes.
        self._counts: dict[bytes, int] = {}

    def __len__(self) -> int:
        """
        Count the clients.
        """
        return len(self._counts)

    def of(self, address: object) -> int:
        """
        Return how much a client has under way.

        @param address: its address, as C{accept} or a preface gives it.
        """
        if not self._counts:
            return 0
        key = _keyOf(address)
        return 0 if key is None else self._counts.get(key, 0)

    def add(self, address: object) -> bytes | None:
        """
        Count one more.

        @return: the key of the client, for L{remove}; L{None} if it is not counted.
        """
        key = _keyOf(address)
        if key is not None:
            self._counts[key] = self._counts.get(key, 0) + 1
        return key

    def remove(self, key: bytes | None) -> None:
        """
        Count one less.

        @param key: the one that L{add} has returned.
        """
        if key is not None:
            left = self._counts[key] - 1
            if left:
                self._counts[key] = left
            else:
                del self._counts[key]


def _keyOf(address: object) -> bytes | None:
    """
    Find what counts as one client.

    @return: L{None} for a client of a UNIX socket.
    """
    packed = packedClient(address)
    return packed if packed is None or len(packed) == 4 else packed[:NETWORK]
