"""
All tests but the integration tests, as one name for trial: C{trial tests.units}.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.runner import TestLoader

FOLDER = Path(__file__).resolve().parent

#: The folder that needs programs, and takes longest.
INTEGRATION = "integration"


def unitNames(folder: Path) -> Iterator[str]:
    """
    List the packages and modules of unit tests, as trial takes them.

    @param folder: the folder of the package C{tests}.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith("test_") and path.suffix == ".py":
            yield f"{folder.name}.{path.stem}"
        elif (path / "__init__.py").is_file() and path.name != INTEGRATION:
            yield f"{folder.name}.{path.name}"


def testSuite() -> Any:
    """
    Load the unit tests. Trial calls this function by its name.
    """
    loader = TestLoader()
    return loader.suiteFactory([loader.loadByName(name, True) for name in unitNames(FOLDER)])
