"""
The plots of a run.
"""

from __future__ import annotations

from benchmarks.peers import BASELINE, DIRECT, FAST, PORTABLE
from benchmarks.report._svg import Dot, dots, lines, page
from benchmarks.results import Results
from benchmarks.works import Comparison

OURS = frozenset({FAST, PORTABLE})

#: Which works share a picture, by how their keys begin.
PICTURES = {
    "connections": "connection-",
    "requests": "request-",
    "bulk": "bulk-",
}


def plotsOf(results: Results) -> dict[str, str]:
    """
    All of them, by name of the file.
    """
    plots = {}
    for name, prefix in PICTURES.items():
        panels = [
            _ratios(comparison)
            for key, comparison in results.comparisons.items()
            if key.startswith(prefix)
        ]
        if panels:
            plots[f"{name}.svg"] = page(panels)
    if "mixed" in results.comparisons:
        plots["beside-bulk.svg"] = page([_latencies(results.comparisons["mixed"])])
    if results.idle:
        rows = [
            _dot(f"{idle.peer}, {idle.connections}", idle.memory / 1024, idle.peer)
            for idle in results.idle
        ]
        panel = dots("Memory for each idle connection", "KiB", rows, linear=True)
        plots["idle.svg"] = page([panel])
    if results.growth:
        plots["growth.svg"] = page([_growth(results, of) for of in ("open connections", "hosts")])
    if results.web:
        plots["web.svg"] = page([_pages(comparison) for comparison in results.web.values()])
    return plots


def _dot(label: str, value: float, peer: str) -> Dot:
    return Dot(label, value, value, value, peer in OURS)


def _ratios(comparison: Comparison) -> tuple[str, int]:
    rows = []
    for name in comparison.samples:
        ratio = comparison.ratio(name, BASELINE)
        if name != DIRECT and ratio is not None:
            rows.append(Dot(name, ratio.median, ratio.low, ratio.high, name in OURS))
    title = f"CPU: {comparison.title}"
    return dots(title, f"CPU a {comparison.unit}, {BASELINE} = 1", rows, 1.0)


def _latencies(comparison: Comparison) -> tuple[str, int]:
    rows = []
    for name in comparison.samples:
        median = comparison.median(name, lambda sample: sample.median)
        late = comparison.median(name, lambda sample: sample.late)
        if median is not None and late is not None:
            rows.append(Dot(name, median * 1000, median * 1000, late * 1000, name in OURS))
    axis = "ms: the median, and up to the 99th percentile"
    return dots("Latency of small requests beside bulk", axis, rows)


def _growth(results: Results, of: str) -> tuple[str, int]:
    found = [growth for growth in results.growth if growth.of == of]
    series = [
        (growth.peer, {count: cpu.median / 1000 for count, cpu in growth.cpu.items()})
        for growth in found
    ]
    unit = found[0].unit if found else ""
    return lines(f"CPU a {unit} by {of}", of, f"µs a {unit}", series)


def _pages(comparison: Comparison) -> tuple[str, int]:
    rows = []
    for name in comparison.samples:
        rate = comparison.median(name, lambda sample: sample.rate)
        if rate is not None:
            rows.append(Dot(name, rate, rate, rate, "txlb" in name))
    return dots(comparison.title.capitalize(), "pages a second", rows, linear=True)
