"""
Each test asserts something, and each assertion can fail. What ruff finds of the kind (a bare
comparison, C{assert} of a tuple) is not looked for here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).resolve().parent
KIT = TESTS.parent / "src" / "txlb" / "testing"

#: Names of functions that raise if something is not so.
ASSERTING = ("assert", "fail", "verify", "successResultOf", "run_state_machine_as_test")

#: Assertions about one value.
OF_ONE_VALUE = ("assertTrue", "assertFalse", "assertIsNone", "assertIsNotNone")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def isFixed(value: ast.expr, aboutNone: bool) -> bool:
    """
    Tell whether a value is true, or is None, whatever the tested code does.

    @param aboutNone: the assertion is about None; otherwise it is about truth.
    """
    if isinstance(value, (ast.Constant, ast.JoinedStr, ast.Lambda, ast.GeneratorExp)):
        return True
    if isinstance(value, (ast.Tuple, ast.List, ast.Set)):
        return bool(value.elts) or aboutNone
    if isinstance(value, ast.Dict):
        return bool(value.keys) or aboutNone
    if isinstance(value, ast.BoolOp):
        return any(isinstance(each, ast.Constant) for each in value.values)
    # These are True or False, never None.
    return aboutNone and isinstance(value, (ast.Compare, ast.UnaryOp))


def fixedAssertions(tree: ast.AST) -> Iterator[ast.Call]:
    """
    Find the assertions that can't fail, or that always fail.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            name = node.func.attr
            if name in OF_ONE_VALUE and isFixed(node.args[0], "None" in name):
                yield node


def functions(tree: ast.AST) -> Iterator[Function]:
    """
    Find the functions and methods of a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def namesIn(function: Function) -> set[str]:
    """
    List the names and attributes that a function uses.
    """
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(function)
        if isinstance(node, (ast.Name, ast.Attribute))
    }


def assertsItself(function: Function, names: Iterable[str]) -> bool:
    """
    Tell whether a function has an assertion, or raises, in its own body.
    """
    return any(name.startswith(ASSERTING) for name in names) or any(
        isinstance(node, (ast.Assert, ast.Raise)) for node in ast.walk(function)
    )


def idleTests(trees: Iterable[ast.AST]) -> Iterator[Function]:
    """
    Find the tests that assert nothing, neither themselves nor by a function that they use.

    Functions are told apart by their names only. So a test may pass for one that asserts, but
    none that asserts is reported.
    """
    used = [(each, namesIn(each)) for tree in trees for each in functions(tree)]
    asserting = {each.name for each, names in used if assertsItself(each, names)}
    count = 0
    while count != len(asserting):
        count = len(asserting)
        asserting.update(each.name for each, names in used if names & asserting)
    for each, names in used:
        if each.name.startswith("test") and not (assertsItself(each, names) or names & asserting):
            yield each


class AssertionTests(SynchronousTestCase):
    def test_suite(self) -> None:
        trees = {
            path: ast.parse(path.read_text(encoding="utf-8"))
            for folder in (TESTS, KIT)
            for path in folder.rglob("*.py")
        }
        fixed = [
            f"{path}:{each.lineno}: {ast.unparse(each)}"
            for path, tree in trees.items()
            for each in fixedAssertions(tree)
        ]
        self.assertEqual(fixed, [])
        self.assertEqual(
            [f"{each.name}, line {each.lineno}" for each in idleTests(trees.values())], []
        )

    def test_fixed(self) -> None:
        for text in (
            "self.assertTrue((a, b))",
            "self.assertTrue(f'{a}')",
            "self.assertTrue(each for each in a)",
            "self.assertTrue(a or 'b')",
            "self.assertFalse(None)",
            "self.assertIsNone(a and None)",
            "self.assertIsNotNone(a == b)",
            "self.assertIsNotNone({})",
        ):
            self.assertEqual(len(list(fixedAssertions(ast.parse(text)))), 1, text)

    def test_free(self) -> None:
        for text in (
            "self.assertTrue(a)",
            "self.assertTrue(a == b)",
            "self.assertFalse([])",
            "self.assertIsNone(a)",
            "self.assertEqual((a, b), (1, 2))",
        ):
            self.assertEqual(list(fixedAssertions(ast.parse(text))), [], text)

    def test_idle(self) -> None:
        tree = ast.parse(
            "def check(a): assert a\n"
            "def look(a): check(a)\n"
            "def test_itself(self): self.assertEqual(a, b)\n"
            "def test_byAnother(self): look(a)\n"
            "def test_nothing(self): start(a)\n"
        )
        self.assertEqual([each.name for each in idleTests([tree])], ["test_nothing"])
