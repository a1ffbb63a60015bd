"""
A line for each finished connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from txlb.errors import ModelError
from txlb.proxy import ConnectionRecord

STYLES = ("text", "json")


class AccessLog:
    """
    The writer of records of finished connections, as text with the fields of HAProxy's
    tcplog in their order, or as JSON, one object a line.

    Text: time, client, service, group/host, milliseconds to connect and in all, bytes
    to the host and to the client, the outcome, hosts that were tried, and the
    connections left of balancer, service, group and host.

    @param write: takes a line without its end.
    @param style: C{text} or C{json}.
    @param now: the wall clock.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        style: str = "text",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if style not in STYLES:
            raise ModelError(f"{style!r} is no style of a log; it is one of: {', '.join(STYLES)}")
        self._write = write
        self._line = _json if style == "json" else _text
        self._now = now

    @classmethod
    def toFile(cls, file: TextIO, style: str = "text") -> AccessLog:
        """
        Write to an open file, which the caller still owns.
        """
        return cls(lambda line: file.write(line + "\n"), style)

    def __call__(self, record: ConnectionRecord) -> None:
        """
        Write one record.
        """
        self._write(self._line(record, self._now()))


def _text(record: ConnectionRecord, now: datetime) -> str:
    return (
        f"{now.isoformat(timespec='milliseconds')} {record.client} {record.service} "
        f"{record.group}/{record.host or '-'} "
        f"{_milliseconds(record.connectTime)}/{_milliseconds(record.totalTime)} "
        f"{record.bytesIn}/{record.bytesOut} {record.outcome} {record.tries} "
        f"{record.active}/{record.serviceActive}/{record.groupActive}/{record.hostActive}"
    )


def _milliseconds(seconds: float | None) -> str:
    return "-1" if seconds is None else str(round(seconds * 1000))


def _json(record: ConnectionRecord, now: datetime) -> str:
    return json.dumps({"time": now.isoformat(timespec="milliseconds"), **record.asDict()})
