"""
C{python -m benchmarks.simulate}: simulates every policy, and writes tables and plots.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.programs import ROOT
from benchmarks.simulation import (
    FULL,
    JSON_NAME,
    SHORT,
    SMOKE,
    Findings,
    Scale,
    simulate,
    writeFindings,
)
from txlb.schedulers import schedulerWords


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulate",
        description="Simulate the policies under work with a heavy tail, at three loads, and "
        "what happens when a host is lost. Without options this takes about 10 minutes of "
        "one core; what else the machine does changes no figure.",
    )
    size = parser.add_mutually_exclusive_group()
    for scale, text in (
        (SHORT, "take about 2 minutes, and so be less sure"),
        (SMOKE, "only see that everything works; the figures mean nothing"),
    ):
        size.add_argument(
            f"--{scale.name}", dest="scale", action="store_const", const=scale, help=text
        )
    parser.set_defaults(scale=FULL)
    parser.add_argument(
        "--results",
        type=Path,
        default=ROOT / "benchmarks" / "results" / "simulation",
        help="the folder to write to (default: %(default)s)",
    )
    parser.add_argument(
        "--policies",
        nargs="+",
        metavar="WORD",
        choices=schedulerWords(),
        help="simulate only these; what the folder has of the others stays, if it is of the "
        "same size. All are asked for the same work, so that they can be compared",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """
    Run.

    @return: the exit status.
    """
    options = _options(arguments)
    scale: Scale = options.scale
    before = options.results / JSON_NAME
    findings = simulate(scale, options.policies)
    if options.policies is not None and before.exists():
        others = Findings.fromJSON(before.read_text(encoding="utf-8"))
        if not findings.isLike(others):
            print(f"{before} is of other hosts, work or seeds; it is overwritten", file=sys.stderr)
        else:
            findings.add(others, schedulerWords())
    for path in writeFindings(findings, options.results):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
