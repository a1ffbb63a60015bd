"""
The blocks of code on a page of the documentation, and how they are run.

A page is run from top to bottom in a folder of its own, which has the tutorial's web
application in it from the start, with this checkout and its programs at hand. A page
that says how to install txlb begins with an empty folder instead, and without either.

What a block means is told by its language, its C{:caption:} or C{:name:}, and its
C{:class:}:

  - any language with a caption or name that looks like a file's: the block is that file,
    and so is what C{literalinclude} shows;
  - C{console}: lines that begin with C{$} are typed into one shell, the others are what it
    answers. Each must come, in this order; there may be more between them, and C{...}
    stands for any text.
      - C{:class: fails}: the exit status is 1, not 0.
      - C{:class: running}: a program that runs on, in a terminal of its own, until the page
        ends. What it says must come.
      - C{:class: manhole}: the first line logs in, those with C{>>>} are typed there.
      - C{:class: elsewhere}: not run here, as another check does it; the page says so.
      - C{:class: install}: makes an environment in C{.venv} and activates it, in this
        shell and in those to come. What C{pip install} would put there is linked.
  - C{pycon}: a session at the Python prompt, checked as doctest does.

The ports that the documentation uses are replaced by free ones.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.programs import PATIENCE, ROOT, Program, environment
from tests.integration.support import freePorts

#: The ports that occur in the documentation, the examples and the demo.
PORTS = (2222, 2223, 7001, 7002, 7003, 7004, 8080, 8081, 8443, 9999, 10080, 61613)

_PORT = re.compile(r"(?<![\w.])(" + "|".join(map(str, PORTS)) + r")(?![\w.]\d|\d)")
_DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. (?P<kind>code|code-block|sourcecode|literalinclude|parsed-literal)::"
    r"(?P<argument>.*)$"
)
_OPTION = re.compile(r"^ +:(?P<name>[\w-]+):(?P<value>.*)$")
_UNMARKED = re.compile(r"^(?!\s*\.\. ).*::\s*$")
_FILE = re.compile(r"^[\w.-]+\.\w+$")


class Broken(Exception):
    """
    A page does not do what it says.
    """


@dataclass
class Block:
    """
    A block of code.

    @ivar kind: the directive.
    @ivar argument: the language, or the path of a file.
    @ivar line: where it is on the page.
    """

    kind: str
    argument: str
    line: int
    options: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """
        The code.
        """
        return "\n".join(self.lines).strip("\n") + "\n"

    @property
    def fileName(self) -> str | None:
        """
        The file that this is, if it is one.
        """
        name = self.options.get("caption") or self.options.get("name") or ""
        return name if _FILE.match(name) else None


def blocksOf(page: Path) -> Iterator[Block]:
    """
    The blocks of a page, in order.

    @raise Broken: there is code that is not marked, so that nobody would run it.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    place = 0
    while place < len(lines):
        found = _DIRECTIVE.match(lines[place])
        if found is None:
            if _UNMARKED.match(lines[place]) or lines[place].lstrip().startswith(">>>"):
                raise Broken(f"{page}:{place + 1}: code without a language; use code-block")
            place += 1
            continue
        block = Block(found["kind"], found["argument"].strip(), place + 1)
        depth = len(found["indent"])
        place += 1
        while place < len(lines) and (option := _OPTION.match(lines[place])):
            block.options[option["name"]] = option["value"].strip()
            place += 1
        while place < len(lines) and (
            not lines[place].strip() or len(lines[place]) - len(lines[place].lstrip()) > depth
        ):
            block.lines.append(lines[place][depth + 3 :])
            place += 1
        yield block


def otherPorts() -> dict[str, str]:
    """
    A free port for each that the documentation uses.
    """
    return {str(old): str(new) for old, new in zip(PORTS, freePorts(len(PORTS)), strict=True)}


def withPorts(text: str, ports: dict[str, str]) -> str:
    """
    A text with other ports.
    """
    return _PORT.sub(lambda found: ports[found[0]], text)


def misses(expected: Sequence[str], output: str) -> str | None:
    """
    The first of the expected lines that is not in the output, after those before it. How
    wide a column is does not matter, as other ports have other widths.
    """
    rest = iter(output.splitlines())
    for line in expected:
        pattern = ".*".join(map(re.escape, _oneSpace(line).split("...")))
        if not any(re.fullmatch(pattern, _oneSpace(given)) for given in rest):
            return line
    return None


def _oneSpace(line: str) -> str:
    return " ".join(line.split())


