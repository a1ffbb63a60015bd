"""
Listens on an endpoint with sockets that the processes of an application share.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from txlb.cloning._reactor import SharingReactor
from txlb.cloning._rendezvous import CloningError

#: The kinds of endpoints that can be shared, for messages.
SHARED = "tcp:, tcp6:, ssl:, tls:, unix: or systemd:"

#: The kind whose sockets only the first process has.
_SYSTEMD = "systemd:"


def listenOn(
    reactor: SharingReactor, description: str, factory: IProtocolFactory
) -> IListeningPort:
    """
    Listen on an endpoint.

    @param reactor: the one to listen with.
    @param description: as for L{serverFromString}.
    @param factory: makes the protocols.
    @raise CloningError: the description is wrong, or such an endpoint can't be shared.
    @raise CannotListenError: its address can't be listened on.
    """
    if not isinstance(description, str):
        raise CloningError(
            f"endpoint {description!r} is no description: give a text such as 'tcp:8080'"
        )
    if description.startswith(_SYSTEMD):
        return reactor.listenSystemd(_whichSocket(description), factory)
    sharing: Any = reactor
    before = reactor.count
    found: list[Any] = []
    try:
        serverFromString(sharing, description).listen(factory).addBoth(found.append)
        if found and isinstance(found[0], Failure):
            found[0].raiseException()
    except (CannotListenError, CloningError):
        raise
    except Exception as problem:  # noqa: BLE001 - each kind of endpoint has its own errors
        raise CloningError(f"endpoint {description}: {problem}") from None
    if not found or reactor.count == before:
        raise CloningError(f"endpoint {description} can't be shared by processes: give {SHARED}")
    port: IListeningPort = found[0]
    return port


def _whichSocket(description: str) -> str:
    """
    Find the name or number of a socket of systemd's in a description such as
    C{systemd:domain=INET:index=0} or C{systemd:domain=INET:name=web}.
    """
    words = dict(word.partition("=")[::2] for word in description.split(":")[1:])
    which = words.get("name") or words.get("index")
    if not which:
        raise CloningError(f"endpoint {description} has no name= and no index=")
    return which
