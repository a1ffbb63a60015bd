"""
The control socket: AMP over a UNIX socket, for the C{txlb} command and for other
programs of this machine.

  - C{_wire.py}: the AMP commands as classes, for clients that are written with
    Twisted, made of the list of admin commands.
  - C{_answers.py}: rows cut into pages, as an AMP value has at most 64 KiB.
  - C{_protocol.py}: one client.
  - C{_clients.py}: all clients, and their bounds.
  - C{_door.py}: the clients of the control socket of a cloned application, which listens
    itself.
  - C{_folder.py}: the folder of the socket.
  - C{_service.py}: the service.

The bounds: a request has at most L{MAX_REQUEST} bytes; nothing of a client is read
while it has not read its answers, or while a request of it waits for its turn; of a long
answer there is one a client, made page by page as it is read, and each page in slices;
requests are done in slices of a millisecond, and for a fifth of the time beside a
third of a second that is saved up; there are at most L{MAX_CLIENTS} clients, and the one that
has been silent for longest makes room for the next.
"""

from txlb.admin.control._clients import MAX_CLIENTS
from txlb.admin.control._door import ClonesDoor
from txlb.admin.control._protocol import MAX_REQUEST
from txlb.admin.control._service import ControlService, controlService
from txlb.admin.control._wire import (
    WIRE_COMMANDS,
    GetClientAddress,
    More,
    UnknownPortError,
)

__all__ = [
    "MAX_CLIENTS",
    "MAX_REQUEST",
    "WIRE_COMMANDS",
    "ClonesDoor",
    "ControlService",
    "GetClientAddress",
    "More",
    "UnknownPortError",
    "controlService",
]
