"""
No file imports in a circle, so that each can be read after those that it uses. A part that needs
its owner says in a C{Protocol} of its own file what it wants.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

SRC = Path(__file__).resolve().parents[1] / "src"


def modules() -> dict[str, Path]:
    """
    Find the modules of txlb, by their names.
    """
    found = {}
    for path in SRC.rglob("*.py"):
        parts = path.relative_to(SRC).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, known: set[str], types: bool) -> Iterator[str]:
    """
    Find the modules that a module imports.

    @param types: whether imports for types only count.
    """
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += [*(node.body if types else ()), *node.orelse]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            waiting += ast.iter_child_nodes(node)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """
    Find the groups of modules that import each other in a circle: two modules are in one if
    each reaches the other.
    """
    reached: dict[str, set[str]] = {}
    for name in graph:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            for other in graph[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        reached[name] = seen
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


def graphOf(types: bool) -> dict[str, set[str]]:
    """
    Find which private modules import each other. A package's C{__init__} imports all its
    modules, and is left out.
    """
    found = {name: path for name, path in modules().items() if path.name != "__init__.py"}
    return {
        name: set(imports(path.read_text(encoding="utf-8"), set(found), types)) & set(found)
        for name, path in found.items()
    }


class CirclesTests(SynchronousTestCase):
    def test_imports(self) -> None:
        """
        No imports make a circle when txlb runs.
        """
        self.assertEqual(circles(graphOf(types=False)), [])

    def test_types(self) -> None:
        """
        Those for types make none either.
        """
        self.assertEqual(circles(graphOf(types=True)), [])

    def test_itFinds(self) -> None:
        """
        A circle is found, of any length, and imports for types are told apart.
        """
        source = (
            "from txlb.a import b\nif TYPE_CHECKING:\n    from txlb.c import D\nimport txlb.e\n"
        )
        known = {"txlb.a.b", "txlb.c", "txlb.e"}
        self.assertEqual(set(imports(source, known, types=False)), {"txlb.a.b", "txlb.e"})
        self.assertEqual(set(imports(source, known, types=True)), known)
        graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"e"}}
        self.assertEqual(circles(graph), [["a", "b", "c"], ["e"]])
