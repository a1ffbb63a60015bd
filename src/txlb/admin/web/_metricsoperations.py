"""
The operations that serve metrics and HAProxy's statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from txlb.admin._access import READONLY
from txlb.admin._arguments import TEXT, Argument
from txlb.admin.metrics import (
    CSV_TYPE,
    Exposition,
    HAProxyExposition,
    TextFormat,
    formatFor,
    gzipped,
    statistics,
    wantsGzip,
)
from txlb.admin.web._call import Call
from txlb.admin.web._commandoperations import API
from txlb.admin.web._operation import Operation
from txlb.admin.web._problem import Refusal
from txlb.admin.web._reply import Reply

#: Whose names metrics may have.
NAMES = ("txlb", "haproxy")

_NAMES = Argument(
    "names", TEXT, "the names of metrics: txlb, or haproxy for those of HAProxy's exporter", "txlb"
)


class MetricsOperations:
    """
    Serves the metrics of one console, in the format and the coding that the client asks for.
    """

    def __init__(self) -> None:
        self._expositions: dict[str, Exposition | HAProxyExposition] = {}

    def __iter__(self) -> Iterator[Operation]:
        yield Operation(
            "getMetrics",
            "GET",
            "/metrics",
            READONLY,
            "Show the metrics, for Prometheus",
            self._metrics,
            "The format is OpenMetrics 1.0 if the client prefers it, else the text format 0.0.4.",
            query=(_NAMES,),
            answer="Text",
            answers=("text/plain", "application/openmetrics-text"),
            openable=True,
        )
        yield Operation(
            "getStatistics",
            "GET",
            f"{API}/stats;csv",
            READONLY,
            "Show what HAProxy shows by show stat, as CSV",
            self._statistics,
            "The columns are those of HAProxy 2.6.",
            answer="Text",
            answers=("text/plain",),
        )

    def _metrics(self, call: Call) -> Reply:
        names = call.query.get("names", NAMES[0])
        if names not in NAMES:
            raise Refusal(422, f"names is {names[:80]!r}; it is one of: {', '.join(NAMES)}")
        form = formatFor(_header(call, b"accept"))
        openMetrics = form is TextFormat.OPEN_METRICS
        exposition = self._expositions.get(names)
        if exposition is None:
            made = HAProxyExposition if names == "haproxy" else Exposition
            exposition = self._expositions[names] = made(call.console.target)
        return _reply(call, exposition.text(openMetrics), form.value)

    def _statistics(self, call: Call) -> Reply:
        return _reply(call, statistics(call.console.target), CSV_TYPE)


def _reply(call: Call, slices: Iterator[bytes], media: str) -> Reply:
    headers = {"Vary": "Accept, Accept-Encoding"}
    if wantsGzip(_header(call, b"accept-encoding")):
        headers["Content-Encoding"] = "gzip"
        slices = gzipped(slices)
    return Reply(slices, media=media, headers=headers)


def _header(call: Call, name: bytes) -> str:
    values: Any = call.request.requestHeaders.getRawHeaders(name) or ()
    return ",".join(each.decode("latin-1") for each in values)
