"""
The checkout is laid out as the build and trial need it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.units import unitNames

ROOT = Path(__file__).resolve().parent.parent


class LayoutTests(SynchronousTestCase):
    """
    What nothing else would notice.
    """

    def test_testsAreFound(self) -> None:
        """
        A folder that is no package is passed over by trial, without a word.
        """
        for path in (ROOT / "tests").rglob("test_*.py"):
            self.assertTrue((path.parent / "__init__.py").is_file(), path)

    def test_units(self) -> None:
        """
        C{tests.units} names everything but the integration tests.
        """
        names = set(unitNames(ROOT / "tests"))
        for path in (ROOT / "tests").rglob("test_*.py"):
            top = path.relative_to(ROOT / "tests").parts[0].removesuffix(".py")
            self.assertEqual(f"tests.{top}" in names, top != "integration", path)

    def test_pluginFolders(self) -> None:
        """
        An C{__init__.py} in them would hide Twisted.
        """
        self.assertTrue((ROOT / "twisted" / "plugins" / "txlb_plugin.py").is_file())
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])

    def test_pluginsPackaged(self) -> None:
        """
        Each plugin is in the packages, and is checked.
        """
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
        targets = settings["hatch"]["build"]["targets"]
        names = {f"twisted/plugins/{each.name}" for each in ROOT.glob("twisted/plugins/*.py")}
        self.assertEqual(set(targets["wheel"]["force-include"]) & names, names)
        self.assertEqual({f"/{each}" for each in names} - set(targets["sdist"]["include"]), set())
        self.assertEqual(names - set(settings["mypy"]["files"]), set())
        checked = (ROOT / "tools" / "check_packages.py").read_text(encoding="utf-8")
        self.assertEqual([each for each in sorted(names) if f'"{each}"' not in checked], [])

    def test_extras(self) -> None:
        """
        C{dev} has all the others, so that whoever installs it can run every check.
        """
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = project["optional-dependencies"]
        others = ",".join(sorted(set(extras) - {"dev"}))
        self.assertIn(f"txlb[{others}]", extras["dev"])

    def test_fragments(self) -> None:
        """
        Towncrier passes over a fragment of a kind that it does not know.
        """
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        kinds = {kind["directory"] for kind in settings["tool"]["towncrier"]["type"]}
        fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.stem != "README"]
        for path in fragments:
            self.assertIn(path.name.split(".")[1], kinds, path)
            self.assertEqual(path.suffix, ".rst", path)
