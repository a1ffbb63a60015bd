"""
Build the wheel and the sdist, install the wheel in a clean environment of its own, and look
at the result: C{twistd} knows txlb, the command works, Twisted is whole. Then do the same
for an editable install. Finally run the README's demo out of the unpacked sdist.

    python tools/check_packages.py SCRATCH
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
import venv
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = (
    "twisted/plugins/txlb_plugin.py",
    "twisted/plugins/txlb_agent_plugin.py",
    "twisted/plugins/txlb_clone_plugin.py",
    "twisted/plugins/txlb_client_plugin.py",
    "twisted/plugins/txlb_control_plugin.py",
    "twisted/plugins/txlb_relay_plugin.py",
)
#: The pages of the web console, with the licences of what they have from others.
CONSOLE = "src/txlb/admin/web/static"
FILES = [each for each in (ROOT / CONSOLE).rglob("*") if each.is_file()]
TIMEOUT = 600


class Wrong(Exception):
    """
    A package has an error.
    """


def environment() -> dict[str, str]:
    """
    Return the environment without variables that lead programs to the checkout.
    """
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def run(*command: str | Path, cwd: Path) -> str:
    """
    Run a program in an environment without the checkout.

    @return: its output.
    @raise Wrong: it failed.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        shown = " ".join(map(str, command))
        raise Wrong(f"{shown} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def expect(condition: object, otherwise: str) -> None:
    """
    @raise Wrong: C{condition} does not hold.
    """
    if not condition:
        raise Wrong(otherwise)


def checkWheel(wheel: Path) -> None:
    """
    Check the contents of the wheel.
    """
    names = set(zipfile.ZipFile(wheel).namelist())
    static = f"{CONSOLE.removeprefix('src/')}/"
    console = {static + each.relative_to(ROOT / CONSOLE).as_posix() for each in FILES}
    for wanted in ("txlb/__init__.py", "txlb/py.typed", *sorted(console), *PLUGINS):
        expect(wanted in names, f"{wheel.name} lacks {wanted}")
    for name in names:
        inside = name.startswith(("txlb/", "txlb-")) or name in PLUGINS
        expect(inside, f"{wheel.name} has {name}, which is none of ours")


def checkSdist(sdist: Path) -> None:
    """
    Check that the sdist is enough to run the tests and to build the documentation.
    """
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in (
        "CHANGELOG.rst",
        "LICENSE",
        "README.rst",
        "check",
        "demo",
        "docs/conf.py",
        "examples/config.xml",
        "src/txlb/__init__.py",
        "tests/integration/__init__.py",
        "tools/environment.sh",
        "tox.ini",
        *PLUGINS,
    ):
        expect(wanted in names, f"{sdist.name} lacks {wanted}")
    unwanted = {name for name in names if name.startswith(".") and name != ".gitignore"}
    expect(not unwanted, f"{sdist.name} has {unwanted}")


def checkInstalled(scratch: Path, name: str, *requirement: str | Path) -> None:
    """
    Install in a clean environment, and use it from an empty folder.
    """
    home = scratch / name
    venv.create(home, clear=True, with_pip=True)
    programs = home / "bin"
    empty = home / "empty"
    empty.mkdir()
    run(
        programs / "python", "-m", "pip", "--disable-pip-version-check", "install",
        *requirement, cwd=empty,
    )  # fmt: skip
    services = run(programs / "twistd", "--help", cwd=empty)
    lines = [line.split() for line in services.splitlines()]
    for plugin in ("txlb", "txlb-agent"):
        listed = any(line[:1] == [plugin] for line in lines)
        expect(listed, f"twistd --help does not list {plugin}")
    options = run(programs / "twistd", "txlb", "--help", cwd=empty)
    expect("--config" in options, f"twistd txlb --help lacks --config:\n{options}")
    version = run(programs / "txlb", "--version", cwd=empty).strip()
    wanted = run(programs / "python", "-c", "import txlb; print(txlb.__version__)", cwd=empty)
    expect(version.endswith(wanted.strip()), f"txlb --version says {version!r}, not {wanted!r}")
    run(programs / "txlb", "check", ROOT / "examples" / "config.xml", cwd=empty)
    where = run(
        programs / "python", "-c", "import twisted; print(twisted.__file__, *twisted.__path__)",
        cwd=empty,
    )  # fmt: skip
    inside = all(Path(part).resolve().is_relative_to(home.resolve()) for part in where.split())
    expect(inside, f"Twisted is not whole any more: {where}")


def checkDemo(scratch: Path, sdist: Path) -> None:
    """
    Run the README's first command, in a fresh folder.
    """
    with tarfile.open(sdist) as archive:
        # Python 3.11.2 of Debian 12 has no filters. The archive was made here.
        filters: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(scratch / "demo", **filters)
    (top,) = (scratch / "demo").iterdir()
    log, state = scratch / "demo.log", scratch / "state"
    state.mkdir(mode=0o700)
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [top / "demo"],
            env={**environment(), "STATE_DIRECTORY": str(state)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + TIMEOUT
        while not (found := re.search(r"on (http://127\.0\.0\.1:\d+/)", log.read_text())):
            late = demo.poll() is not None or time.monotonic() > deadline
            expect(not late, f"./demo did not come up:\n{log.read_text()}")
            time.sleep(0.1)
        answers = set()
        for _ in range(6):
            with urllib.request.urlopen(found[1], timeout=60) as answer:
                answers.add(answer.read())
        expect(len(answers) == 3, f"the hosts of ./demo do not take turns: {answers}")
        for words in (("status",), ("top", "--once")):
            shown = run(top / ".venv" / "bin" / "txlb", *words, "-s", state / "demo" / "control",
                        cwd=scratch)  # fmt: skip
            expect("host3" in shown, f"txlb {words[0]} does not show the demo:\n{shown}")
        demo.send_signal(signal.SIGINT)
        status = demo.wait(60)
        expect(status == 0, f"./demo ended with {status}:\n{log.read_text()}")
        expect("Traceback" not in log.read_text(), f"trouble in ./demo:\n{log.read_text()}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(demo.pid, signal.SIGKILL)
        demo.wait()


def main(arguments: list[str]) -> int:
    """
    @param arguments: the folder to work in; it is made anew.
    """
    scratch = Path(arguments[0]).resolve() / "packages"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        for folder in ("twisted", "twisted/plugins"):
            init = ROOT / folder / "__init__.py"
            expect(not init.exists(), f"{init} hides Twisted; it must not exist")
        run(sys.executable, "-m", "build", "--outdir", scratch, ROOT, cwd=scratch)
        (wheel,), (sdist,) = scratch.glob("*.whl"), scratch.glob("*.tar.gz")
        checkSdist(sdist)
        checkWheel(wheel)
        checkInstalled(scratch, "wheel", wheel)
        checkInstalled(scratch, "editable", "--editable", ROOT)
        checkDemo(scratch, sdist)
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    print(f"{wheel.name} and {sdist.name} are as they should be")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
