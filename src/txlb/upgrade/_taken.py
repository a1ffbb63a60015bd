"""
A connection that a successor has.
"""

from __future__ import annotations

from txlb.proxy import Moving, MovingConnection, MovingRelay
from txlb.wire import ChangedConnection, MovedConnection


class Taken:
    """
    A connection that was taken over, with its place in this process. Owned by the
    L{txlb.upgrade.Successor}.

    @ivar moving: of its service.
    @ivar relay: has it.
    @ivar last: what the predecessor has told of it last.
    """

    __slots__ = ("connection", "last", "moving", "relay")

    def __init__(
        self,
        moving: Moving,
        relay: MovingRelay,
        connection: MovingConnection,
        last: MovedConnection,
    ) -> None:
        self.moving = moving
        self.relay = relay
        self.connection = connection
        self.last: MovedConnection | ChangedConnection = last
