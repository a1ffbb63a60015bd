"""
What a run writes: everything as JSON, tables for people, plots.
"""

from benchmarks.report._svg import FAINT, INK, QUIET, Axis, line, text
from benchmarks.report._table import Table
from benchmarks.report._write import writeAll

__all__ = ["FAINT", "INK", "QUIET", "Axis", "Table", "line", "text", "writeAll"]
