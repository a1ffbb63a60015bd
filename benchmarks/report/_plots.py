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


#: A panel and its height in pixels; L{None} if nothing was measured for it.
Panel = tuple[str, int] | None


def plotsOf(results: Results) -> dict[str, str]:
    """
    All of them, by name of the file. A peer whose program is missing is left out, and so is a plot
    without any peer.
    """
    plots: dict[str, list[Panel]] = {
        f"{name}.svg": [
            _ratios(comparison)
            for key, comparison in results.comparisons.items()
            if key.startswith(prefix)
        ]
        for name, prefix in PICTURES.items()
    }
    if "mixed" in results.comparisons:
        plots["beside-bulk.svg"] = [_latencies(results.comparisons["mixed"])]
    rows = [
        _dot(f"{idle.peer}, {idle.connections}", idle.memory / 1024, idle.peer)
        for idle in results.idle
    ]
    plots["idle.svg"] = [_dots("Memory for each idle connection", "KiB", rows, linear=True)]
    plots["growth.svg"] = [_growth(results, of) for of in ("open connections", "hosts")]
    plots["web.svg"] = [_pages(comparison) for comparison in results.web.values()]
    drawn = {name: [each for each in panels if each] for name, panels in plots.items()}
    return {name: page(panels) for name, panels in drawn.items() if panels}


def _dots(
    title: str, axis: str, rows: list[Dot], reference: float | None = None, *, linear: bool = False
) -> Panel:
    return dots(title, axis, rows, reference, linear=linear) if rows else None


def _dot(label: str, value: float, peer: str) -> Dot:
    return Dot(label, value, value, value, peer in OURS)


def _ratios(comparison: Comparison) -> Panel:
    """
    Draw the CPU of each peer, where the baseline is 1; without the baseline in microseconds.
    """
    relative = bool(comparison.samples.get(BASELINE))
    rows = []
    for name in comparison.samples:
        if name == DIRECT:
            continue
        found = comparison.ratio(name, BASELINE) if relative else comparison.cpu(name)
        if found is not None:
            unit = 1.0 if relative else 1000.0
            low, high = found.low / unit, found.high / unit
            rows.append(Dot(name, found.median / unit, low, high, name in OURS))
    title = f"CPU: {comparison.title}"
    if relative:
        return _dots(title, f"CPU a {comparison.unit}, {BASELINE} = 1", rows, 1.0)
    return _dots(title, f"µs of CPU a {comparison.unit}; {BASELINE} was not measured", rows)


def _latencies(comparison: Comparison) -> Panel:
    rows = []
    for name in comparison.samples:
        median = comparison.median(name, lambda sample: sample.median)
        late = comparison.median(name, lambda sample: sample.late)
        if median is not None and late is not None:
            rows.append(Dot(name, median * 1000, median * 1000, late * 1000, name in OURS))
    axis = "ms: the median, and up to the 99th percentile"
    return _dots("Latency of small requests beside bulk", axis, rows)


def _growth(results: Results, of: str) -> Panel:
    found = [growth for growth in results.growth if growth.of == of]
    series = [
        (growth.peer, {count: cpu.median / 1000 for count, cpu in growth.cpu.items()})
        for growth in found
    ]
    if not any(points for _, points in series):
        return None
    unit = found[0].unit
    return lines(f"CPU a {unit} by {of}", of, f"µs a {unit}", series)


def _pages(comparison: Comparison) -> Panel:
    rows = []
    for name in comparison.samples:
        rate = comparison.median(name, lambda sample: sample.rate)
        if rate is not None:
            rows.append(Dot(name, rate, rate, rate, "txlb" in name))
    return _dots(comparison.title.capitalize(), "pages a second", rows, linear=True)
