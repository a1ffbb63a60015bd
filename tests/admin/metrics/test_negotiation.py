"""
The format and the coding that a client asks for.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.metrics import TextFormat, formatFor, wantsGzip

#: The headers of Prometheus 2.42, and of 3.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


class NegotiationTests(SynchronousTestCase):
    def test_format(self) -> None:
        for accept, wanted in (
            (PROMETHEUS, TextFormat.OPEN_METRICS),
            (PROMETHEUS_3, TextFormat.OPEN_METRICS),
            ("application/openmetrics-text", TextFormat.OPEN_METRICS),
            ("APPLICATION/OpenMetrics-text; Version=1.0.0", TextFormat.OPEN_METRICS),
            ("", TextFormat.TEXT),
            ("*/*", TextFormat.TEXT),
            ("text/html,*/*;q=0.8", TextFormat.TEXT),
            ("text/plain", TextFormat.TEXT),
            ("text/plain,application/openmetrics-text;q=0.9", TextFormat.TEXT),
            ("application/openmetrics-text;q=0", TextFormat.TEXT),
            ("application/openmetrics-text;q=x", TextFormat.TEXT),
            ("application/openmetrics-text;q=nan", TextFormat.TEXT),
            ("application/openmetrics-text;version=2.0.0", TextFormat.TEXT),
            ("application/json", TextFormat.TEXT),
            (",;=," * 1000, TextFormat.TEXT),
            ("x," * 60 + "application/openmetrics-text", TextFormat.TEXT),
        ):
            with self.subTest(accept[:60]):
                self.assertIs(formatFor(accept), wanted)

    def test_gzip(self) -> None:
        for header, wanted in (
            ("gzip", True),
            ("deflate, GZIP;q=0.5", True),
            ("x-gzip", True),
            ("*", True),
            ("gzip;q=0, *", False),
            ("identity", False),
            ("", False),
            ("br;q=1.0, *;q=0", False),
        ):
            with self.subTest(header):
                self.assertIs(wantsGzip(header), wanted)
