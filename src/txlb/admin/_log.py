"""
What the manhole writes to the log.
"""

from __future__ import annotations

from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogPublisher,
)

#: Who did what.
log = Logger(namespace="txlb.admin")

#: What Conch says of each packet and channel is for those who debug Conch, and
#: some of it shows what clients have sent.
quietLog = Logger(
    namespace="txlb.admin.ssh",
    observer=FilteringLogObserver(
        globalLogPublisher, [LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)]
    ),
)


def printable(text: str, limit: int = 4096) -> str:
    """
    A text from outside as it can stand in a log: in one line, without anything
    that a terminal would act on.
    """
    shown = text if len(text) <= limit else text[:limit] + "…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)
