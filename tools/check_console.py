"""
Check the JavaScript of the web console: C{python tools/check_console.py}.

Its types, by the compiler of TypeScript, which reads them from the comments; its style, by
eslint. The programs are installed by npm, as C{tools/console/package-lock.json} pins them, where no
package of ours gets them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "tools" / "console"
STATIC = ROOT / "src" / "txlb" / "admin" / "web" / "static"


def main() -> int:
    """
    Install the programs, and run them.

    @return: the exit status.
    """
    npm = shutil.which("npm")
    if npm is None:
        print(
            "The JavaScript of the console is not checked, as npm is missing. Debian has it in the"
            " packages nodejs and npm.",
            file=sys.stderr,
        )
        # Nothing is left out where everything is installed.
        return 1 if os.environ.get("CI") else 0
    programs = HERE / "node_modules" / ".bin"
    rules = str(HERE / "eslint.config.mjs")
    commands = (
        ([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], HERE),
        ([str(programs / "tsc"), "--project", "."], HERE),
        # The rules are for all files below the working folder.
        ([str(programs / "eslint"), "--config", rules, "."], STATIC),
    )
    for command, folder in commands:
        status = subprocess.run(command, check=False, cwd=folder).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
