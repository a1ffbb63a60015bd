"""
Metrics of a balancer in the formats of Prometheus, and HAProxy's statistics as CSV.

The functions and classes make texts in slices, each of less than a millisecond; a door serves
them, and lets clients be served between two slices.
"""

from txlb.admin.metrics._exposition import Exposition
from txlb.admin.metrics._families import FAMILIES
from txlb.admin.metrics._family import Family, Kind
from txlb.admin.metrics._gzip import gzipped
from txlb.admin.metrics._haproxynames import HAProxyExposition
from txlb.admin.metrics._negotiation import TextFormat, formatFor, wantsGzip
from txlb.admin.metrics._stats import CSV_TYPE, statistics

__all__ = [
    "CSV_TYPE",
    "FAMILIES",
    "Exposition",
    "Family",
    "HAProxyExposition",
    "Kind",
    "TextFormat",
    "formatFor",
    "gzipped",
    "statistics",
    "wantsGzip",
]
