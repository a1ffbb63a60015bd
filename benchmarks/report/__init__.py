"""
What a run writes: everything as JSON, tables for people, plots.
"""

from benchmarks.report._write import writeAll

__all__ = ["writeAll"]
