"""
Writes the files of a simulation.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.simulation._pictures import picturesOf
from benchmarks.simulation._run import Findings
from benchmarks.simulation._tables import tablesOf

#: Where everything stands.
JSON_NAME = "simulation.json"


def writeFindings(findings: Findings, folder: Path) -> list[Path]:
    """
    Write C{simulation.json}, C{simulation.md}, C{simulation.inc} for the documentation, and
    the plots.

    @return: what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = tablesOf(findings)
    fact = (
        f"A {findings.scale} run: {findings.seeds} seeds at each load, {findings.lossSeeds} for "
        f"the loss of a host. Figures are the middle one of the seeds, with the lowest and "
        f"the highest."
    )
    texts = {
        JSON_NAME: findings.toJSON(),
        "simulation.md": "\n".join(
            ["# Simulation", "", fact, "", *(table.markdown() for table in tables)]
        ),
        "simulation.inc": "\n".join([fact, "", *(table.restructured() for table in tables)]),
        **picturesOf(findings),
    }
    written = []
    for name, words in texts.items():
        path = folder / name
        path.write_text(words, encoding="utf-8")
        written.append(path)
    return written
