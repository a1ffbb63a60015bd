"""
Tests for L{txlb.application._plugins}; real packages are in
C{tests.integration.test_plugins}.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted.plugins
from txlb.application import _plugins, discoverSchedulers, listSchedulers
from txlb.errors import UnknownName
from txlb.schedulers import _registry, canonicalWord, schedulerFactory, schedulerWords

RIGHT = """\
from txlb.schedulers import Random, SchedulerKind
right = again = SchedulerKind("mine", Random, summary="any", wants=["seconds"][:0])
"""
BROKEN = "from txlb.schedulers import SchedulerKind\nraise ValueError('no')\n"
STRANGE = "raise ValueError('of no concern')\n"
TAKEN = """\
from txlb.schedulers import Random, SchedulerKind
taken = SchedulerKind("leastc", Random)
spaced = SchedulerKind("two words", Random)
"""


class DiscoverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(_registry, "_kinds", dict(_registry._kinds))
        self.patch(_plugins, "_registered", set())
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.patch(
            twisted.plugins, "__path__", [*twisted.plugins.__path__, str(self.folder.resolve())]
        )

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.folder / f"txlbtest_{name}.py").write_text(text)
            self.addCleanup(sys.modules.pop, f"twisted.plugins.txlbtest_{name}", None)

    def test_found(self) -> None:
        """
        A policy of a plugin is found when its word is asked for, once.
        """
        self.write(right=RIGHT)
        self.assertNotIn("mine", schedulerWords())
        self.assertEqual(canonicalWord("mine"), "mine")
        self.assertEqual(schedulerFactory("mine").name, "rand")
        self.assertEqual(discoverSchedulers(), ())
        kinds, wrong = listSchedulers()
        self.assertEqual(wrong, ())
        self.assertEqual(kinds[-1]["word"], "mine")

    def test_wrong(self) -> None:
        """
        Those that are wrong are told, and do no harm to the others; what means
        to be no policy is none of our business.
        """
        self.write(broken=BROKEN, right=RIGHT, strange=STRANGE, taken=TAKEN)
        broken, taken, spaced = discoverSchedulers()
        self.assertTrue(broken.endswith("txlbtest_broken.py can't be imported: ValueError: no"))
        self.assertIn("(taken): there is a scheduler 'leastc' already", taken)
        self.assertIn("(spaced): 'two words' is no word for a scheduler", spaced)
        self.assertIn("mine", schedulerWords())
        error = self.assertRaises(UnknownName, canonicalWord, "brokn")
        self.assertIn("txlbtest_broken.py can't be imported: ValueError: no", str(error))

    def test_gone(self) -> None:
        """
        A file that can't be read, and can't be imported either, is passed over.
        """
        self.write(broken=BROKEN)
        (self.folder / "txlbtest_broken.py").unlink()
        (self.folder / "txlbtest_broken.py").symlink_to("nowhere")
        self.assertEqual(discoverSchedulers(), ())
