"""
Asks connections to finish.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from txlb.interfaces import IDrainable

#: Protocols that may be wrapped in each other: TLS, a policy, a timeout.
MOST_WRAPPED = 8

_log = Logger()


def drainProtocol(protocol: Any) -> None:
    """
    Ask a connection to finish. A protocol that is, or adapts to, L{IDrainable} is asked. A
    server of C{twisted.web} answers the request under way and the next one, and says
    C{Connection: close}; in HTTP/1.1 (RFC 9112, section 9.6) that is how a server ends a
    persistent connection without an error for the client. Others go on until the grace
    time is over.
    """
    for _ in range(MOST_WRAPPED):
        drainable: Any = IDrainable(protocol, None)
        if drainable is not None:
            try:
                drainable.drain()
            except Exception:  # noqa: BLE001 - the application wrote it
                _log.failure("a connection can't be drained")
            return
        channel = getattr(protocol, "_channel", protocol)
        if hasattr(channel, "checkPersistence"):
            channel.checkPersistence = _endAfterThis
            return
        inner = getattr(protocol, "wrappedProtocol", None)
        if inner is None:
            return
        protocol = inner


def _endAfterThis(request: Any, _version: bytes) -> bool:
    request.responseHeaders.setRawHeaders(b"connection", [b"close"])
    return False
