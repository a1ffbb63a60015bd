"""
Writes the files of a run.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.report._plots import plotsOf
from benchmarks.report._tables import tablesOf
from benchmarks.results import Results


def writeAll(results: Results, folder: Path) -> list[Path]:
    """
    Write C{results.json}, C{results.md}, C{tables.inc} for the documentation,
    and the plots.

    @return: what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = tablesOf(results)
    facts = _facts(results)
    bullets = "\n".join(f"- {fact}" for fact in facts)
    texts = {
        "results.json": results.toJSON(),
        "results.md": "\n".join(
            ["# Benchmarks", "", bullets, "", *(table.markdown() for table in tables)]
        ),
        "tables.inc": "\n".join([bullets, "", *(table.restructured() for table in tables)]),
        **plotsOf(results),
    }
    written = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _facts(results: Results) -> list[str]:
    facts = [
        f"a {results.scale} run, begun {results.began}, {results.seconds / 60:.0f} minutes",
        *(f"{name}: {value}" for name, value in results.machine.items()),
    ]
    facts += [f"not installed, left out: {missing}" for missing in results.missing]
    facts += results.notes
    facts += [f"ERROR, so that this run does not count: {error}" for error in results.errors]
    return facts
