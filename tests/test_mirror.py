"""
The tests mirror the sources: a module of C{src} has a test module of its name, or
C{tests/README.rst} names the test module that covers it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).resolve().parent
SOURCES = TESTS.parent / "src" / "txlb"

#: The page that names the exceptions, below the checkout.
PAGE = "tests/README.rst"

#: An entry for a module without a test module of its name.
COVERED = re.compile(r"^- ``(\S+\.py)``: ``(\S+\.py)``$", re.MULTILINE)

#: An entry for a test module that mirrors no module.
BROAD = re.compile(r"^- ``(\S*test_\w+\.py)``: (?!``)\S", re.MULTILINE)


def testModuleOf(module: str) -> str:
    """
    Name the test module that mirrors a module.

    @param module: the module's path, below C{src/txlb}.
    @return: the test module's path, below C{tests}.
    """
    folder, name = os.path.split(module)
    return os.path.join(folder, f"test_{name.strip('_')}")


def moduleFaults(
    modules: Collection[str], tests: Collection[str], covered: Mapping[str, str]
) -> Iterator[str]:
    """
    Find the modules without a test module, and the entries that are wrong of modules.

    @param modules: the modules of the package, below C{src/txlb}.
    @param tests: the test modules, below C{tests}.
    @param covered: the page's test module for each module that has none of its name.
    @return: a line for each fault, with its remedy.
    """
    for module in modules:
        if testModuleOf(module) not in tests and module not in covered:
            yield (
                f"src/txlb/{module}: add tests/{testModuleOf(module)}, or the line"
                f" '- ``{module}``: ``THE TEST MODULE``' to {PAGE}"
            )
    for module, test in covered.items():
        if module not in modules:
            yield f"{PAGE}: remove {module}, which is no module"
        elif testModuleOf(module) in tests:
            yield f"{PAGE}: remove {module}, which has tests/{testModuleOf(module)}"
        if test not in tests:
            yield f"{PAGE}: {test}, named for {module}, is no test module"


def testFaults(
    mirrors: Collection[str],
    tests: Collection[str],
    covered: Collection[str],
    broad: Collection[str],
) -> Iterator[str]:
    """
    Find the test modules that neither mirror a module nor stand on the page.

    @param mirrors: the test modules that would mirror a module.
    @param tests: the test modules, below C{tests}.
    @param covered: the test modules that the page names for a module.
    @param broad: the test modules that the page names as those of no one module.
    @return: a line for each fault, with its remedy.
    """
    for test in tests:
        if not any(test in known for known in (mirrors, covered, broad)):
            yield (
                f"tests/{test}: name it after the module that it tests, or add the line"
                f" '- ``{test}``: ITS SUBJECT' to {PAGE}"
            )
    for test in broad:
        if test not in tests:
            yield f"{PAGE}: remove {test}, which is no test module"
        elif test in mirrors:
            yield f"{PAGE}: remove {test}, which mirrors a module"


def faults(modules: Collection[str], tests: Collection[str], page: str) -> list[str]:
    """
    Compare sources, tests and the page.

    @return: a line for each fault, in order.
    """
    covered = dict(COVERED.findall(page))
    mirrors = {testModuleOf(module) for module in modules}
    return sorted(
        [
            *moduleFaults(modules, tests, covered),
            *testFaults(mirrors, tests, covered.values(), BROAD.findall(page)),
        ]
    )


def listed(folder: Path, pattern: str) -> set[str]:
    """
    List the files below a folder whose names match, by their paths below it.
    """
    return {os.fspath(path.relative_to(folder)) for path in folder.rglob(pattern)}


class MirrorTests(SynchronousTestCase):
    def test_mirror(self) -> None:
        modules = {path for path in listed(SOURCES, "*.py") if not path.endswith("__init__.py")}
        tests = {path for path in listed(TESTS, "test_*.py") if not path.startswith("integration/")}
        page = (TESTS.parent / PAGE).read_text(encoding="utf-8")
        self.assertEqual("\n".join(faults(modules, tests, page)), "")

    def test_namedOnce(self) -> None:
        page = (TESTS.parent / PAGE).read_text(encoding="utf-8")
        names = [name for name, _ in COVERED.findall(page)] + BROAD.findall(page)
        self.assertGreater(len(names), 50)
        self.assertEqual(len(names), len(set(names)))

    def test_faults(self) -> None:
        """
        Each kind of fault is found.
        """
        modules = {"pool/_a.py", "pool/_b.py"}
        tests = {"pool/test_a.py"}
        page = "- ``pool/_b.py``: ``pool/test_a.py``\n"
        self.assertEqual(faults(modules, tests, page), [])
        for more, text, words in (
            ("pool/test_a.py", "", "src/txlb/pool/_b.py: add tests/pool/test_b.py"),
            ("pool/test_b.py", page, "remove pool/_b.py, which has tests/pool/test_b.py"),
            ("pool/test_a.py", page + "- ``c.py``: ``pool/test_a.py``", "c.py, which is no module"),
            (
                "pool/test_a.py",
                "- ``pool/_b.py``: ``test_c.py``",
                "test_c.py, named for pool/_b.py",
            ),
            ("test_c.py", page, "tests/test_c.py: name it after the module"),
            ("pool/test_a.py", page + "- ``test_c.py``: names", "remove test_c.py, which is no"),
            ("pool/test_a.py", page + "- ``pool/test_a.py``: names", "which mirrors a module"),
        ):
            with self.subTest(words):
                [fault] = faults(modules, tests | {more}, text)
                self.assertIn(words, fault)

    def test_subject(self) -> None:
        """
        A test module of no one module stands on the page with its subject.
        """
        page = "- ``test_c.py``: the public names\n"
        self.assertEqual(faults(set(), {"test_c.py"}, page), [])