class Shell:
    """
    One shell, for all the commands of a page.
    """

    def __init__(self, folder: Path, log: Path, environ: dict[str, str]) -> None:
        self.log = log
        self._seen = 0
        self._count = 0
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                ["bash", "--norc"],
                cwd=folder,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._type("set -m\n")

    def _type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def run(self, command: str) -> tuple[int, str]:
        """
        Run a command.

        @return: its exit status and what came meanwhile.
        """
        self._count += 1
        self._type(f"{{ {command}\n}} </dev/null\nprintf '\\n=={self._count}== %s\\n' $?\n")
        deadline = time.monotonic() + PATIENCE
        while True:
            output = self.log.read_text(encoding="utf-8", errors="replace")
            found = re.search(rf"\n=={self._count}== (\d+)\n", output)
            if found:
                new = output[self._seen : found.start()]
                self._seen = found.end()
                return int(found[1]), new
            if self.process.poll() is not None:
                raise Broken(f"$ {command}\nends the shell:\n{output[self._seen :]}")
            if time.monotonic() > deadline:
                raise Broken(f"$ {command}\ndoes not come back:\n{output[self._seen :]}")
            time.sleep(0.02)

    def close(self) -> None:
        """
        End it, and what it has in the background.
        """
        # A command that has a mistake of syntax has ended it.
        with contextlib.suppress(BrokenPipeError):
            self._type("kill -9 $(jobs -p) 2>/dev/null\nexit\n")
        self.process.communicate(timeout=PATIENCE)


