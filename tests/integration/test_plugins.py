"""
A policy that comes in a package of its own is there in every way of use. Needs
pip, and no network: the package is built by what is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import TestCase

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mostroom"

CONFIG = """\
<config>
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="prod" scheduler="WORD" enable="true">
      <host name="small" ip="127.0.0.1:7001" maxConnections="2"/>
      <host name="large" ip="127.0.0.1:7002" maxConnections="9"/>
    </group>
  </service>
</config>
"""

EMBEDDED = """\
from txlb import manager
from txlb.application.service import LoadBalancedService
from txlb.model import HostMapper

pm = manager.proxyManagerFactory(
    [HostMapper(proxy="127.0.0.1:8080", lbType="mostroom", host="a", address="127.0.0.1:7001")]
)
LoadBalancedService(pm)
pool = pm.getPool("proxy1")
pm.setScheduler("proxy1", "group1", "leastc")
pm.setScheduler("proxy1", "group1", "mostroom")
print(type(pool.scheduler).__module__, pool.acquire().host.name)
"""

BROKEN = "from txlb.schedulers import SchedulerKind\nimport nothing_of_this_name\n"
STRANGE = "import nothing_of_this_name_either\n"
TAKEN = """\
from txlb.schedulers import Random, SchedulerKind
taken = SchedulerKind("leastc", Random)
"""

WRONG_CHECK = """\
from txlb.health import CheckKind
textual = CheckKind("textual", "Has options that are none.", print, ("role",))
"""


class PluginTests(TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.target = self.folder / "installed"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
        source = self.folder / "source"
        # A build leaves files behind, and the source is not to have them.
        subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True, timeout=60)
        subprocess.run(
            [*pip, "--no-build-isolation", "--target", str(self.target), str(source)],
            check=True,
            timeout=120,
        )

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        path = os.pathsep.join([str(self.target), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def test_everyWay(self) -> None:
        """
        It is listed, files may ask for it, and so may programs.
        """
        status, out, err = self.run_("-m", "txlb", "schedulers", "--json")
        self.assertEqual((status, err), (0, ""))
        words = {kind["word"]: kind for kind in json.loads(out)}
        self.assertIn("leastc", words)
        self.assertEqual(words["mostroom"]["chooseWhen"], "hosts have limits by their size")
        path = self.write("config.xml", CONFIG.replace("WORD", "mostroom"))
        status, out, err = self.run_("-m", "txlb", "check", path)
        self.assertEqual((status, err), (0, ""))
        status, out, err = self.run_(self.write("embedded.py", EMBEDDED))
        self.assertEqual((status, out, err), (0, "txlb_mostroom a\n", ""))

    def test_wrongOnes(self) -> None:
        """
        Plugins that are wrong do no harm to the one that is right, and their
        faults are told: in the list, and where a word is unknown.
        """
        plugins = self.target / "twisted" / "plugins"
        for name, text in (
            ("broken", BROKEN),
            ("strange", STRANGE),
            ("taken", TAKEN),
            ("textual", WRONG_CHECK),
        ):
            (plugins / f"{name}_plugin.py").write_text(text)
        status, out, err = self.run_("-m", "txlb", "schedulers")
        self.assertEqual(status, 1)
        self.assertIn("\nmostroom    the one with room for the most", out)
        self.assertEqual(len(err.splitlines()), 3, err)
        self.assertIn(
            "broken_plugin.py can't be imported: ModuleNotFoundError: No module named "
            "'nothing_of_this_name'",
            err,
        )
        self.assertIn("taken_plugin.py (taken): there is a scheduler 'leastc' already", err)
        self.assertIn(
            "textual_plugin.py (textual): options of 'textual' has 'role' in it; each is an Option",
            err,
        )
        for word, wanted in (("mostroom", 0), ("mostrooms", 1)):
            path = self.write("config.xml", CONFIG.replace("WORD", word))
            status, out, err = self.run_("-m", "txlb", "check", path)
            self.assertEqual(status, wanted, err)
        self.assertIn("did you mean 'mostroom'?", err)
        self.assertIn("broken_plugin.py can't be imported", err)
        self.assertNotIn("Traceback", err)
