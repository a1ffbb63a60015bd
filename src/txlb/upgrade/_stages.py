"""
The stages of both processes of an upgrade. The documentation draws its pictures from the tables
here.
"""

from __future__ import annotations

from enum import Enum

from txlb._tablestate import TableState


class PredecessorStage(Enum):
    """
    A stage of the process that has the connections. Its value is its word in the documentation.

      - C{SERVING}: no upgrade is under way.
      - C{STARTING}: it has started the successor, and serves.
      - C{COPYING}: it passes copies of connections to the successor, and serves.
      - C{FROZEN}: it serves nothing, and passes the rest.
      - C{LEAVING}: the successor serves. It ends when the connections that can't move have.
    """

    SERVING = "serving"
    STARTING = "starting"
    COPYING = "copying"
    FROZEN = "frozen"
    LEAVING = "leaving"


class PredecessorEvent(Enum):
    """
    An event of the process that has the connections.

      - C{ASKED}: an administrator asks for an upgrade.
      - C{READY}: the successor could serve.
      - C{PREPARED}: the successor has read all copies.
      - C{STARTED}: the successor has everything, and serves.
      - C{FAILED}: the successor refuses, ends, or takes too long.
    """

    ASKED = "upgrade"
    READY = "Ready"
    PREPARED = "Prepared"
    STARTED = "Started"
    FAILED = "successor fails"


PREDECESSOR = {
    (PredecessorStage.SERVING, PredecessorEvent.ASKED): PredecessorStage.STARTING,
    (PredecessorStage.STARTING, PredecessorEvent.READY): PredecessorStage.COPYING,
    (PredecessorStage.STARTING, PredecessorEvent.FAILED): PredecessorStage.SERVING,
    (PredecessorStage.COPYING, PredecessorEvent.PREPARED): PredecessorStage.FROZEN,
    (PredecessorStage.COPYING, PredecessorEvent.FAILED): PredecessorStage.SERVING,
    (PredecessorStage.FROZEN, PredecessorEvent.STARTED): PredecessorStage.LEAVING,
    (PredecessorStage.FROZEN, PredecessorEvent.FAILED): PredecessorStage.SERVING,
}


class PredecessorState(TableState[PredecessorStage, PredecessorEvent]):
    """
    The stage of the process that has the connections.
    """

    __slots__ = ()
    transitions = PREDECESSOR

    def __init__(self) -> None:
        super().__init__(PredecessorStage.SERVING)


#: The stages in which it serves its clients.
PREDECESSOR_SERVES = frozenset(
    {PredecessorStage.SERVING, PredecessorStage.STARTING, PredecessorStage.COPYING}
)


class SuccessorStage(Enum):
    """
    A stage of the process that takes over. Its value is its word in the documentation.

      - C{PREPARING}: it reads its configuration, and takes the listening sockets.
      - C{FOLLOWING}: it takes copies of connections, which are the predecessor's.
      - C{TAKING}: it takes the rest, while the predecessor serves nothing.
      - C{SERVING}: the connections are its own.
      - C{ENDED}: it ends, and has touched nothing.
    """

    PREPARING = "preparing"
    FOLLOWING = "following"
    TAKING = "taking"
    SERVING = "serving"
    ENDED = "ended"


class SuccessorEvent(Enum):
    """
    An event of the process that takes over.

      - C{READY}: it could serve.
      - C{FROZEN}: the predecessor serves nothing any more.
      - C{COMPLETE}: it has everything, and has said so.
      - C{ALONE}: the predecessor is gone without a word.
      - C{STOPPED}: the predecessor says that it goes on, or something fails here.
    """

    READY = "is ready"
    FROZEN = "Frozen"
    COMPLETE = "complete"
    ALONE = "predecessor gone"
    STOPPED = "Aborted, or an error"


SUCCESSOR = {
    (SuccessorStage.PREPARING, SuccessorEvent.READY): SuccessorStage.FOLLOWING,
    (SuccessorStage.PREPARING, SuccessorEvent.STOPPED): SuccessorStage.ENDED,
    (SuccessorStage.FOLLOWING, SuccessorEvent.FROZEN): SuccessorStage.TAKING,
    # Its copies are old by now: it resets them.
    (SuccessorStage.FOLLOWING, SuccessorEvent.ALONE): SuccessorStage.SERVING,
    (SuccessorStage.FOLLOWING, SuccessorEvent.STOPPED): SuccessorStage.ENDED,
    (SuccessorStage.TAKING, SuccessorEvent.COMPLETE): SuccessorStage.SERVING,
    # What has come is complete in itself: it serves that, and resets the rest.
    (SuccessorStage.TAKING, SuccessorEvent.ALONE): SuccessorStage.SERVING,
    (SuccessorStage.TAKING, SuccessorEvent.STOPPED): SuccessorStage.ENDED,
}


class SuccessorState(TableState[SuccessorStage, SuccessorEvent]):
    """
    The stage of the process that takes over.
    """

    __slots__ = ()
    transitions = SUCCESSOR

    def __init__(self) -> None:
        super().__init__(SuccessorStage.PREPARING)


#: The stages in which it serves clients.
SUCCESSOR_SERVES = frozenset({SuccessorStage.SERVING})
