"""
The loggers of the manhole and of the control socket.
"""

from __future__ import annotations

from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogPublisher,
)

#: Tells which caller did what.
log = Logger(namespace="txlb.admin")

#: Conch logs each packet and channel, to debug Conch. Some of these lines show the input of
#: clients.
quietLog = Logger(
    namespace="txlb.admin.ssh",
    observer=FilteringLogObserver(
        globalLogPublisher, [LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)]
    ),
)


def printable(text: str, limit: int = 4096) -> str:
    """
    Make a text from outside fit for a log: one line, without characters that a terminal
    would act on.
    """
    shown = text if len(text) <= limit else text[:limit] + "…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)
