"""
What a run writes: everything as JSON, tables for people, plots.
"""

from benchmarks.report._svg import FAINT, INK, OURS, QUIET, Axis, line, page, text
from benchmarks.report._table import Table
from benchmarks.report._write import writeAll

__all__ = ["FAINT", "INK", "OURS", "QUIET", "Axis", "Table", "line", "page", "text", "writeAll"]
