"""
A cloned application as a service of a systemd that runs for the test, in namespaces of its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.integration.cloned import CloningTestCase
from tests.integration.programs import PATIENCE, environment

SYSTEMD = "/lib/systemd/systemd"

#: twistd.
RUN = "from twisted.scripts.twistd import run; run()"

UNITS = Path(__file__).resolve().parents[2] / "docs" / "how-to"

#: Namespaces of processes and of mounts.
ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--mount-proc")

#: Starts systemd for a user, waits until it runs, does something, and ends it. The control groups
#: that it has made are removed.
BEGIN = """
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user/0 "$HOME/.config/systemd/user"
chmod 700 /run/user/0
export XDG_RUNTIME_DIR=/run/user/0
cp "$UNIT" "$HOME/.config/systemd/user/"
{systemd} --user >"$HOME/systemd.log" 2>&1 &
systemd=$!
for _ in $(seq 300); do
    systemctl --user is-system-running >/dev/null 2>&1 && break
    sleep 0.1
done
systemctl --user is-system-running || exit 77
"""

#: What is done, after some functions. C{wait} waits until a condition holds.
STEPS = """
show() { systemctl --user show app -p "$1" --value; }
until_() { for _ in $(seq 600); do eval "$1" && return; sleep 0.1; done; echo "never: $1"; exit 1; }
get() { curl -sf --max-time 30 "http://127.0.0.1:$PORT/" || echo "failed"; }

systemctl --user start app || exit 1
first=$(show MainPID)
until_ 'grep -q "stands by" "$LOG"'
get
kill -9 "$first"
for _ in 1 2 3 4 5 6 7 8; do get; done
until_ '[ "$(show MainPID)" != "$first" ] && [ "$(show ActiveState)" = active ]'
until_ '[ "$(grep -c "stands by" "$LOG")" = 2 ]'
second=$(show MainPID)
systemctl --user reload app || exit 1
until_ 'grep -q "generation 1 serves" "$LOG"'
until_ '[ "$(show ActiveState)" = active ]'
get
echo "restarts $(show NRestarts), result $(show Result)"
[ "$(show MainPID)" = "$second" ] && echo "the same manager"
systemctl --user stop app
echo "then $(show ActiveState)"
kill $systemd
wait
"""


class RealSystemdTests(CloningTestCase):
    def service(self) -> Path:
        """
        Write the unit of the how-to, for this application.
        """
        text = (UNITS / "app.service").read_text()
        log = self.folder / "log"
        for before, after in (
            ("/opt/app/bin/twistd", f'{sys.executable} -c "{RUN}"'),
            ("/opt/app/app.tac", str(self.application())),
            ("WorkingDirectory=/var/lib/app", f"WorkingDirectory={self.folder}"),
            ("StateDirectory=app\n", f"StandardOutput=append:{log}\nStandardError=append:{log}\n"),
            ("User=app\n", f"Environment=PYTHONPATH={environment()['PYTHONPATH']}\n"),
            ("Group=app\n", ""),
        ):
            self.assertIn(before, text)
            text = text.replace(before, after)
        return self.write("app.service", text)

    def test_life(self) -> None:
        """
        The unit of the how-to: the main process moves if the manager is killed, no client
        notices, a reload after that works and does not stop the service, and a stop ends all.
        """
        self.need("unshare", "systemctl", "curl")
        if os.geteuid() != 0 or not os.path.exists(SYSTEMD):
            raise SkipTest("it needs root and systemd")
        if os.path.exists("/run/systemd/system"):
            raise SkipTest("the systemd of this machine has the control groups")
        home = self.shortFolder()
        unit = self.service()
        environ = environment(
            HOME=str(home), UNIT=str(unit), LOG=str(self.folder / "log"), PORT=str(self.port)
        )
        self.addCleanup(removeGroups)
        done = subprocess.run(
            (*ISOLATED, "sh", "-c", BEGIN.format(systemd=SYSTEMD) + STEPS),
            capture_output=True,
            check=False,
            text=True,
            timeout=8 * PATIENCE,
            env=environ,
        )
        if done.returncode == 77 or "unshare" in done.stderr:
            raise SkipTest(f"systemd does not run here: {done.stdout} {done.stderr}")
        log = self.folder / "log"
        seen = log.read_text() if log.exists() else ""
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + seen)
        self.assertEqual(done.stdout.count("first clone"), 10, done.stdout + done.stderr)
        self.assertNotIn("failed", done.stdout)
        self.assertIn("restarts 0, result success\nthe same manager\nthen inactive", done.stdout)
        self.assertEqual(self.ours(), [])


def removeGroups() -> None:
    """
    Remove the control groups of systemd that are empty, if it has left any.
    """
    for folder in Path("/sys/fs/cgroup").glob("*/init.scope"):
        with contextlib.suppress(OSError):
            folder.rmdir()
