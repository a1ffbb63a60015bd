"""
The tour of the code, C{docs/contributing/tour.rst}, names files, classes and functions that
exist.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
TOUR = ROOT / "docs" / "contributing" / "tour.rst"
SOURCE = ROOT / "src" / "txlb"

#: A name with its file, as in ``Lease.release`` (``pool/_lease.py``).
PLACE = re.compile(r"``([\w.]+)``\s+\(``([\w/]+\.py)``\)")
FILE = re.compile(r"``([\w/]+\.py)``")


def namesIn(body: list[ast.stmt]) -> Iterator[str]:
    """
    Find the names that statements define, those of a class with its members.
    """
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from (f"{node.name}.{member}" for member in namesIn(node.body))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def missing(tour: str, source: Path) -> list[str]:
    """
    Find the files and names of a tour that don't exist.
    """
    files = sorted(set(FILE.findall(tour)))
    found = [f"no file {name}" for name in files if not (source / name).is_file()]
    for name, file in PLACE.findall(tour):
        path = source / file
        if path.is_file():
            body = ast.parse(path.read_text(encoding="utf-8")).body
            if name not in set(namesIn(body)):
                found.append(f"no {name} in {file}")
    return found


class TourTests(SynchronousTestCase):
    def test_everythingExists(self) -> None:
        self.assertEqual(missing(TOUR.read_text(encoding="utf-8"), SOURCE), [])

    def test_namesHaveFiles(self) -> None:
        """
        The tour says of enough names where they are: both of its walks have some, and so has
        the table.
        """
        parts = TOUR.read_text(encoding="utf-8").split("\n---")
        self.assertEqual([len(PLACE.findall(part)) > 8 for part in parts[2:]], [True] * 3)

    def test_itFinds(self) -> None:
        """
        A missing file, class, method or name is found, also over the end of a line.
        """
        tour = (
            "``Lease.release`` (``pool/_lease.py``), ``Lease.gone``\n(``pool/_lease.py``), "
            "``Gone`` (``pool/_lease.py``), ``Lease`` (``pool/_gone.py``), ``registry.py``"
        )
        self.assertEqual(
            missing(tour, SOURCE),
            [
                "no file pool/_gone.py",
                "no Lease.gone in pool/_lease.py",
                "no Gone in pool/_lease.py",
            ],
        )
