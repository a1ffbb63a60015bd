"""
Saving a configuration file, whatever happens meanwhile.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.integration.support import PATIENCE, ROOT, IntegrationTestCase, environment

HOSTS = "\n".join(
    f'      <host name="host{number}" ip="127.0.0.1:{number + 1}" weight="1"/> <!-- {number} -->'
    for number in range(50)
)

CONFIG = f"""\
<config>
  <service name="web">
    <listen ip="127.0.0.1:8080"/>
    <group name="main" enable="yes">
{HOSTS}
    </group>
  </service>
  <manager><configCheck backups="3"/></manager>
</config>
"""

TIMES = 200

#: What the steps of a save look like to the system, in their order.
STEPS = (
    r"openat\(.*\.config\.xml\.saving.*O_EXCL",
    r"write\(\d+, .*",
    r"fsync\(\d+\)\s+= 0",
    r"linkat?\(.*config\.xml-\d{14}.*= 0",
    r"rename(at2?)?\(.*\.config\.xml\.saving.*= 0",
    r"openat\(.*O_DIRECTORY",
    r"fsync\(\d+\)\s+= 0",
)


class SavingTests(IntegrationTestCase):
    def run_(self, *command: str | Path, status: int = 0) -> str:
        done = subprocess.run(
            [str(part) for part in command],
            check=False,
            cwd=ROOT,
            env=environment(),
            timeout=2 * PATIENCE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def saver(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        return (sys.executable, "-m", "tests.integration.saver", *arguments)

    def test_killed(self) -> None:
        """
        Whenever the process is killed, there is the whole old file or the whole
        new one, and the next one finds nothing in its way.
        """
        path = self.write("config.xml", CONFIG)
        said = self.run_(*self.saver("killed", path, str(TIMES)))
        self.show(said.strip())
        self.assertIn(f"killed {TIMES} times", said)
        self.run_(*self.saver("once", path))
        names = sorted(each.name for each in self.folder.iterdir())
        self.assertEqual([name for name in names if name.endswith(".saving")], [])
        self.assertLessEqual(len([name for name in names if "xml-" in name]), 3)

    def test_steps(self) -> None:
        """
        What is asked of the system, and in which order: the new file is written
        and synced before it takes the name, and the folder is synced after that.
        """
        self.need("strace")
        path = self.write("config.xml", CONFIG)
        trace = self.folder / "trace"
        probe = subprocess.run(
            ("strace", "-o", trace, "true"), check=False, capture_output=True, timeout=PATIENCE
        )
        if probe.returncode:
            raise SkipTest("this machine lets nobody be traced")
        calls = "trace=openat,write,fsync,fdatasync,link,linkat,rename,renameat,renameat2"
        self.run_("strace", "-f", "-s", "40", "-e", calls, "-o", trace, *self.saver("once", path))
        lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
        found = []
        steps = iter(STEPS)
        step = next(steps)
        for line in lines:
            if re.search(step, line):
                found.append(line.partition(" ")[2])
                step = next(steps, "")
                if not step:
                    break
        self.show("\n    " + "\n    ".join(found))
        self.assertEqual(len(found), len(STEPS), "\n".join(lines[-30:]))

    def test_diskFull(self) -> None:
        """
        Where there is no room, what was there stays byte for byte, and nothing
        is left behind.
        """
        self.need("unshare", "mount")
        folder = self.folder / "small"
        folder.mkdir()
        probe = ("unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=64k", "none", folder)
        if subprocess.run(probe, check=False, capture_output=True, timeout=PATIENCE).returncode:
            raise SkipTest("this machine lets nobody mount")
        source = self.write("config.xml", CONFIG)
        script = self.write(
            "script",
            f"""
            set -e
            mount -t tmpfs -o size=64k none {folder}
            cp {source} {folder}/config.xml
            dd if=/dev/zero of={folder}/ballast bs=1k count=1000 2>/dev/null || true
            ls -A {folder} > {self.folder}/before
            status=0
            {sys.executable} -m tests.integration.saver once {folder}/config.xml || status=$?
            ls -A {folder} > {self.folder}/after
            cmp {source} {folder}/config.xml
            rm {folder}/ballast
            {sys.executable} -m tests.integration.saver once {folder}/config.xml
            exit $status
            """,
        )
        said = self.run_("unshare", "-rm", "sh", script, status=1)
        self.show(said.strip())
        self.assertIn("it can't be written: No space left on device", said)
        self.assertIn("saved in", said)
        before, after = ((self.folder / name).read_text() for name in ("before", "after"))
        self.assertEqual(before, after)

    def test_readOnlyFolder(self) -> None:
        """
        A folder that can't be written.
        """
        self.need("unshare", "mount")
        folder = self.folder / "closed"
        folder.mkdir()
        (folder / "config.xml").write_text(CONFIG, encoding="utf-8")
        script = self.write(
            "script",
            f"""
            set -e
            mount --bind {folder} {folder}
            mount -o remount,bind,ro {folder}
            exec {sys.executable} -m tests.integration.saver once {folder}/config.xml
            """,
        )
        probe = ("unshare", "-rm", "mount", "--bind", folder, folder)
        if subprocess.run(probe, check=False, capture_output=True, timeout=PATIENCE).returncode:
            raise SkipTest("this machine lets nobody mount")
        said = self.run_("unshare", "-rm", "sh", script, status=1)
        self.assertIn("it can't be written: Read-only file system", said)
        self.assertEqual([each.name for each in folder.iterdir()], ["config.xml"])

    def test_time(self) -> None:
        """
        A file of fifty hosts is saved before anybody notices, on a machine that
        has time.
        """
        path = self.write("config.xml", CONFIG)
        said = self.run_(*self.saver("once", path))
        self.show(said.strip())
        found = re.search(r"saved in ([\d.]+) ms", said)
        assert found is not None
        self.assertLess(float(found[1]), 5000)
