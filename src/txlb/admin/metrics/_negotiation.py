"""
The format and the coding that a client asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import Enum


class TextFormat(Enum):
    """
    A text format of metrics. Its value is its content type.
    """

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


#: More parts of a header than this are not looked at.
MOST_PARTS = 50

#: The version of OpenMetrics that is written.
_VERSION = "1.0.0"


def formatFor(accept: str) -> TextFormat:
    """
    Choose the text format by the header C{Accept}: OpenMetrics if the client prefers it to
    text, else text. A client that asks for neither gets text, as HAProxy's and the Go client's
    exporters do.

    Source: RFC 9110, section 12.5.1.
    """
    openMetrics = text = 0.0
    for name, parameters, quality in _parts(accept):
        if name == "application/openmetrics-text":
            if parameters.get("version", _VERSION) in {_VERSION, "0.0.1"}:
                openMetrics = max(openMetrics, quality)
        elif name in {"text/plain", "text/*", "*/*"}:
            text = max(text, quality)
    return TextFormat.OPEN_METRICS if openMetrics > 0 and openMetrics >= text else TextFormat.TEXT


def wantsGzip(acceptEncoding: str) -> bool:
    """
    Tell by the header C{Accept-Encoding} whether the client takes gzip.

    Source: RFC 9110, section 12.5.3.
    """
    found = {name: quality for name, _, quality in _parts(acceptEncoding)}
    return found.get("gzip", found.get("x-gzip", found.get("*", 0.0))) > 0


def _parts(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """
    Yield the parts of a header, each with its parameters and its quality. A part with a
    quality that is none counts with 0.
    """
    for part in header.split(",", MOST_PARTS)[:MOST_PARTS]:
        name, *rest = part.split(";")
        parameters = {}
        for each in rest:
            key, _, value = each.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        yield name.strip().lower(), parameters, _quality(parameters.pop("q", "1"))


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if math.isfinite(quality) and 0 <= quality <= 1 else 0.0