class Session:
    """
    A page being run.

    @param folder: where, empty.
    @param bare: whether nothing is there but what the page has the reader do.
    """

    def __init__(self, page: Path, folder: Path, bare: bool = False) -> None:
        self.page = page
        self.folder = folder
        self.ports = otherPorts()
        self.programs: list[Program] = []
        self._names: dict[str, object] = {"__name__": "__main__"}
        # What belongs to the test and not to the page.
        self.aside = Path(tempfile.mkdtemp(prefix="txlb")) if bare else folder
        state = self.aside / "state"
        state.mkdir(mode=0o700)
        self._environ = environment(STATE_DIRECTORY=str(state), HOME=str(self.aside), TERM="dumb")
        path = self._environ["PATH"].split(os.pathsep)
        if bare:
            del self._environ["PYTHONPATH"]
            # It is there twice if the environment is active.
            own = str(Path(sys.executable).parent)
            path = [each for each in path if each != own]
        else:
            self._file("hello.py", (ROOT / "examples" / "hello.py").read_text(encoding="utf-8"))
        self._environ["PATH"] = os.pathsep.join([str(self._programs(bare)), *path])
        self.shell = Shell(folder, self.aside / "shell.log", self._environ)

    def _programs(self, bare: bool) -> Path:
        """
        Programs that come before those of the system. The documentation need not say how
        ssh is kept from asking, and a checkout that is not installed has no txlb command.
        Without an environment there is Python alone.
        """
        programs = self.aside / "bin"
        programs.mkdir()
        options = {
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": self.aside / "known_hosts",
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
        }
        ssh = [shutil.which("ssh") or "ssh", "-F", "none"]
        ssh += [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        wrapped = {"ssh": ssh}
        if bare:
            wrapped["python3"] = [sys._base_executable]  # type: ignore[attr-defined]  # of venvs
        elif shutil.which("txlb", path=self._environ["PATH"]) is None:
            wrapped["txlb"] = [sys.executable, "-m", "txlb"]
        for name, command in wrapped.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            program.chmod(0o755)
        return programs

    def run(self) -> None:
        """
        Run the page.

        @raise Broken: it does not do what it says.
        """
        for block in blocksOf(self.page):
            try:
                self._block(block)
            except (Broken, AssertionError) as error:
                raise Broken(f"{self.page}:{block.line}: {error}") from error

    def close(self) -> list[str]:
        """
        Stop everything.

        @return: what the programs have written.
        """
        for program in reversed(self.programs):
            program.stop()
        self.shell.close()
        outputs = [program.output for program in self.programs]
        if self.aside != self.folder:
            shutil.rmtree(self.aside)
        return outputs

    def _block(self, block: Block) -> None:
        if block.kind == "literalinclude":
            shown = (self.page.parent / block.argument).resolve()
            self._file(block.fileName or shown.name, shown.read_text(encoding="utf-8"))
        elif block.kind != "code-block":
            raise Broken(f"use code-block instead of {block.kind}")
        elif block.fileName is not None:
            self._file(block.fileName, block.text)
        elif block.argument == "console":
            self._console(block)
        elif block.argument == "pycon":
            self._python(block)
        else:
            raise Broken(f"nobody runs {block.argument!r}; give it a caption, if it is a file")

    def _file(self, name: str, text: str) -> None:
        (self.folder / name).write_text(withPorts(text, self.ports), encoding="utf-8")

    def _console(self, block: Block) -> None:
        kind = block.options.get("class", "")
        lines = withPorts(block.text, self.ports).splitlines()
        if kind == "elsewhere":
            return
        if not lines[0].startswith("$ "):
            raise Broken("a console block begins with a command, after a dollar and a space")
        if kind == "manhole":
            self._manhole(lines)
        elif kind == "running":
            self._running(lines)
        elif kind == "install":
            self._install(lines)
        else:
            self._commands(lines, wanted=1 if kind == "fails" else 0)

    def _commands(self, lines: list[str], wanted: int) -> None:
        while lines:
            command = lines.pop(0).removeprefix("$ ")
            while command.endswith("\\"):
                command += "\n" + lines.pop(0)
            expected = []
            while lines and not lines[0].startswith("$ "):
                expected.append(lines.pop(0))
            status, output = self.shell.run(command)
            if status != wanted:
                raise Broken(f"$ {command}\nended with {status}:\n{output}")
            self._compare(expected, command, output)

    def _install(self, lines: list[str]) -> None:
        """
        Do what the page says, but for C{pip install}, which takes the network.
        """
        venv = self.folder / ".venv"
        for line in lines:
            if line.startswith("$ pip install "):
                status, found = self.shell.run("command -v pip")
                if status or found.strip() != str(venv / "bin" / "pip"):
                    raise Broken(f"{line}\nwould be done by {found!r}, not by the environment")
                link(venv)
            else:
                self._commands([line], wanted=0)
        # As "activate" does; the page says it for other terminals, too.
        self._environ["PATH"] = os.pathsep.join([str(venv / "bin"), self._environ["PATH"]])

    def _running(self, lines: list[str]) -> None:
        command = lines[0].removeprefix("$ ")
        program = Program(["bash", "-c", f"exec {command}"], self.folder, self._environ, self.aside)
        self.programs.append(program)
        deadline = time.monotonic() + PATIENCE
        while missed := misses(lines[1:], program.output):
            if program.process.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"$ {command}\ndoes not say {missed!r} but:\n{program.output}")
            time.sleep(0.02)

    def _manhole(self, lines: list[str]) -> None:
        typed = [line[4:] for line in lines if line.startswith(">>> ")]
        expected = [line for line in lines[1:] if not line.startswith(">>> ")]
        command = lines[0].removeprefix("$ ")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environ,
            input="\n".join(typed) + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Broken(f"$ {command}\nended with {done.returncode}:\n{done.stdout}")
        self._compare(expected, command, done.stdout)

    def _compare(self, expected: list[str], command: str, output: str) -> None:
        missed = misses([line for line in expected if line.strip()], output)
        if missed is not None:
            raise Broken(f"$ {command}\ndoes not say {missed!r} but:\n{output}")

    def _python(self, block: Block) -> None:
        examples = doctest.DocTestParser().get_examples(withPorts(block.text, self.ports))
        test = doctest.DocTest(examples, {}, str(self.page), str(self.page), block.line, None)
        test.globs = self._names
        report: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(test, out=report.append, clear_globs=False)
        if report:
            raise Broken("".join(report))


def link(venv: Path) -> None:
    """
    Let an environment have what this one has, and this checkout, as C{pip install} of it
    would.
    """
    (packages,) = venv.glob("lib/python*/site-packages")
    paths = [*site.getsitepackages(), str(ROOT / "src"), str(ROOT)]
    (packages / "linked.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    python = venv / "bin" / "python"
    for name, module, function in (
        ("twistd", "twisted.scripts.twistd", "run"),
        ("txlb", "txlb.cli", "main"),
    ):
        program = venv / "bin" / name
        program.write_text(
            f"#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n",
            encoding="utf-8",
        )
        program.chmod(0o755)


def shownFiles(pages: Sequence[Path]) -> Iterator[Path]:
    """
    The files that pages show.
    """
    for page in pages:
        for block in blocksOf(page):
            if block.kind == "literalinclude":
                yield (page.parent / block.argument).resolve().relative_to(ROOT)
