"""
C{python -m benchmarks}: measures, and writes tables and plots.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.programs import ROOT, ProgramError
from benchmarks.report import writeAll
from benchmarks.run import Run
from benchmarks.scale import FULL, SHORT, SMOKE, Scale


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what txlb costs beside what else could be used. Without options "
        "this takes about 35 minutes; leave the machine alone meanwhile.",
    )
    size = parser.add_mutually_exclusive_group()
    for scale, text in (
        (SHORT, "take less than 5 minutes, and so be less sure"),
        (SMOKE, "only see that everything works; the figures mean nothing"),
    ):
        size.add_argument(
            f"--{scale.name}", dest="scale", action="store_const", const=scale, help=text
        )
    parser.set_defaults(scale=FULL)
    parser.add_argument(
        "--results",
        type=Path,
        default=ROOT / "benchmarks" / "results",
        help="the folder to write to (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """
    Run.

    @return: the exit status: 0 where nothing went wrong.
    """
    options = _options(arguments)
    scale: Scale = options.scale
    try:
        results = Run(scale).run()
    except ProgramError as error:
        print(error, file=sys.stderr)
        return 1
    for path in writeAll(results, options.results):
        print(path)
    if results.errors:
        print(f"{len(results.errors)} kinds of errors; this run does not count", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
